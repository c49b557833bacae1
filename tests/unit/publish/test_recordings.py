"""The recordings that leave: all but Common Voice's, in a table that no spreadsheet executes."""

import csv
import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.data import upload
from whisper_tuner.data.clips import COMMON_VOICE, read_clips, read_report, write_dataset
from whisper_tuner.errors import InputError
from whisper_tuner.publish.recordings import FORMULA_SIGNS, neutralise, tables, zip_recordings
from whisper_tuner.runs.folder import Run


@pytest.fixture
def recorded(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    run = Run.create(tmp_path / "runs")
    steps.prepare(run, [steps.EXAMPLE_DIR])
    return run


def change(run: Run, **changes) -> None:
    """The first three clips, changed."""
    clips = read_clips(run.dataset_dir)
    clips = [replace(clip, **changes) if i < 3 else clip for i, clip in enumerate(clips)]
    write_dataset(run.dataset_dir, clips, read_report(run.dataset_dir))


def test_what_leaves_can_be_uploaded_again_as_it_was(recorded, tmp_path):
    exported = zip_recordings(recorded)
    assert (exported.n_clips, exported.n_left_out) == (160, 0)
    assert exported.path.read_bytes() == zip_recordings(recorded).path.read_bytes()
    assert [path.name for path in exported.path.parent.iterdir()] == ["recordings.zip"]
    clips = read_clips(recorded.dataset_dir)
    again = {c.name.rpartition("/")[2]: c for c in upload.candidates([exported.path]) if c.audio}
    assert len(again) == 160
    for clip in clips:
        candidate = again[Path(clip.audio).name]
        assert (candidate.text, candidate.split) == (clip.text, clip.split)
    with zipfile.ZipFile(exported.path) as archive:
        sound = archive.read(clips[0].audio)
    assert sound == (recorded.dataset_dir / clips[0].audio).read_bytes()


def test_common_voice_never_leaves(recorded, tmp_path, capsys):
    change(recorded, source=COMMON_VOICE)
    target = tmp_path / "mine.zip"
    assert cli.main(["export-data", recorded.id, str(target)]) == 0
    assert "3 clips of Common Voice were left out" in capsys.readouterr().out
    with zipfile.ZipFile(target) as archive:
        names = archive.namelist()
        table = archive.read("metadata.csv").decode()
    forbidden = [clip for clip in read_clips(recorded.dataset_dir) if clip.source]
    assert len(forbidden) == 3 and len(names) == 158
    assert not any(clip.audio in names or clip.text in table for clip in forbidden)
    clips = [replace(c, source=COMMON_VOICE) for c in read_clips(recorded.dataset_dir)]
    write_dataset(recorded.dataset_dir, clips, read_report(recorded.dataset_dir))
    with pytest.raises(InputError, match="forbid"):
        zip_recordings(recorded)


@pytest.mark.parametrize("sign", FORMULA_SIGNS)
def test_no_cell_begins_as_a_formula(recorded, sign):
    clips = read_clips(recorded.dataset_dir)[:2]
    hostile = f'{sign}HYPERLINK("http://x","y")'
    files = tables([replace(clips[0], text=hostile, speaker=hostile, name=hostile), clips[1]])
    rows = list(csv.reader(io.StringIO(files["metadata.csv"].decode(), newline="")))
    assert not any(cell.startswith(FORMULA_SIGNS) for row in rows for cell in row)
    assert json.loads(files["transcripts.json"])[clips[0].audio]["text"] == hostile
    assert "transcripts.json" not in tables(clips)


def test_ordinary_cells_stay_as_they_are():
    assert [neutralise(cell) for cell in ("a-b", "", "1+1", "'x")] == ["a-b", "", "1+1", "'x"]
    assert neutralise("  =1") == "'  =1"


def test_nothing_to_take_away(tmp_path):
    with pytest.raises(InputError):
        zip_recordings(Run.create(tmp_path))
