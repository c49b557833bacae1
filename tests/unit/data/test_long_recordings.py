"""What lasts too long for a clip is kept with its text, listed, and goes when it was cut."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.sounds import encode, speech, write
from tests.unit.data.test_prepare import good, words
from whisper_tuner.data import long_recordings
from whisper_tuner.data.add import add
from whisper_tuner.data.clips import COMMON_VOICE, Candidate, read_clips, read_report
from whisper_tuner.data.fixes import can_undo, fix, undo
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.data.prepare import prepare
from whisper_tuner.data.summary import groups
from whisper_tuner.errors import InputError


def long_one(folder: Path, name: str, seconds: float, **about: object) -> Candidate:
    path = write(folder / name, speech(seconds, seed=int(seconds)))
    text = about.pop("text", f"The sentence of {name}.")
    return Candidate(name, path, text, **about)


def cut_of(folder: Path, recording: str, n: int, **about: object) -> list[Candidate]:
    """Clips as an alignment gives them."""
    return [
        Candidate(
            f"{recording} {i}",
            write(folder / "cut" / f"{recording}{i}.wav", speech(3, seed=500 + i)),
            f"Part {i} of {recording}",
            recording=recording,
            **about,
        )
        for i in range(n)
    ]


def test_sound_text_speaker_and_row_are_kept_and_the_file_is_refused(tmp_path):
    mp3 = encode(tmp_path / "c.mp3", speech(35, seed=3, rate=48_000), "mp3", "mp3")
    novel = "Many words.\nAnd more \u200ewords. " * 200  # more tokens than a clip may have
    source = [
        *good(tmp_path, 6),
        long_one(tmp_path, "a.wav", 45, speaker="Anna", row=7, split="test"),
        Candidate("b.mp3", mp3, novel),
        long_one(tmp_path, "short.wav", 4, text=novel),
    ]
    report = prepare(source, tmp_path / "dataset", words)
    a, b = read_long(tmp_path / "dataset")
    assert (a.name, a.speaker, a.row, a.split, a.duration_s) == ("a.wav", "Anna", 7, "test", 45.0)
    assert b.text.startswith("Many words.\nAnd more words. Many") and b.duration_s > 34.9
    for clip in (a, b):
        info = soundfile.info(tmp_path / "dataset" / clip.audio)
        assert (info.samplerate, info.channels, info.format) == (16_000, 1, "FLAC")
    refused = {f.clip: f.code for f in report.findings if f.refused}
    assert refused == {
        "a.wav": "recording_long",
        "b.mp3": "recording_long",
        "short.wav": "transcript_too_long",
    }
    assert (report.n_found, report.n_clips) == (9, 6)
    (group,) = (g for g in groups(report) if g.code == "recording_long")
    assert (group.fix, len(group.findings)) == ("cut", 2)
    with pytest.raises(InputError, match="align --long"):
        fix(tmp_path / "dataset", "recording_long", words)


def test_common_voice_is_not_kept(tmp_path):
    foreign = replace(long_one(tmp_path, "a.wav", 45), source=COMMON_VOICE)
    wordy = replace(long_one(tmp_path, "b.wav", 45, text="word " * 449), source=COMMON_VOICE)
    report = prepare([*good(tmp_path, 4), foreign, wordy], tmp_path / "dataset", words)
    assert [f.code for f in report.findings] == ["audio_too_long", "transcript_too_long"]
    assert read_long(tmp_path / "dataset") == []
    assert not (tmp_path / "dataset" / "long").exists()


def test_without_room_it_is_said_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(long_recordings, "MAX_KEPT_S", 100.0)
    source = [long_one(tmp_path, f"{n}.wav", n) for n in (60, 50, 38)]
    report = prepare([*good(tmp_path, 4), *source], tmp_path / "dataset", words)
    told = {f.clip: f.code for f in report.findings}
    assert told == {
        "60.wav": "recording_long",
        "50.wav": "recording_long_no_room",
        "38.wav": "recording_long",
    }
    assert len(list((tmp_path / "dataset" / "long").iterdir())) == 2
    bytes_of_40_s = 40 * 16_000 * 2
    report = prepare(source, tmp_path / "other", words, room=lambda: bytes_of_40_s)
    assert [clip.name for clip in read_long(tmp_path / "other")] == ["38.wav"]


def test_a_header_that_says_less_than_there_is_does_not_fill_the_disk(tmp_path):
    adts = encode(tmp_path / "a.aac", speech(60, seed=3, rate=48_000), "aac", "adts")
    room = 35 * 16_000 * 2
    report = prepare(
        [Candidate("a.aac", adts, "x")], tmp_path / "dataset", words, room=lambda: room
    )
    assert report.findings[0].code == "recording_long_no_room"
    assert read_long(tmp_path / "dataset") == []


def test_more_recordings_and_fixes_leave_them_where_they_are(tmp_path):
    dataset = tmp_path / "dataset"
    marked = long_one(tmp_path, "marked.wav", 3, text="Say <i>one</i>.")
    a = long_one(tmp_path, "a.wav", 45)
    prepare([*good(tmp_path, 4), marked, a], dataset, words)
    (first,) = read_long(dataset)
    inode = (dataset / first.audio).stat().st_ino
    add([long_one(tmp_path, "b.wav", 40), long_one(tmp_path, "a.wav", 41)], dataset, words)
    assert [clip.name for clip in read_long(dataset)] == ["a.wav", "b.wav", "a.wav (2)"]
    fix(dataset, "transcript_markup", words)
    assert len(read_long(dataset)) == 3 and (dataset / first.audio).stat().st_ino == inode


def test_clips_take_its_place_and_a_person_can_take_that_back(tmp_path):
    dataset = tmp_path / "dataset"
    source = [long_one(tmp_path, "a.wav", 45), long_one(tmp_path, "b.wav", 40)]
    before = prepare([*good(tmp_path, 10), *source], dataset, words)
    new = [*cut_of(tmp_path, "a.wav", 5, speaker="Anna")]
    report = add(new, dataset, words, cut=["a.wav", "b.wav"])
    assert [clip.name for clip in read_long(dataset)] == ["b.wav"]
    assert len(list((dataset / "long").iterdir())) == 1
    found = {f.clip: (f.code, f.refused) for f in report.findings if f.clip in ("a.wav", "b.wav")}
    assert found == {"a.wav": ("recording_cut", False), "b.wav": ("recording_long", True)}
    (told,) = (f for f in report.findings if f.code == "recording_cut")
    assert told.params == {"n": 5}
    assert report.n_found == before.n_found - 1 + 5
    assert {clip.speaker for clip in read_clips(dataset) if clip.recording} == {"Anna"}
    assert can_undo(dataset) and undo(dataset) == before
    assert [clip.name for clip in read_long(dataset)] == ["a.wav", "b.wav"]
    assert all((dataset / clip.audio).exists() for clip in read_long(dataset))


def test_a_dataset_of_long_ones_only_is_divided_when_they_are_cut(tmp_path):
    dataset = tmp_path / "dataset"
    one = Candidate("one.wav", write(tmp_path / "one.wav", speech(2)), "Only one.", split="test")
    report = prepare([one, long_one(tmp_path, "a.wav", 45)], dataset, words)
    assert (report.n_train, report.n_test) == (1, 0)
    assert [f.code for f in report.findings] == ["recording_long", "too_few_clips"]
    report = add(cut_of(tmp_path, "a.wav", 9), dataset, words, cut=["a.wav"])
    assert report.n_train >= 7 and report.n_test >= 1 and report.n_clips == 10
    codes = {f.code for f in report.findings}
    assert "recording_cut" in codes and not {"too_few_clips", "no_usable_clips"} & codes
    assert {p.name for p in (dataset / "clips").iterdir()} == {
        Path(clip.audio).name for clip in read_clips(dataset)
    }
    assert read_report(dataset) == report


def test_what_cannot_be_decoded_to_its_end_is_refused(tmp_path):
    samples = np.append(speech(40), np.float32(np.nan))
    path = write(tmp_path / "nan.wav")
    soundfile.write(path, samples, 16_000, subtype="FLOAT")
    n_open = len(list(Path("/proc/self/fd").iterdir()))
    report = prepare([Candidate("nan.wav", path, "x")], tmp_path / "dataset", words)
    assert report.findings[0].code == "audio_not_finite" and report.findings[0].refused
    assert len(list(Path("/proc/self/fd").iterdir())) == n_open
