"""Real audio files for the tests: noise that rises and falls like speech, in any encoding."""

from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile

from whisper_tuner.decoder import Decoder

DECODER = Decoder()  # one child for all tests of a file
decode, stream = DECODER.decode, DECODER.stream


def speech(seconds: float = 1.0, seed: int = 0, rate: int = 16_000) -> np.ndarray:
    """float32 in [-1, 1], shape = (n_samples,): a buzzing tone under four syllables a second."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(round(seconds * rate)) / rate
    tone = np.sin(2 * np.pi * rng.uniform(110, 220) * time_s)
    voice = tone + 0.3 * rng.standard_normal(len(time_s))
    return (0.2 * voice * (1.1 + np.sin(2 * np.pi * 4 * time_s))).astype(np.float32)


def write(path: Path, samples: np.ndarray | None = None, rate: int = 16_000) -> Path:
    """Write by libsndfile, in the format the suffix names."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, speech() if samples is None else samples, rate)
    return path


def encode(
    file: Path | BinaryIO, samples: np.ndarray, codec: str, kind: str, rate: int = 48_000
) -> Path | BinaryIO:
    """Write by FFmpeg: `kind` is the container, samples are at `rate`, mono."""
    with av.open(str(file) if isinstance(file, Path) else file, "w", format=kind) as container:
        stream = container.add_stream(codec, rate=rate, layout="mono")
        if codec == "wmav2":
            stream.bit_rate = 64_000  # it has no default
        pcm = (samples * 32767).astype(np.int16)[None]
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
        frame.sample_rate = rate
        resampler = av.AudioResampler(stream.format, "mono", rate, stream.frame_size or None)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file
