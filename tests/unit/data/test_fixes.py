"""A fix changes what it says and nothing else, in one step, and can be taken back."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import write
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data.clips import Candidate, read_clips, read_report
from whisper_tuner.data.doctor import CODES
from whisper_tuner.data.fixes import FIXES, TEXT_FIXES, can_undo, fix, undo
from whisper_tuner.data.long_recordings import KEPT
from whisper_tuner.data.prepare import prepare
from whisper_tuner.data.split import sentence_key
from whisper_tuner.data.text_checks import add_stop, recase, remove_stop
from whisper_tuner.errors import InputError
from whisper_tuner.locales import sentences
from whisper_tuner.narrate import finding_sentence

VOICES = [read_flac(path) for path in sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"))]
VOICES = [samples for samples in VOICES if len(samples) > 1.3 * SAMPLE_RATE]


def words(text: str) -> int:
    return len(text.split())


def candidate(folder: Path, name: str, samples: np.ndarray, text: str) -> Candidate:
    return Candidate(name, write(folder / name, samples), text, row=7)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    pause = np.zeros(3 * SAMPLE_RATE, np.float32)
    found = [
        candidate(tmp_path, f"ok_{i}.flac", VOICES[i], f"La frase numero {chr(97 + i)}.")
        for i in range(20)
    ]
    found += [
        candidate(tmp_path, "copy.flac", VOICES[0], "La frase numero a."),
        candidate(tmp_path, "pause.flac", np.append(VOICES[21], pause), "Poi una pausa."),
        candidate(tmp_path, "tags.flac", VOICES[22], "<i>Un testo</i> [noise]."),
        candidate(tmp_path, "tagged_b.flac", VOICES[23], "<b>La frase numero b.</b>"),
        candidate(tmp_path, "loud.flac", VOICES[24], "SEMPRE PIÙ FORTE."),
        candidate(tmp_path, "open.flac", VOICES[25], "Questa è rimasta aperta"),
        candidate(tmp_path, "lost.flac", VOICES[26], "Perch\ufffd non va bene."),
    ]
    prepare(found, tmp_path / "run/dataset", words)
    return tmp_path / "run/dataset"


def text_of(dataset: Path, name: str) -> str:
    return next(clip.text for clip in read_clips(dataset) if clip.name == name)


def codes(dataset: Path) -> Counter:
    return Counter(finding.code for finding in read_report(dataset).findings)


def files(dataset: Path) -> dict:
    return {str(p.relative_to(dataset)): p.read_bytes() for p in dataset.rglob("*.*")}


def test_the_dataset_has_what_the_tests_are_about(dataset):
    assert codes(dataset) == {
        "audio_duplicate": 1,
        "audio_silent_ends": 1,
        "transcript_markup": 2,
        "casing_upper": 1,
        "punctuation_open": 1,
        "characters_lost": 1,
        "texts_repeat": 1,
    }


@pytest.mark.parametrize(
    ("code", "name", "after"),
    [
        ("transcript_markup", "tags.flac", "Un testo."),
        ("casing_upper", "loud.flac", "Sempre più forte."),
        ("punctuation_open", "open.flac", "Questa è rimasta aperta."),
    ],
)
def test_texts_are_put_right_and_said(dataset, code, name, after):
    before = text_of(dataset, name)
    sides = {clip.name: clip.split for clip in read_clips(dataset)}
    report = fix(dataset, code, words)
    assert text_of(dataset, name) == after
    assert code not in codes(dataset)
    told = next(change for change in report.changes if change.clip == name)
    assert told.code == "text_changed" and told.params == {"before": before, "after": after}
    assert read_report(dataset) == report
    kept = {clip.name: clip.split for clip in read_clips(dataset)}
    assert all(sides[name] == split for name, split in kept.items())
    assert [p.name for p in dataset.parent.iterdir() if p.name[0] == "."] == []


def test_what_is_left_out_is_listed_with_its_reason(dataset):
    n_before = read_report(dataset).n_clips
    report = fix(dataset, "characters_lost", words)
    assert report.n_clips == n_before - 1 and report.n_found == 27
    (gone,) = [finding for finding in report.findings if finding.code == "left_out"]
    assert (gone.clip, gone.refused, gone.row) == ("lost.flac", True, 7)
    assert "letters were lost" in finding_sentence(gone)
    clips = read_clips(dataset)
    assert {clip.audio for clip in clips} == {
        f"clips/{p.name}" for p in (dataset / "clips").iterdir()
    }


def test_silence_is_trimmed_without_touching_the_original(dataset):
    (clip,) = [clip for clip in read_clips(dataset) if clip.name == "pause.flac"]
    original = (dataset / clip.audio).read_bytes()
    before_s = sum(clip.duration_s for clip in read_clips(dataset))
    report = fix(dataset, "audio_silent_ends", words)
    (shorter,) = [clip for clip in read_clips(dataset) if clip.name == "pause.flac"]
    assert clip.duration_s - shorter.duration_s == pytest.approx(2.7, abs=0.2)
    heard_s = len(read_flac(dataset / clip.audio)) / SAMPLE_RATE
    assert heard_s == pytest.approx(shorter.duration_s, abs=1e-3)
    assert report.train_s + report.test_s == pytest.approx(before_s - 2.7, abs=0.1)
    undo(dataset)
    assert (dataset / clip.audio).read_bytes() == original


def test_undo_brings_everything_back(dataset):
    before = files(dataset)
    assert not can_undo(dataset)
    for code in ("transcript_markup", "audio_duplicate", "punctuation_open"):
        fix(dataset, code, words)
    assert can_undo(dataset) and files(dataset) != before
    undo(dataset)
    assert files(dataset) == before and not can_undo(dataset)
    with pytest.raises(InputError, match="nothing to take back"):
        undo(dataset)


def test_no_sentence_crosses_when_two_become_equal(dataset):
    fix(dataset, "transcript_markup", words)
    sides: dict = {}
    for clip in read_clips(dataset):
        sides.setdefault(sentence_key(clip.text), set()).add(clip.split)
    assert all(len(splits) == 1 for splits in sides.values())


def test_a_fix_that_is_none_changes_nothing(dataset):
    before = files(dataset)
    for code, expected in (("texts_repeat", "fix_unknown"), ("audio_noisy", "nothing_to_fix")):
        with pytest.raises(InputError) as error:
            fix(dataset, code, words)
        assert error.value.code == expected
    assert files(dataset) == before and not can_undo(dataset)


def test_a_fix_that_leaves_too_few_changes_nothing(tmp_path):
    texts = ("Perch\ufffd", "Cos\ufffd")
    found = [candidate(tmp_path, f"{i}.flac", VOICES[i], text) for i, text in enumerate(texts)]
    prepare(found, tmp_path / "dataset", words)
    before = files(tmp_path / "dataset")
    with pytest.raises(InputError, match="too few clips"):
        fix(tmp_path / "dataset", "characters_lost", words)
    assert files(tmp_path / "dataset") == before


def test_preparing_anew_forgets_what_was_before(dataset, tmp_path):
    fix(dataset, "audio_duplicate", words)
    found = [candidate(tmp_path, f"{i}.flac", VOICES[i], f"frase {i}") for i in range(3)]
    prepare(found, dataset, words)
    assert not can_undo(dataset)


def test_every_fix_is_known_and_has_a_name():
    assert set(FIXES) <= {*CODES, KEPT}
    assert {f"fix_{kind}" for kind in FIXES.values()} <= sentences("zh").keys()
    assert set(TEXT_FIXES) == set(FIXES.values()) - {"drop", "trim", "cut"}


@pytest.mark.parametrize(
    ("given", "usual", "after"),
    [
        ("COME VA?", "casing_sentence", "Come va?"),
        ("come sta Anna", "casing_sentence", "Come sta Anna"),
        ("... «poi basta»", "casing_sentence", "... «Poi basta»"),
        ("Come sta Anna", "casing_lower", "come sta anna"),
        ("come", "casing_upper", "COME"),
    ],
)
def test_recase(given, usual, after):
    assert recase(given, usual) == after


def test_stops_of_each_script():
    assert (add_stop("ciao"), add_stop("今天"), add_stop("नमस्ते")) == ("ciao.", "今天。", "नमस्ते।")
    assert (remove_stop("Davvero?!"), remove_stop("(sì).")) == ("Davvero", "(sì)")


def test_an_undo_behind_a_killed_one(dataset):
    before = files(dataset)
    fix(dataset, "audio_duplicate", words)
    left = dataset.with_name("dataset-before-old")  # killed while it deleted the old folder
    (left / "clips").mkdir(parents=True)
    (left / "clips" / "1.flac").write_bytes(b"x")
    undo(dataset)
    assert files(dataset) == before and not left.exists()


def test_numbers_in_findings_are_plain(dataset):
    for finding in read_report(dataset).findings:
        assert all(type(value) in (str, int, float) for value in finding.params.values())
