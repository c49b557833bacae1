"""Recordings too long for a clip, as the page shows them before, while and after they are cut."""

import numpy as np
import pytest

from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.alignment.align import Piece
from whisper_tuner.audio import write_flac
from whisper_tuner.data.clips import read_clips, read_report
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.runs import quota
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui import views
from whisper_tuner.ui.app import PageView


@pytest.fixture
def run(tmp_path, monkeypatch, small_source) -> Run:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000 * 40).astype(np.float32)
    write_flac(tmp_path / "<talk>.flac", sound)
    (tmp_path / "<talk>.txt").write_text("Prima frase. Seconda frase.", encoding="utf-8")
    run = Run.create(tmp_path / "runs")
    steps.prepare(run, [small_source, tmp_path / "<talk>.flac", tmp_path / "<talk>.txt"])
    return run


@pytest.fixture
def aligned(run) -> Run:
    aligned = Run.create(run.dir.parent)
    (clip,) = read_long(run.dataset_dir)
    items = (task.Item(clip.name, clip.text),)
    asked = task.Task(items, "it", "openai/whisper-tiny", "32bit", run.id)
    task.create(aligned, asked, [run.dataset_dir / clip.audio], are_ours=True)
    return aligned


def rows(run: Run) -> list[list[str]]:
    report = read_report(run.dataset_dir)
    return views.clip_rows(read_clips(run.dataset_dir), report, "en")


def test_the_button_is_there_until_they_are_cut(run, aligned, whole_page: PageView, loops):
    data = whole_page.parts[0]

    def shown(id: str, spoken: str = "") -> tuple[str, bool, str]:
        updates = data.long.show("en", run, id, spoken, None)
        is_open = updates[data.long.room].visible and updates[data.long.how].visible
        return updates[data.long.told], is_open, updates[data.long.language].value

    told, is_open, language = shown("", "it")
    assert "Last more than 30 seconds: 1" in told and "&lt;talk&gt;.flac lasts 40.0" in told
    assert is_open and language == "it"
    assert rows(run)[0][3] == "refused"
    doctor = data.doctor.show("en", run, read_clips(run.dataset_dir), read_report(run.dataset_dir))
    assert "recording_long" not in doctor[data.doctor.codes]  # it has a place of its own

    assert not shown(aligned.id)[1]  # being aligned
    review.begin(aligned, [[Piece(10.0 * i, 10.0 * i + 9, f"Frase {i}.", 0.9) for i in range(3)]])
    standing = data.review.stand("en", aligned.id)
    assert standing[data.review.review].visible
    steps.use_cuts(aligned)
    standing = data.review.stand("en", aligned.id)
    assert not standing[data.review.review].visible
    assert "taken the place" in standing[data.review.told]
    assert data.long.show("en", run, aligned.id, "", None)[data.long.room].visible is False
    assert rows(run)[0][3:] == [
        "cut",
        "<talk>.flac was cut at its pauses; clips of it that are used: 3.",
    ]
    summary = views.data_summary(read_clips(run.dataset_dir), read_report(run.dataset_dir), "en")
    assert "13 of 13 clips" in summary and "talk" not in summary


def test_without_a_language_nothing_begins(run, whole_page: PageView, loops):
    data = whole_page.parts[0]
    updates = data.long.begin("en", "", "person", run.id, None, "openai/whisper-tiny")
    assert "Choose the language" in updates[data.review.told]
    updates = data.long.begin("en", "", "person", run.id, "xx", "openai/whisper-tiny")
    assert 'role="alert"' in updates[data.review.told]
    assert [path.name for path in run.dir.parent.glob("*/") if path.is_dir()] == [run.id]


def test_what_a_person_may_still_keep(run, monkeypatch):
    assert quota.room_bytes(run) == float("inf")
    monkeypatch.setenv(quota.VARIABLE, "0.01")
    assert quota.room_bytes(run) == float("inf")  # nobody's
    quota.claim(run, "anna")
    assert 0 < quota.room_bytes(run) < 10e6
    monkeypatch.setenv(quota.VARIABLE, "0.0001")
    assert quota.room_bytes(run) == 0
