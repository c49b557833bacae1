"""Cues become pieces of sensible lengths, and every cue that does not is named."""

import random
import time
from collections import Counter

import pytest

from whisper_tuner.data.clips import Finding
from whisper_tuner.data.cues import Cue
from whisper_tuner.data.cutting import Segment
from whisper_tuner.data.pieces import clock, pieces
from whisper_tuner.narrate import finding_sentence


def cue(start_s: float, end_s: float, text: str = "word", speaker: str = "") -> Cue:
    return Cue(start_s, end_s, text, 1, speaker)


def cut(*cues: Cue, duration_s: float = 1000.0) -> list[Segment]:
    return list(pieces(cues, "a.wav", duration_s, "a.srt"))


def texts(found: list[Segment]) -> list[str]:
    return [piece.text for piece in found if not piece.problem]


def problems(found: list[Segment]) -> list[str]:
    return [piece.problem for piece in found if piece.problem]


def test_short_cues_are_joined_and_parted_at_a_sentence():
    cues = [cue(3 * i, 3 * i + 2.5, f"w{i}" + ("." if i % 3 == 2 else "")) for i in range(9)]
    assert texts(cut(*cues)) == ["w0 w1 w2.", "w3 w4 w5.", "w6 w7 w8."]
    unpunctuated = [cue(3 * i + (0.4 if i > 3 else 0), 3 * i + 2.5, f"w{i}") for i in range(9)]
    assert texts(cut(*unpunctuated))[0] == "w0 w1 w2 w3"  # at the longest pause
    assert texts(cut(cue(0, 14), cue(14.5, 28))) == ["word", "word"]
    assert texts(cut(cue(0, 29.9, "long"))) == ["long"]


def test_nothing_is_joined_across_a_pause_or_another_voice():
    assert texts(cut(cue(0, 1, "a"), cue(2.9, 4, "b"))) == ["a b"]
    assert texts(cut(cue(0, 1, "a"), cue(3.1, 4, "b"))) == ["a", "b"]
    assert texts(cut(cue(0, 1, "a", "x"), cue(1, 2, "b", "y"), cue(2, 3, "c", "y"))) == ["a", "b c"]
    assert [p.speaker for p in cut(cue(0, 1, "a", "x"), cue(1, 2, "b", "y"))] == ["x", "y"]
    assert texts(cut(cue(0, 1, "a"), cue(0, 1, "A!"), cue(1.5, 2, "b"))) == ["a b"]
    assert texts(cut(cue(0, 1, "a"), cue(1.2, 1.4, "[music]"), cue(1.6, 2, "b"))) == ["a", "b"]


def test_margins_never_reach_into_others():
    found = cut(cue(1, 2), cue(2.2, 3, "b", "other"), cue(9, 9.9, "c"), duration_s=10)
    margins = [(round(p.start_s, 3), round(p.end_s, 3)) for p in found]
    assert margins == [(0.8, 2.1), (2.1, 3.2), (8.8, 10.0)]
    (near_start,) = cut(cue(0.05, 1), duration_s=1.0)
    assert (near_start.start_s, near_start.end_s) == (0.0, 1.0)
    (full,) = cut(cue(5, 34.9))
    assert full.end_s - full.start_s == pytest.approx(30)
    beside = cut(cue(1, 2), cue(2.1, 3, "[noise]"), cue(4, 3))  # not speech: still not ours
    assert beside[0].end_s == pytest.approx(2.05)


def test_overlaps():
    touching = cut(cue(0, 1.06, "a", "x"), cue(1, 2, "b", "y"))
    assert texts(touching) == ["a", "b"]
    assert touching[0].end_s == pytest.approx(1.03) == touching[1].start_s
    at_once = cut(cue(0, 5, "a", "x"), cue(4, 6, "b", "y"), cue(7, 8, "c", "y"))
    assert problems(at_once) == ["cue_overlaps"] * 2 and texts(at_once) == ["c"]
    inside = cut(cue(0, 9, "a", "x"), cue(1, 2, "mh", "y"), cue(3, 4, "ah", "z"))
    assert problems(inside) == ["cue_overlaps"] * 3
    same_voice = [cue(i, i + 1.6, f"w{i}") for i in range(12)]
    assert texts(cut(*same_voice)) == [" ".join(f"w{i}" for i in range(12))]
    endless = [cue(i, i + 1.6, f"w{i}") for i in range(40)]
    assert problems(cut(*endless)) == ["cue_too_long"] * 40


def test_every_cue_that_is_not_used_is_named():
    bad = [
        cue(2, 1, "backwards"),
        cue(3, 3, "point"),
        cue(4, 5, "♪ la la ♪"),
        cue(6, 7, "[Musik] (Applaus)"),
        cue(8, 9, "..."),
        cue(8, 9, ""),
        cue(10, 45, "endless"),
        cue(50, 51, "hello"),
        cue(50, 51, "Hello!"),
        cue(99, 101.5, "over the end"),
        cue(200, 201, "far behind"),
    ]
    found = cut(*bad, duration_s=100)
    assert texts(found) == ["hello"]
    assert Counter(problems(found)) == {
        "cue_ends_before_start": 2,
        "cue_too_long": 1,
        "cue_past_end": 2,
        "cue_not_speech": 1,
        "cue_empty": 1,
        "cue_repeated": 1,
    }
    said = {piece.problem: piece for piece in found}
    assert said["cue_not_speech"].params["n"] == 2 and said["cue_empty"].params["n"] == 2
    assert said["cue_too_long"].name == "a.wav 0:00:10.0–0:00:45.0"
    for piece in found:
        for lang in ("en", "zh"):
            finding = Finding(
                piece.problem or "cue_empty", piece.name, True, 1, {"n": 1} | piece.params
            )
            assert piece.name in finding_sentence(finding, lang)


def test_words_that_only_stand_beside_a_mark_stay():
    assert texts(cut(cue(0, 1, "(laughs) no"), cue(1, 2, "I [cough] see"))) == [
        "(laughs) no I [cough] see"
    ]


def test_times_as_a_player_shows_them():
    assert [clock(s) for s in (0, 65.04, 3599.96, 36000.5)] == [
        "0:00:00.0",
        "0:01:05.0",
        "1:00:00.0",
        "10:00:00.5",
    ]


def test_overlaps_against_every_pair():
    """The two sweeps find what comparing every cue with every other finds."""
    rng = random.Random(4)
    for _ in range(100):
        cues = [
            cue(start := rng.randrange(40), start + rng.randint(1, 9), f"w{i}", rng.choice("xyz"))
            for i in range(10)
        ]
        found = Counter(p.name for p in cut(*cues) if p.problem == "cue_overlaps")
        expected = Counter(
            f"a.wav {clock(one.start_s)}–{clock(one.end_s)}"
            for one in cues
            if any(
                one.speaker != other.speaker
                and max(one.start_s, other.start_s) < min(one.end_s, other.end_s)
                for other in cues
            )
        )
        assert found == expected


def test_many_cues_take_seconds():
    began_s = time.process_time()
    cues = [cue(0.1 * i, 0.1 * i + 0.09, f"w{i}") for i in range(10_000)]
    at_once = [cue(0, 900, f"w{i}", str(i)) for i in range(10_000)]
    glued = [cue(0, 900, f"w{i}") for i in range(10_000)]
    assert len(texts(cut(*cues, duration_s=1e4))) > 60
    assert len(problems(cut(*at_once))) == len(problems(cut(*glued))) == 10_000
    assert time.process_time() - began_s < 5
