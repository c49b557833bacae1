"""The doctor names what is wrong with real speech, and finds nothing where nothing is."""

import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data import sound_checks
from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.doctor import CODES, examine, find_copies, group
from whisper_tuner.data.sound_checks import measure
from whisper_tuner.data.sounds import read_sounds, sounds_of, write_sounds
from whisper_tuner.data.split import assign
from whisper_tuner.locales import LANGUAGES, sentences
from whisper_tuner.narrate import finding_sentence

PATHS = sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"))
VOICES = [s for s in map(read_flac, PATHS) if len(s) > 1.5 * SAMPLE_RATE]
RNG = np.random.default_rng(3)


def clip(i: int, samples: np.ndarray, text: str = "una frase qualunque detta bene") -> Clip:
    seconds = len(samples) / SAMPLE_RATE
    return Clip(f"{i:06d}", f"clips/{i:06d}.flac", text, f"{i}.wav", seconds, 3, "")


def examined(*sounds: np.ndarray, texts: tuple[str, ...] = ()) -> list[Finding]:
    said = texts or tuple(f"frase numero {chr(97 + i)} detta" for i in range(len(sounds)))
    clips = [clip(i, s, t) for i, (s, t) in enumerate(zip(sounds, said, strict=True), start=1)]
    measured = {c.id: measure(s.astype(np.float32)) for c, s in zip(clips, sounds, strict=True)}
    return examine(clips, measured, find_copies(clips, measured))


def codes(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.code, finding.clip) for finding in findings]


def test_real_speech_is_never_noise_music_or_a_copy():
    found = {
        finding.code for finding in examined(*VOICES, texts=("una frase detta",) * len(VOICES))
    }
    assert found == {"texts_repeat"}


def test_what_is_heard_is_named():
    time_s = np.arange(3 * SAMPLE_RATE) / SAMPLE_RATE
    chord = sum(np.sin(2 * np.pi * f * time_s) for f in (220, 277.2, 329.6)) / 12
    swell = chord * (1 + 0.3 * np.sin(2 * np.pi * 2 * time_s))
    voice = VOICES[0]
    noise = RNG.standard_normal(len(voice)) * np.sqrt(np.mean(voice**2))
    long_pause = np.concatenate([voice, 1e-5 * RNG.standard_normal(3 * SAMPLE_RATE)])
    found = examined(
        0.05 * RNG.standard_normal(3 * SAMPLE_RATE),
        swell,
        voice + noise,
        np.clip(VOICES[2] * 40, -1, 1),
        VOICES[3] * 0.003,
        long_pause * 0.9,
        VOICES[4][: round(0.4 * SAMPLE_RATE)],
        texts=(*("una frase come tante",) * 6, "sì"),
    )
    assert [(code, name) for code, name in codes(found) if name] == [
        ("audio_no_speech", "1.wav"),
        ("audio_no_speech", "2.wav"),
        ("audio_noisy", "3.wav"),
        ("audio_clipped", "4.wav"),
        ("audio_quiet", "5.wav"),
        ("audio_silent_ends", "6.wav"),
        ("audio_very_short", "7.wav"),
    ]
    ends = next(finding for finding in found if finding.code == "audio_silent_ends")
    assert ends.params["tail"] == pytest.approx(3, abs=0.2)


def test_a_transcript_far_too_long_or_short_for_its_sound():
    long = np.concatenate(VOICES[:3])
    words = "parola " * 80
    texts = (words, "sì", "una frase come tutte le altre", "1984", "今天天气好我们去公园玩吧")
    found = examined(VOICES[5], long, VOICES[6], VOICES[7], VOICES[8], texts=texts)
    assert codes(found) == [("speech_rate_odd", "1.wav"), ("speech_rate_slow", "2.wav")]


def test_copies_are_named_with_the_first_and_what_it_says():
    one, two = VOICES[:2]
    file = io.BytesIO()
    soundfile.write(file, two * 0.5, SAMPLE_RATE, format="MP3")
    copied = soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0]
    texts = ("prima frase", "seconda frase", "Prima frase!", "seconda frase", "un'altra cosa")
    found = examined(one, two, one, copied, one, texts=texts)
    assert [(f.code, f.clip, f.params.get("original")) for f in found if f.clip] == [
        ("audio_duplicate", "3.wav", "1.wav"),
        ("audio_near_duplicate", "4.wav", "2.wav"),
        ("copies_disagree", "5.wav", "1.wav"),
    ]


