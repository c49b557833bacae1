"""Copies of a recording are found whatever was done to them; other recordings are not taken for it.

On the bundled real speech: one speaker, short prompts, some of them the same words twice.
"""

import io
import tracemalloc

import numpy as np
import pytest
import soundfile

from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data import likeness
from whisper_tuner.data.likeness import (
    Print,
    band_energies,
    copies,
    difference,
    fingerprint,
    spectra,
)

PATHS = sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"))


def printed(samples: np.ndarray) -> Print:
    return fingerprint(band_energies(spectra(samples.astype(np.float32))))


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    return [sound for sound in map(read_flac, PATHS) if len(sound) > 1.2 * SAMPLE_RATE][:50]


def saved_as(samples: np.ndarray, kind: str, rate: int = SAMPLE_RATE) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, rate, format=kind)
    return soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0]


def noisy(samples: np.ndarray, below_db: float = 25) -> np.ndarray:
    noise = np.random.default_rng(1).standard_normal(len(samples))
    return samples + noise * np.sqrt(np.mean(samples**2)) * 10 ** (-below_db / 20)


CHANGES = {
    "MP3": lambda s: saved_as(s, "MP3"),
    "Ogg": lambda s: saved_as(s, "OGG"),
    "quieter": lambda s: s * 0.3,
    "trimmed": lambda s: s[SAMPLE_RATE // 7 : -SAMPLE_RATE // 9],
    "noisy": noisy,
    "all": lambda s: noisy(saved_as(s[SAMPLE_RATE // 7 :] * 0.5, "MP3")),
}


def test_different_recordings_are_no_copies():
    prints = [printed(read_flac(path)) for path in PATHS]
    assert len(prints) == 160 and copies(prints) == []


@pytest.mark.parametrize("change", CHANGES)
def test_copies_are_found(sounds, change):
    n = len(sounds)
    changed = [printed(CHANGES[change](sound)) for sound in sounds]
    found = set(copies([*map(printed, sounds), *changed]))
    expected = {(i, n + i) for i in range(n)}
    assert len(found & expected) >= 0.97 * n
    assert found <= expected


def test_another_speed_is_another_recording(sounds):
    faster = [np.interp(np.arange(0, len(s), 1.06), np.arange(len(s)), s) for s in sounds[:30]]
    assert copies([printed(s) for s in (*sounds[:30], *faster)]) == []


def test_gain_changes_no_bit(sounds):
    one, other = printed(sounds[0]), printed(sounds[0] * 0.25)
    assert difference(one, other, 0) == 0 and difference(one, other, 20) > 0.3


def test_three_copies_are_linked(sounds):
    one = sounds[0]
    prints = [printed(s) for s in (sounds[1], one, one * 0.5, sounds[2], saved_as(one, "MP3"))]
    assert {i for pair in copies(prints) for i in pair} == {1, 2, 4}


def test_silence_and_very_short_sounds_are_copies_of_nothing():
    tone = np.sin(np.arange(1000) / 5)
    nothing = [np.zeros(16_000), np.zeros(16_000), tone, tone, np.zeros(0)]
    assert copies([printed(samples) for samples in nothing]) == [] and copies([]) == []


def test_looking_at_few_links_at_a_time_finds_the_same(sounds, monkeypatch):
    changed = [printed(change(s)) for s in sounds[:8] for change in CHANGES.values()]
    prints = [*map(printed, sounds), *changed]
    found = copies(prints)
    assert len(found) >= 0.97 * len(changed)
    monkeypatch.setattr(likeness, "BLOCK", 50)  # frames, less than most clips have
    assert copies(prints) == found


def test_more_clips_need_no_more_memory(monkeypatch):
    monkeypatch.setattr(likeness, "BLOCK", 1 << 12)
    rng = np.random.default_rng(1)

    def peak(n_clips: int) -> int:
        noise = rng.integers(0, 1 << 16, (n_clips, 300), np.uint16)
        prints = [Print.of(words, np.ones(300, bool)) for words in noise]
        tracemalloc.start()
        try:
            assert copies(prints) == []
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    few, many = peak(100), peak(800)
    assert many < 2 * few
