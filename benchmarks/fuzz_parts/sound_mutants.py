"""Recordings with something wrong: damaged, lying, of another kind than they say, or none."""

import io
from functools import cache
from random import Random

import av
import numpy as np
import soundfile

from benchmarks.fuzz_parts import damage
from benchmarks.fuzz_parts.clean import sources
from tests.sounds import encode

RATE = 48_000
BY_SNDFILE = {  # suffix → format and subtype of libsndfile
    "wav": ("WAV", "PCM_16"),
    "float.wav": ("WAV", "FLOAT"),
    "adpcm.wav": ("WAV", "IMA_ADPCM"),
    "rf64": ("RF64", "PCM_24"),
    "w64": ("W64", "PCM_16"),
    "aiff": ("AIFF", "PCM_16"),
    "au": ("AU", "ULAW"),
    "caf": ("CAF", "ALAC_16"),
    "flac": ("FLAC", "PCM_16"),
    "mp3": ("MP3", "MPEG_LAYER_III"),
    "ogg": ("OGG", "VORBIS"),
    "opus": ("OGG", "OPUS"),
}
BY_FFMPEG = {  # suffix → container and codec of FFmpeg
    "m4a": ("ipod", "aac"),
    "webm": ("webm", "libopus"),
    "wma": ("asf", "wmav2"),
    "mka": ("matroska", "libopus"),
    "aac": ("adts", "aac"),
}
OTHERS = (
    lambda rng: b"",
    lambda rng: b"This is no recording.\n" * rng.randrange(1, 400),
    lambda rng: rng.randbytes(rng.randrange(1, 20_000)),
    lambda rng: b"#EXTM3U\n#EXTINF:3,\nfile:///etc/passwd\n",
    lambda rng: b"ffconcat version 1.0\nfile /etc/passwd\n",
    lambda rng: b"RIFF\xff\xff\xff\xffWAVE" + rng.randbytes(rng.randrange(400)),
    lambda rng: b"fLaC" + rng.randbytes(rng.randrange(400)),
    lambda rng: b"\x1aE\xdf\xa3" + rng.randbytes(rng.randrange(400)),
)


@cache
def whole() -> dict[str, bytes]:
    """Two short bundled clips in every format that can be written here."""
    clips = sorted((samples for samples, _ in sources()), key=len)
    found = {}
    for i, samples in enumerate((clips[0], clips[40])):
        for suffix, (kind, subtype) in BY_SNDFILE.items():
            file, rate = io.BytesIO(), RATE if subtype == "OPUS" else 16_000
            soundfile.write(file, _at(samples, rate), rate, format=kind, subtype=subtype)
            found[f"{i}.{suffix}"] = file.getvalue()
        for suffix, (kind, codec) in BY_FFMPEG.items():
            if codec in av.codecs_available:
                file = encode(io.BytesIO(), _at(samples, RATE), codec, kind, RATE)
                found[f"{i}.{suffix}"] = file.getvalue()
    return found


def _at(samples: np.ndarray, rate: int) -> np.ndarray:
    return np.repeat(samples, rate // 16_000)


def mutant(rng: Random) -> tuple[str, bytes]:
    """A file name and what is in it."""
    files = whole()
    name = rng.choice(sorted(files))
    wrong_suffix = rng.random() < 0.2
    shown = name if not wrong_suffix else f"x.{rng.choice(('wav', 'mp3', 'raw', 'm4a', 'txt'))}"
    draw = rng.random()
    if draw < 0.03:
        return shown, rng.choice(OTHERS)(rng)
    if draw < 0.08:  # the beginning of one and the rest of another
        other = files[rng.choice(sorted(files))]
        return shown, files[name][: rng.randrange(600)] + other[rng.randrange(600) :]
    if draw < 0.10:
        return shown, files[name] * rng.randrange(2, 40)
    return shown, damage.damaged(files[name], rng)
