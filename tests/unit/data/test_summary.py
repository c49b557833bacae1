"""What a person asks of a dataset: how much is there, and is it enough?"""

from pathlib import Path

import pytest

from whisper_tuner.data.clips import Clip, Finding, Report
from whisper_tuner.data.summary import groups, summarise


def clips(n: int, seconds: float, text: str = "La parola {i} torna") -> list[Clip]:
    return [
        Clip(str(i), f"clips/{i}.flac", text.format(i=i), f"{i}.wav", seconds, 3, "train", "Anna")
        for i in range(n)
    ]


@pytest.mark.parametrize(
    ("n", "seconds", "enough"),
    [
        (10, 5, "enough_try"),
        (100, 5, "enough_voice"),
        (720, 5, "enough_words"),
        (2400, 15, "enough_language"),
    ],
)
def test_what_it_is_enough_for(tmp_path: Path, n: int, seconds: float, enough: str) -> None:
    summary = summarise(tmp_path, clips(n, seconds))
    assert (summary.enough, summary.n_clips, summary.total_s) == (enough, n, n * seconds)
    assert (summary.n_speakers, summary.n_words, summary.n_sentences) == (1, n + 3, n)
    assert summary.levels_db == [] and len(summary.seconds) == n


def test_where_words_are_not_spaced_characters_are_counted(tmp_path: Path) -> None:
    summary = summarise(tmp_path, clips(3, 2.0, "今天天气好"))
    assert (summary.has_words, summary.n_words, summary.n_sentences) == (False, 4, 1)


def test_kinds_are_in_order_of_how_bad_they_are() -> None:
    def finding(code: str, refused: bool = False, clip: str = "a.wav") -> Finding:
        return Finding(code, clip, refused)

    found = [
        finding("quotes_curly"),
        finding("left_out", True),
        finding("file_ignored"),
        finding("characters_lost"),
        finding("texts_repeat", clip=""),
        finding("audio_silent", True),
        finding("characters_lost", clip="b.wav"),
        finding("cue_too_long", True, clip="c.wav 0:10–0:50"),
        finding("cue_too_long", True, clip="c.wav 1:10–1:50"),
        finding("tiers_chosen", clip="c.wav"),
        finding("recordings_in_both_splits", clip=""),
        finding("characters_removed"),
    ]
    told = groups(Report(3, 2, 1, 3.0, 1.0, found))
    assert [(group.code, len(group.findings), group.fix) for group in told] == [
        ("cue_too_long", 2, ""),
        ("audio_silent", 1, ""),
        ("characters_lost", 2, "drop"),
        ("quotes_curly", 1, "quotes"),
        ("characters_removed", 1, ""),
        ("left_out", 1, ""),
    ]
