"""Sound as we keep it: mono at 16 kHz in 16-bit FLAC. Other people's files are for `decoder/`."""

from pathlib import Path

import numpy as np
import soundfile
import soxr

SAMPLE_RATE = 16_000  # Hz; Whisper hears nothing else
MAX_CLIP_S = 30.0  # seconds Whisper hears at once
MIN_CLIP_S = 0.1  # seconds; shorter holds no word
PCM_16_SCALE = 32_768
CODEC_PADDING_S = 0.1  # AAC and MP3 add up to two frames of padding: a 30 s clip decodes to 30.05 s

AUDIO_KINDS = (
    "3g2 3gp aac ac3 aif aifc aiff amr ape au avi caf dss flac flv m4a m4b m4v mka mkv mov mp2 mp3"
    " mp4 mpeg mpg oga ogg ogv opus snd tta w64 wav wave webm wma wmv wv"
)
AUDIO_SUFFIXES = frozenset(f".{kind}" for kind in AUDIO_KINDS.split())


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write `samples` (float32 in [-1, 1], shape = (n_samples,), 16 kHz) as 16-bit FLAC."""
    soundfile.write(path, to_pcm(samples), SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def to_pcm(samples: np.ndarray) -> np.ndarray:
    """int16, as the FLAC files hold them: the same before writing and after reading."""
    pcm = np.clip(np.round(samples * PCM_16_SCALE), -PCM_16_SCALE, PCM_16_SCALE - 1)
    return pcm.astype(np.int16)


def from_pcm(pcm: np.ndarray) -> np.ndarray:
    """float32 in [-1, 1): the inverse of `to_pcm`."""
    return pcm.astype(np.float32) / PCM_16_SCALE


def read_flac(path: Path) -> np.ndarray:
    """A clip written by `write_flac`: float32, shape = (n_samples,), 16 kHz."""
    return soundfile.read(path, dtype="float32")[0]


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Mono audio played `speed` times as fast, its pitch with it: len(samples) / speed samples."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
