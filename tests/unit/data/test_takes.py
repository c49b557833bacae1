"""What is said of a take at once: real sentences, and what happens to them at a microphone."""

import numpy as np
import pytest
import soundfile

from tests.sounds import decode, encode
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data.takes import examine, read_take, to_flac
from whisper_tuner.errors import AudioError
from whisper_tuner.locales import sentences

SENTENCE = "Per registrare il tuo nome premi il tasto uno e poi parla"


@pytest.fixture(scope="module")
def spoken() -> np.ndarray:
    """About seven seconds, with the quiet of a room before and behind."""
    voice = decode(steps.EXAMPLE_DIR / "clips" / "vm-rec-name.flac")
    room = 3e-4 * np.random.default_rng(0).standard_normal((2, SAMPLE_RATE // 2))
    return np.concatenate([room[0], voice, room[1]]).astype(np.float32)


def told(folder, samples: np.ndarray, sentence: str = SENTENCE) -> str:
    path = folder / "take.wav"
    soundfile.write(path, samples, SAMPLE_RATE)
    take = examine(path, sentence)[1]
    for lang in ("en", "zh"):
        if take.told:
            assert sentences(lang)[f"take_{take.told}"].format(**take.params)
    return take.told


def test_a_good_take_is_good(spoken, tmp_path):
    assert told(tmp_path, spoken) == ""


@pytest.mark.parametrize(
    ("change", "wanted"),
    [
        (lambda s: 0.02 * s, "audio_quiet"),
        (lambda s: np.clip(40 * s, -1, 1), "audio_clipped"),
        (lambda s: s[2 * SAMPLE_RATE :], "cut_begin"),
        (lambda s: s[: -2 * SAMPLE_RATE], "cut_end"),
        (lambda s: np.concatenate([np.zeros(3 * SAMPLE_RATE, np.float32), s]), "audio_silent_ends"),
        (lambda s: s + 0.1 * np.random.default_rng(1).standard_normal(len(s)), "audio_noisy"),
        (lambda s: 0.1 * np.sin(np.arange(len(s)) / 20), "audio_no_speech"),
    ],
)
def test_what_is_wrong_is_said(spoken, tmp_path, change, wanted):
    assert told(tmp_path, change(spoken)) == wanted


def test_a_take_too_short_or_too_long_for_its_sentence(spoken, tmp_path):
    assert told(tmp_path, spoken, " ".join([SENTENCE] * 12)) == "speech_rate_odd"
    assert told(tmp_path, spoken, "Sì") == "speech_rate_slow"


@pytest.mark.parametrize(
    ("samples", "code"),
    [
        (np.zeros(SAMPLE_RATE), "audio_silent"),
        (np.zeros(10), "audio_empty"),
        (0.1 * np.sin(np.arange(31 * SAMPLE_RATE)), "audio_too_long"),
    ],
)
def test_what_can_be_no_clip_is_refused(samples, code, tmp_path):
    with pytest.raises(AudioError) as caught:
        told(tmp_path, samples)
    assert caught.value.code == code
    for lang in ("en", "zh"):
        assert sentences(lang)[f"take_{code}"].format(**caught.value.params)


def test_a_kept_take_is_an_ordinary_clip_that_knows_what_was_said_of_it(spoken, tmp_path):
    soundfile.write(tmp_path / "take.wav", 0.02 * spoken, SAMPLE_RATE)
    samples, take = examine(tmp_path / "take.wav", SENTENCE)
    path = tmp_path / "0001.flac"
    path.write_bytes(to_flac(samples, take))
    assert read_take(path) == take and take.told == "audio_quiet"
    assert np.abs(read_flac(path) - samples).max() < 1e-4
    assert soundfile.info(path).samplerate == SAMPLE_RATE


def test_what_browsers_record_by_themselves_is_read_too(spoken, tmp_path):
    at_48k = np.repeat(spoken, 3)  # crude, and enough for this
    path = encode(tmp_path / "take.wav", at_48k, "libopus", "webm")
    assert examine(path, SENTENCE)[1].duration_s == pytest.approx(len(spoken) / 16_000, abs=0.1)


@pytest.mark.parametrize("content", [b"", b"fLaC", b"no sound at all"])
def test_a_take_that_the_disk_has_damaged_is_told(content, tmp_path):
    path = tmp_path / "0001.flac"
    path.write_bytes(content)
    assert read_take(path).told == "damaged" and sentences("zh")["take_damaged"]
    assert read_take(tmp_path / "gone.flac").told == "damaged"
