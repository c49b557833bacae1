"""Recordings are added to a dataset that is there: what is there stays, what is new is checked."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import speech, write
from tests.unit.data.test_prepare import good, words
from whisper_tuner import steps
from whisper_tuner.audio import read_flac
from whisper_tuner.data import sounds
from whisper_tuner.data.add import add
from whisper_tuner.data.clips import Candidate, read_clips, read_report
from whisper_tuner.data.prepare import prepare
from whisper_tuner.errors import InputError


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    prepare(good(tmp_path, 10), tmp_path / "dataset", words)
    return tmp_path / "dataset"


def fresh(folder: Path, n: int, name: str = "new"):
    (folder / "more").mkdir(exist_ok=True)
    for i in range(n):
        path = write(folder / "more" / f"{name}_{i}.wav", speech(1 + i / 10, seed=100 + i))
        yield Candidate(path.name, path, f"Fresh sentence {i}", row=i + 2)


def test_old_clips_stay_and_new_ones_get_ids_of_their_own(dataset, tmp_path):
    before, first = read_clips(dataset), read_report(dataset)
    inodes = {clip.id: (dataset / clip.audio).stat().st_ino for clip in before}
    done = []
    report = add(fresh(tmp_path, 10), dataset, words, on_progress=done.append)
    clips = read_clips(dataset)
    assert clips[:10] == before
    assert len({clip.id for clip in clips}) == 20
    assert all((dataset / c.audio).stat().st_ino == inodes[c.id] for c in before)  # not copied
    assert (report.n_found, report.n_train, report.n_test) == (20, 16, 4)
    assert report.train_s + report.test_s == pytest.approx(2 * (first.train_s + first.test_s))
    assert report.findings == [] and read_report(dataset) == report
    assert done == list(range(1, 11))
    assert {p.name for p in (dataset / "clips").iterdir()} == {Path(c.audio).name for c in clips}
    assert len(read_flac(dataset / clips[-1].audio)) == round(16_000 * clips[-1].duration_s)
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_the_same_upload_again_adds_nothing_and_says_so(dataset, tmp_path):
    report = add(good(tmp_path, 10), dataset, words)
    assert len(read_clips(dataset)) == 10 and len(list((dataset / "clips").iterdir())) == 10
    *twice, last = report.findings
    assert [(f.code, f.clip, f.refused) for f in twice] == [
        ("clip_already_there", f"good_{i}.wav (2)", True) for i in range(10)
    ]
    assert twice[3].params == {"original": "good_3.wav"}
    assert (last.code, last.params) == ("nothing_added", {"n_found": 10})
    report = add(fresh(tmp_path, 5), dataset, words)
    assert [f.code for f in report.findings] == ["clip_already_there"] * 10
    assert report.n_clips == 15


def test_the_same_sound_with_other_words_is_told_and_keeps_its_side(dataset, tmp_path):
    sides = {clip.name: clip.split for clip in read_clips(dataset)}
    again = [
        Candidate(f"again_{i}.wav", tmp_path / f"good_{i}.wav", f"Corrected words {i}", row=i)
        for i in range(10)
    ]
    report = add(again, dataset, words)
    assert [(f.code, f.clip, f.refused) for f in report.findings] == [
        ("copies_disagree", f"again_{i}.wav", False) for i in range(10)
    ]
    for clip in read_clips(dataset)[10:]:
        assert clip.split == sides[clip.name.replace("again", "good")]


def test_a_near_copy_goes_where_the_old_recording_is(tmp_path):
    voices = [read_flac(path) for path in sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"))]
    voices = [samples for samples in voices if len(samples) > 24_000][:30]
    old = [
        Candidate(f"{i}.wav", write(tmp_path / f"{i}.wav", samples), f"Frase {i}")
        for i, samples in enumerate(voices)
    ]
    prepare(old, tmp_path / "dataset", words)
    sides = {clip.name: clip.split for clip in read_clips(tmp_path / "dataset")}
    copied = [
        Candidate(f"n{i}.wav", write(tmp_path / f"n{i}.wav", samples[2000:] * 0.5), f"Altra {i}")
        for i, samples in enumerate(voices)
    ]
    report = add(copied, tmp_path / "dataset", words)
    assert [f.code for f in report.findings] == ["copies_disagree"] * 30
    for clip in read_clips(tmp_path / "dataset")[30:]:
        assert clip.split == sides[clip.name[1:]]
    assert set(sides.values()) == {"train", "test"}


def test_old_clips_are_not_heard_again(dataset, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(sounds, "read_flac", lambda path: read.append(path) or read_flac(path))
    one, two = (Candidate(f"{n}.wav", tmp_path / "good_3.wav", f"Words {n}") for n in (1, 2))
    add([one], dataset, words)
    assert read == []
    (dataset / sounds.SOUNDS_NAME).unlink()  # an older dataset
    report = add([two], dataset, words)
    assert len(read) == 11
    assert [f.code for f in report.findings] == ["copies_disagree"] * 2


def test_refused_ones_are_named_beside_what_was_found_before(tmp_path):
    silent = write(tmp_path / "silent.wav", np.zeros(16_000))
    bad = Candidate("silent.wav", silent, "x", row=9)
    prepare([*good(tmp_path, 4), bad], tmp_path / "dataset", words)
    gone = Candidate("gone.wav", None, "x", row=3)
    note = Candidate("notes.docx", None, None, problem="file_ignored")
    report = add([*fresh(tmp_path, 2), bad, gone, note], tmp_path / "dataset", words)
    assert [(f.code, f.clip) for f in report.findings] == [
        ("audio_silent", "silent.wav"),
        ("audio_silent", "silent.wav (2)"),
        ("audio_missing", "gone.wav"),
        ("file_ignored", "notes.docx"),
    ]
    assert (report.n_found, report.n_clips) == (9, 6)


def test_a_source_that_cannot_be_read_changes_nothing(dataset, tmp_path):
    def broken():
        yield from fresh(tmp_path, 1)
        raise InputError("upload_empty")

    files = {path: path.read_bytes() for path in dataset.rglob("*.*")}
    with pytest.raises(InputError):
        add(broken(), dataset, words)
    assert {path: path.read_bytes() for path in dataset.rglob("*.*")} == files
    assert {path.name for path in tmp_path.iterdir() if path.name.startswith(".")} == set()


def test_a_dataset_that_shares_its_files_is_left_alone(dataset, tmp_path):
    """The clips of a run are hard links of another run's."""
    other = tmp_path / "other"
    (other / "clips").mkdir(parents=True)
    for path in dataset.rglob("*.*"):
        os.link(path, other / path.relative_to(dataset))
    files = {path: path.read_bytes() for path in dataset.rglob("*.*")}
    add(fresh(tmp_path, 3), other, words)
    assert {path: path.read_bytes() for path in dataset.rglob("*.*")} == files
    assert len(read_clips(other)) == 13


def test_new_recordings_of_one_name_are_told_apart(dataset, tmp_path):
    new = [replace(candidate, name="good_1.wav") for candidate in fresh(tmp_path, 3)]
    add(new, dataset, words)
    names = [clip.name for clip in read_clips(dataset)]
    assert len(set(names)) == len(names) and sum("good_1.wav" in name for name in names) == 4