def test_a_part_of_another_recording_is_tied_to_it_but_not_called_a_copy():
    one, two, three, four = VOICES[:4]
    both = np.concatenate([two, three])
    found = examined(one, two, three, both, four, both[: len(two) + 20_000])
    assert codes(found) == [("audio_overlaps", "4.wav"), ("audio_overlaps", "6.wav")]
    assert found[0].params == {"original": "2.wav"}
    clips = [clip(i, s) for i, s in enumerate((one, two, three, both))]
    measured = {c.id: measure(s) for c, s in zip(clips, (one, two, three, both), strict=True)}
    ids = group(find_copies(clips, measured))
    assert ids.keys() == {"000001", "000002", "000003"} and len(set(ids.values())) == 1


def test_copies_never_cross_the_split_whatever_they_are_said_to_say():
    quiet = [voice * 0.4 for voice in VOICES[:40]]
    sounds = [*VOICES[:40], *quiet]
    clips = [clip(i, s, f"testo numero {i}") for i, s in enumerate(sounds)]
    measured = {c.id: measure(s) for c, s in zip(clips, sounds, strict=True)}
    alike = group(find_copies(clips, measured))
    assert len(alike) == 80
    for seed in range(5):
        assigned, findings = assign(clips, seed, copies=alike)
        assert findings == []
        assert [c.split for c in assigned[:40]] == [c.split for c in assigned[40:]]
        assert 8 <= sum(c.split == "test" for c in assigned) <= 16
    given = [replace(c, split="test" if i < 10 else "train") for i, c in enumerate(clips)]
    kept, findings = assign(given, 1, copies=alike)
    assert [f.code for f in findings] == ["copy_in_both_splits"] * 10
    assert findings[3].clip == "43.wav" and findings[3].params == {"original": "3.wav"}
    assert len(kept) == 70 and all(f.refused for f in findings)


def test_speakers_and_recordings_that_cross_the_given_split_are_named():
    clips = [
        replace(
            clip(i, VOICES[i], f"testo {i}"),
            split="test" if i < 3 else "train",
            speaker=f"s{i % 3}",
            recording=f"r{i // 2}",
        )
        for i in range(8)
    ]
    _, findings = assign(clips, 1)
    assert [(f.code, f.params) for f in findings] == [
        ("given_speakers_cross", {"n": 3, "names": "s0, s1, s2"}),
        ("given_recordings_cross", {"n": 1, "names": "r1"}),
    ]


def test_when_everything_overlaps_sentences_alone_decide():
    clips = [clip(i, VOICES[0], f"testo {i}") for i in range(10)]
    assigned, findings = assign(clips, 1, copies={c.id: "x" for c in clips})
    assert [f.code for f in findings] == ["copies_in_both_splits"]
    assert sum(c.split == "test" for c in assigned) == 2


def test_sounds_are_kept_beside_the_clips(tmp_path):
    clips = [clip(i, VOICES[i]) for i in range(3)]
    measured = {c.id: measure(VOICES[i]) for i, c in enumerate(clips)}
    write_sounds(tmp_path, measured)
    read = read_sounds(tmp_path)
    assert list(read) == list(measured) == list(sounds_of(tmp_path, clips))
    for name, sound in read.items():
        assert np.array_equal(sound.print.words, measured[name].print.words)
        assert np.array_equal(sound.print.loud, measured[name].print.loud)
        assert replace(sound, print=measured[name].print) == measured[name]
    write_sounds(tmp_path, {})
    assert read_sounds(tmp_path) == {}


def test_the_digest_is_that_of_the_file(tmp_path):
    path = PATHS[0]
    assert measure(read_flac(path)).digest == measure(read_flac(path) + 1e-6).digest
    assert len(sound_checks.CHECKS) == 6


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_finding_is_a_sentence(lang):
    told = sentences(lang)
    assert all(code in told for code in CODES)
    one = clip(1, VOICES[0])
    finding = one.finding("copies_disagree", original="b.wav", text="{x}", other="<b>")
    assert "{x}" in finding_sentence(finding, lang) and "b.wav" in finding_sentence(finding, lang)
