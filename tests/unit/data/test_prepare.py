"""Candidates become a dataset folder; whatever is wrong with one is a finding with its name."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import encode, speech, write
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data import upload
from whisper_tuner.data.checking import clean_text
from whisper_tuner.data.clips import Candidate, Finding, read_clips, read_report
from whisper_tuner.data.prepare import prepare
from whisper_tuner.errors import InputError


def words(text: str) -> int:
    """Stands in for the tokenizer: one token a word."""
    return len(text.split())


def good(folder: Path, n: int) -> Iterator[Candidate]:
    for i in range(n):
        path = write(folder / f"good_{i}.wav", speech(1 + i / 10, seed=i))
        yield Candidate(path.name, path, f"Sentence number {i}", speaker="me", row=i + 2)


def findings_of(tmp_path: Path, *candidates: Candidate) -> list[Finding]:
    found = [*good(tmp_path, 2), *candidates]
    return prepare(found, tmp_path / "dataset", words).findings


def test_a_dataset_as_the_worker_reads_it(tmp_path: Path) -> None:
    done: list[int] = []
    report = prepare(good(tmp_path, 10), tmp_path / "dataset", words, on_progress=done.append)
    assert (report.n_found, report.n_train, report.n_test, report.findings) == (10, 8, 2, [])
    assert report.train_s + report.test_s == pytest.approx(14.5)
    assert read_report(tmp_path / "dataset") == report
    clips = read_clips(tmp_path / "dataset")
    assert [clip.id for clip in clips] == [f"{i:06d}" for i in range(1, 11)]
    assert clips[3].audio == "clips/000004.flac" and clips[3].name == "good_3.wav"
    assert (clips[3].text, clips[3].n_tokens, clips[3].speaker) == ("Sentence number 3", 3, "me")
    for clip in clips:
        samples = read_flac(tmp_path / "dataset" / clip.audio)
        assert len(samples) / SAMPLE_RATE == pytest.approx(clip.duration_s, abs=1e-3)
    assert len(read_clips(tmp_path / "dataset", "test")) == 2
    assert done == list(range(1, 11))


def test_the_same_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        prepare(good(tmp_path, 6), tmp_path / name, words, seed=7)
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*.*"))
    assert len(files) == 9
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_every_kind_of_refusal(tmp_path: Path) -> None:
    ok = write(tmp_path / "ok.wav", speech(2, seed=99))
    (tmp_path / "zero.wav").touch()
    (tmp_path / "junk.wav").write_bytes(b"junk" * 500)
    long = write(tmp_path / "long.wav", speech(31, seed=98))
    silent = write(tmp_path / "silent.wav", np.zeros(16_000))
    refused = {
        "audio_missing": Candidate("gone.wav", None, "x", row=7),
        "transcript_missing": Candidate("alone.wav", ok, None),
        "transcript_empty": Candidate("dots.wav", ok, " … !?\n"),
        "transcript_only_markup": Candidate("noise.wav", ok, "[noise] <unk>"),
        "transcript_too_long": Candidate("novel.wav", ok, "word " * 449),
        "audio_empty": Candidate("zero.wav", tmp_path / "zero.wav", "x"),
        "audio_undecodable": Candidate("junk.wav", tmp_path / "junk.wav", "x"),
        "recording_long": Candidate("long.wav", long, "x"),
        "audio_silent": Candidate("silent.wav", silent, "x"),
        "two_rows": Candidate("twice.wav", None, "x", row=9, problem="two_rows"),
    }
    found = findings_of(tmp_path, *refused.values())
    assert [f.code for f in found] == list(refused)
    assert all(f.refused for f in found)
    assert [f.clip for f in found] == [c.name for c in refused.values()]
    assert found[0].row == 7 and found[4].params == {"n_tokens": 449, "limit": 448}
    assert found[7].params == {"seconds": 31.0, "limit": 30}
    assert read_report(tmp_path / "dataset").n_found == 2 + len(refused)


def test_448_tokens_fit(tmp_path: Path) -> None:
    audio = write(tmp_path / "ok.wav", speech(20, seed=99))
    found = findings_of(tmp_path, Candidate("ok.wav", audio, "word " * 448))
    assert [f.code for f in found] == ["speech_rate_odd"]


def test_warnings_do_not_refuse(tmp_path: Path) -> None:
    def candidate(name: str, samples: np.ndarray, text: str) -> Candidate:
        return Candidate(name, write(tmp_path / name, samples), text, row=5)

    found = findings_of(
        tmp_path,
        candidate("loud.wav", np.clip(speech(1, 9) * 20, -1, 1), "much too loud"),
        candidate("short.wav", speech(0.3, 8), "hm"),
        candidate("fast.wav", speech(1, 7), "one two three four five six seven eight nine"),
        candidate("copy.wav", speech(1, 0), "the same sound"),
    )
    expected = [
        ("audio_clipped", "loud.wav"),
        ("audio_very_short", "short.wav"),
        ("speech_rate_odd", "fast.wav"),
        ("copies_disagree", "copy.wav"),
    ]
    assert [(f.code, f.clip) for f in found] == expected
    assert not any(f.refused for f in found) and {f.row for f in found} == {5}
    texts = {"text": "the same sound", "other": "Sentence number 0"}
    assert found[3].params == {"original": "good_0.wav", **texts}
    assert read_report(tmp_path / "dataset").n_clips == 6


def test_invisible_characters_are_counted_when_they_go(tmp_path: Path) -> None:
    audio = write(tmp_path / "ok.wav", speech(2, seed=99))
    (found,) = findings_of(tmp_path, Candidate("ok.wav", audio, "\ufeffone\u200b two\u200b", row=5))
    assert (found.code, found.refused, found.row) == ("characters_removed", False, 5)
    assert found.params == {"n": 3, "found": "U+200B, U+FEFF"}
    assert findings_of(tmp_path, Candidate("ok.wav", audio, "tab\tand\nline")) == []


def test_notes_are_not_clips(tmp_path: Path) -> None:
    note = Candidate("readme.md", None, None, problem="file_ignored")
    assert findings_of(tmp_path, note) == [Finding("file_ignored", "readme.md", refused=False)]
    assert read_report(tmp_path / "dataset").n_found == 2


def test_a_leak_in_the_given_split_loses_its_file(tmp_path: Path) -> None:
    texts = [("One", "train"), ("one!", "test"), ("two", "train"), ("three", "test")]
    found = [
        Candidate(f"{i}.wav", write(tmp_path / f"{i}.wav", speech(1, i)), text, split)
        for i, (text, split) in enumerate(texts)
    ]
    report = prepare(found, tmp_path / "dataset", words)
    assert [f.code for f in report.findings] == ["sentence_in_both_splits"]
    assert (report.n_train, report.n_test) == (1, 2)
    kept = sorted(p.name for p in (tmp_path / "dataset/clips").iterdir())
    assert kept == ["000002.flac", "000003.flac", "000004.flac"]


def test_nothing_usable_still_reports(tmp_path: Path) -> None:
    report = prepare([Candidate("gone.wav", None, "x")], tmp_path / "dataset", words)
    assert (report.n_found, report.n_clips) == (1, 0)
    assert [f.code for f in report.findings] == ["audio_missing", "no_usable_clips"]
    assert report.findings[-1] == Finding("no_usable_clips", "", False, None, {"n_found": 1})
    assert read_clips(tmp_path / "dataset") == [] and read_report(tmp_path / "dataset") == report


def test_one_sentence_is_too_few(tmp_path: Path) -> None:
    report = prepare(good(tmp_path, 1), tmp_path / "dataset", words)
    assert report.findings == [Finding("too_few_clips", "", False, None, {"n_sentences": 1})]
    assert report.n_clips == 0 and not list((tmp_path / "dataset/clips").iterdir())


def test_preparing_again_replaces(tmp_path: Path) -> None:
    prepare(good(tmp_path, 5), tmp_path / "run/dataset", words)
    prepare(good(tmp_path, 3), tmp_path / "run/dataset", words)
    assert len(list((tmp_path / "run/dataset/clips").iterdir())) == 3
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["dataset"]


def test_a_failure_leaves_the_older_dataset(tmp_path: Path) -> None:
    def breaking() -> Iterator[Candidate]:
        yield from good(tmp_path, 2)
        raise InputError("archive_damaged", file="x.zip")

    before = prepare(good(tmp_path, 5), tmp_path / "run/dataset", words)
    with pytest.raises(InputError):
        prepare(breaking(), tmp_path / "run/dataset", words)
    assert read_report(tmp_path / "run/dataset") == before
    assert [p.name for p in (tmp_path / "run").iterdir()] == ["dataset"]


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        ("  two\n\tlines \u00a0 here ", "two lines here"),
        ("e\u0301te\u0301", "été"),
        ("a\u202eb\u2069c\u200ed", "abcd"),
        ("nul\x00 bell\x07", "nul bell"),
        ("\ufeffstart", "start"),
        ("می\u200cخواهم", "می\u200cخواهم"),
        ("क\u094d\u200dष", "क\u094d\u200dष"),
        ("“Quotes”, dots… & NA", "“Quotes”, dots… & NA"),
    ],
)
def test_clean_text(given: str, clean: str) -> None:
    assert clean_text(given) == clean


def test_a_whole_upload(tmp_path: Path) -> None:
    source = tmp_path / "clips"
    source.mkdir()
    rows = ["file_name;transcription;speaker"]
    for i, (suffix, codec, kind) in enumerate(
        [("m4a", "aac", "ipod"), ("webm", "libopus", "webm"), ("mp4", "aac", "mp4")]
    ):
        encode(source / f"rec_{i}.{suffix}", speech(2, i, 48_000), codec, kind)
        rows.append(f"rec_{i};Satz Nummer {i};S{i}")
    (source / "liste.csv").write_text("\n".join(rows), encoding="utf-16")
    report = prepare(upload.candidates([source]), tmp_path / "dataset", words)
    assert (report.n_train, report.n_test, report.findings) == (2, 1, [])
    assert [clip.speaker for clip in read_clips(tmp_path / "dataset")] == ["S0", "S1", "S2"]
    assert json.loads((tmp_path / "dataset/report.json").read_text())["n_found"] == 3


def test_two_recordings_of_one_name_are_told_apart(tmp_path: Path) -> None:
    named = [
        Candidate(
            "audio.wav", write(tmp_path / f"{i}.wav", speech(1 + i / 10, seed=i)), f"Text {i}"
        )
        for i in range(3)
    ]
    prepare(named, tmp_path / "dataset", words)
    names = [clip.name for clip in read_clips(tmp_path / "dataset")]
    assert names == ["audio.wav", "audio.wav (2)", "audio.wav (3)"]


def test_a_clip_hardly_too_long_loses_the_silence_at_its_ends(tmp_path: Path) -> None:
    quiet = np.zeros(12_800, np.float32)  # 0.8 s
    behind = write(tmp_path / "behind.wav", np.concatenate([speech(29.8, seed=97), quiet]))
    before = write(tmp_path / "before.wav", np.concatenate([quiet, speech(29.8, seed=96)]))
    full = write(tmp_path / "full.wav", speech(30.6, seed=95))
    found = findings_of(
        tmp_path,
        Candidate("behind.wav", behind, "one"),
        Candidate("before.wav", before, "two"),
        Candidate("full.wav", full, "three"),
    )
    told = {f.clip: (f.code, f.refused) for f in found if f.code != "speech_rate_slow"}
    assert told == {
        "behind.wav": ("ends_trimmed", False),
        "before.wav": ("ends_trimmed", False),
        "full.wav": ("recording_long", True),
    }
    assert {f.params["seconds"] for f in found if f.code == "ends_trimmed"} == {0.6}
    clips = {clip.name: clip for clip in read_clips(tmp_path / "dataset")}
    assert clips["behind.wav"].duration_s == clips["before.wav"].duration_s == 30.0
