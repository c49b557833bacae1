"""Which tier holds what is said is asked for when files are there, and only where it is unclear."""

import shutil
from pathlib import Path

import pytest

from tests.timed_files import eaf, srt
from whisper_tuner import steps
from whisper_tuner.data.cues import Cue
from whisper_tuner.ui.tier_corner import ask

CUES = [Cue(0.2, 1.5, "Buongiorno", 1, "Anna"), Cue(2.0, 3.5, "Buonasera", 2, "Ben")]


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    shutil.copy(steps.EXAMPLE_DIR / "clips" / "conf-muted.flac", tmp_path / "talk.flac")
    (tmp_path / "talk.eaf").write_text(eaf(CUES), encoding="utf-8")
    return [str(path) for path in sorted(tmp_path.iterdir())]


def asked(lang: str, files: list[str] | None) -> tuple[bool, list[tuple[str, str]]]:
    radio = ask(lang, files)
    assert radio.value is None  # nobody chose yet
    return radio.visible, radio.choices


def test_tiers_with_their_first_text(files):
    visible, choices = asked("en", files)
    assert visible and choices == [
        ("All 2 tiers of the kind “ut” (cues: 2)", "ut"),
        ("ut@Anna (cues: 1): “Buongiorno”", "ut@Anna"),
        ("ut@Ben (cues: 1): “Buonasera”", "ut@Ben"),
    ]
    assert "“Buonasera”" in asked("zh", files)[1][2][0]


def test_nothing_is_asked_without_need(files, tmp_path):
    assert asked("en", None) == asked("en", []) == (False, [])
    (tmp_path / "talk.eaf").write_text(eaf(CUES[:1]), encoding="utf-8")
    assert asked("en", files) == (False, [])
    (tmp_path / "talk.srt").write_text(srt(CUES), encoding="utf-8")
    assert asked("en", [files[1], str(tmp_path / "talk.srt")]) == (False, [])
    (tmp_path / "broken.zip").write_bytes(b"PK no archive")
    assert asked("en", [str(tmp_path / "broken.zip")]) == (False, [])
