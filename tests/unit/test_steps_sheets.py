"""From sentences to a run: recorded, used or added to, taken away as a ZIP and read again."""

import csv
import io
import json
import zipfile
from pathlib import Path

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.narrate import finding_sentence
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.sheets import Script, Sheet

HOSTILE = '=HYPERLINK("http://x") <b>uno</b>'
TEXT = f"Menu principale, scelga una voce.\n{HOSTILE}\nPrema il tasto uno.\nMai registrata.\n"
VOICES = ("vm-rec-name", "conf-invalidpin", "vm-repeat")


@pytest.fixture
def sheet(hub_cache, tmp_path) -> Sheet:
    """Three of four sentences are recorded."""
    script = Script((), "it", '=cmd|"/c calc"!A1', "me", 1.0)
    sheet = steps.begin_sheet(tmp_path / "runs", TEXT, script)
    for n, name in enumerate(VOICES, start=1):
        steps.record(sheet, n, steps.EXAMPLE_DIR / "clips" / f"{name}.flac")
    return sheet


def test_what_was_recorded_becomes_a_dataset_and_the_rest_is_said(sheet, tmp_path):
    run = Run.create(tmp_path / "runs")
    report = steps.prepare_sheet(run, sheet)
    clips = read_clips(run.dataset_dir)
    assert [clip.text for clip in clips] == list(sheet.read_script().sentences[:3])
    assert {clip.speaker for clip in clips} == {'=cmd|"/c calc"!A1'}
    assert report.n_test == 1 and report.n_found == 3
    told = [finding_sentence(f) for f in report.findings if f.code == "sentences_not_read"]
    assert len(told) == 1 and "1 of the 4" in told[0]
    steps.delete_sheet(sheet)
    assert all((run.dataset_dir / clip.audio).exists() for clip in clips)


def test_a_take_again_replaces_the_first_and_a_refused_one_does_not(sheet, tmp_path):
    before = sheet.take_path(1).read_bytes()
    broken = tmp_path / "broken.wav"
    broken.write_bytes(b"RIFF no sound")
    with pytest.raises(InputError):
        steps.record(sheet, 1, broken)
    assert sheet.take_path(1).read_bytes() == before
    steps.record(sheet, 1, steps.EXAMPLE_DIR / "clips" / "vm-torerecord.flac")
    assert sheet.take_path(1).read_bytes() != before and sorted(steps.takes_of(sheet)) == [1, 2, 3]


@pytest.mark.parametrize("n", [0, -1, 5, 10**6])
def test_sentences_that_are_not_there_take_nothing(sheet, n):
    with pytest.raises(InputError) as caught:
        steps.record(sheet, n, steps.EXAMPLE_DIR / "clips" / "vm-repeat.flac")
    assert caught.value.code == "sheet_no_sentence" and sheet.recorded() == [1, 2, 3]


def test_recordings_go_beside_those_of_a_run(sheet, prepared):
    n_before = len(read_clips(prepared.dataset_dir))
    steps.add_sheet(prepared, sheet)
    again = steps.add_sheet(prepared, sheet)
    assert len(read_clips(prepared.dataset_dir)) == n_before + 3
    assert [f.code for f in again.findings].count("clip_already_there") == 3


def test_the_zip_is_read_again_with_the_very_same_sentences(sheet, tmp_path, capsys, monkeypatch):
    exported = steps.export_sheet(sheet)
    assert exported.n_clips == 3 and exported.path.parent == sheet.dir
    with zipfile.ZipFile(exported.path) as archive:
        rows = list(csv.DictReader(io.StringIO(archive.read("metadata.csv").decode())))
    assert [row["file_name"] for row in rows] == [f"takes/{n:04d}.flac" for n in (1, 2, 3)]
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    assert cli.main(["prepare", str(exported.path), "--json"]) == 0
    run = Run.open(tmp_path / "runs", json.loads(capsys.readouterr().out)["run"])
    texts = {clip.name.rpartition("/")[2]: clip.text for clip in read_clips(run.dataset_dir)}
    assert list(texts.values()) == list(sheet.read_script().sentences[:3])
    assert HOSTILE in texts.values()
    assert {clip.speaker for clip in read_clips(run.dataset_dir)} == {'=cmd|"/c calc"!A1'}


def test_nothing_recorded_is_nothing_to_use(hub_cache, tmp_path):
    sheet = steps.begin_sheet(tmp_path, "Uno.\nDue.", Script(()))
    run = Run.create(tmp_path)
    for call in (lambda: steps.prepare_sheet(run, sheet), lambda: steps.export_sheet(sheet)):
        with pytest.raises(InputError) as caught:
            call()
        assert caught.value.code == "sheet_nothing_recorded"
    with pytest.raises(InputError) as caught:
        steps.begin_sheet(tmp_path, " \n…\n", Script(()))
    assert caught.value.code == "sentences_none"


def test_what_is_too_long_for_whisper_is_counted_by_its_own_tokens(hub_cache):
    found = steps.check_sentences("\n".join(["ઞ" * 200, "Uno due."]))
    assert [f.code for f in found.findings] == ["sentence_too_many_tokens"]
    assert found.sentences == ["Uno due."]


def test_a_deleted_sheet_says_what_went(sheet):
    deleted = steps.delete_sheet(sheet)
    assert deleted.n_takes == 3 and deleted.megabytes > 0.05
    with pytest.raises(RunError):
        steps.record(sheet, 1, steps.EXAMPLE_DIR / "clips" / "vm-repeat.flac")


def test_a_run_that_was_started_takes_no_more(sheet, prepared, tiny_config):
    Path(prepared.spec_path).write_text("{}")
    for call in (steps.prepare_sheet, steps.add_sheet):
        with pytest.raises(RunError):
            call(prepared, sheet)
