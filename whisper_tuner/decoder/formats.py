"""Any audio or video file → mono float32 at 16 kHz. Only `child.py` may import this.

libsndfile reads WAV, FLAC, MP3, Ogg and Opus; FFmpeg, through PyAV, reads what it cannot: m4a, mp4,
webm, aac, amr, wma, the sound of a video. Both are in their PyPI wheels: no program is needed.
"""

import os
from collections.abc import Iterator
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from whisper_tuner.audio import CODEC_PADDING_S, MIN_CLIP_S, SAMPLE_RATE

SILENCE_RMS = 1e-3  # -60 dBFS
SAMPLE_RATES = range(4_000, 384_001)  # Hz; a header outside of it is damaged
MAX_CHANNELS = 64
BLOCK_FRAMES = 16_384  # frames decoded at a time, at most 4 MiB at 64 channels
# OSError: a header may send FFmpeg to a place before the beginning of the file.
DECODER_ERRORS = (av.error.FFmpegError, soundfile.SoundFileError, ValueError, OSError)

# FFmpeg can also read playlists, which open other files and addresses by themselves. Only these
# demuxers may look at a file, and none of them may open a second one.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,wav,w64,flac,mp3,aac,amr,asf,avi,aiff,au,caf,"
    "mpegts,mpeg,flv,ac3,eac3,ape,wv,tta,dss"
)
CONTAINER_OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": "pipe"}


class UnusableError(Exception):
    """The code and the parameters of an `AudioError`, whose file has its name in the page only."""

    def __init__(self, code: str, **params: object) -> None:
        super().__init__(code)
        self.code, self.params = code, params


def decode(file: BinaryIO, max_s: float) -> np.ndarray:
    """The sound of a whole file; channels are averaged.

    Decodes in blocks and stops once it is longer than `max_s` seconds; so an
    over-long file costs no memory.

    Returns: float32 in [-1, 1], shape = (n_samples,), 16 kHz, never longer than `max_s`.
    Raises: UnusableError audio_empty, audio_undecodable, audio_silent, audio_not_finite,
    audio_too_long.
    """
    _require_bytes(file)
    try:
        samples = _collect(*_open(file), max_s)
    except DECODER_ERRORS as error:
        raise UnusableError("audio_undecodable") from error
    if len(samples) < MIN_CLIP_S * SAMPLE_RATE:
        raise UnusableError("audio_empty")
    if not np.isfinite(samples).all():
        raise UnusableError("audio_not_finite")
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise UnusableError("audio_silent")
    return np.clip(samples, -1, 1)


def stream(file: BinaryIO) -> Iterator[np.ndarray]:
    """The sound of a recording of any length, block by block as it is decoded.

    Yields: float32 in [-1, 1], shape = (n_samples,), mono, 16 kHz.
    Raises: UnusableError audio_empty, audio_undecodable, audio_not_finite.
    """
    _require_bytes(file)
    try:
        for block in _open(file)[0]:
            if not np.isfinite(block).all():
                raise UnusableError("audio_not_finite")
            yield np.clip(block, -1, 1)
    except DECODER_ERRORS as error:
        raise UnusableError("audio_undecodable") from error


def _require_bytes(file: BinaryIO) -> None:
    if os.fstat(file.fileno()).st_size == 0:
        raise UnusableError("audio_empty")


def _open(file: BinaryIO) -> tuple[Iterator[np.ndarray], float]:
    """The blocks of a file (float32, mono, 16 kHz) and the seconds its header claims (0: none)."""
    try:
        # By descriptor: a name ending in .raw would make soundfile ask for a sample rate.
        sound = soundfile.SoundFile(file.fileno(), closefd=False)
    except soundfile.LibsndfileError:
        file.seek(0)
        return _open_container(file)
    if sound.samplerate not in SAMPLE_RATES or sound.channels > MAX_CHANNELS:
        raise ValueError(f"{sound.samplerate} Hz, {sound.channels} channels")
    return _resampled(sound), sound.frames / sound.samplerate


def _resampled(sound: soundfile.SoundFile) -> Iterator[np.ndarray]:
    resampler = soxr.ResampleStream(sound.samplerate, SAMPLE_RATE, 1, dtype="float32")
    with sound:
        while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
            mono = block.mean(axis=1)
            same_rate = sound.samplerate == SAMPLE_RATE
            yield mono if same_rate else resampler.resample_chunk(mono)
    if sound.samplerate != SAMPLE_RATE:
        yield resampler.resample_chunk(np.zeros(0, np.float32), last=True)


def _open_container(file: BinaryIO) -> tuple[Iterator[np.ndarray], float]:
    container = av.open(file, options=CONTAINER_OPTIONS)
    if not container.streams.audio:
        raise ValueError("no sound in this file")
    return _demuxed(container), (container.duration or 0) / av.time_base


def _demuxed(container: av.container.InputContainer) -> Iterator[np.ndarray]:
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    with container:
        for frame in container.decode(container.streams.audio[0]):
            for block in resampler.resample(frame):
                yield block.to_ndarray()[0]
        for block in resampler.resample(None):
            yield block.to_ndarray()[0]


def _collect(blocks: Iterator[np.ndarray], claimed_s: float, max_s: float) -> np.ndarray:
    """All blocks joined. Raises UnusableError audio_too_long as soon as they exceed `max_s`."""
    parts, n_samples = [np.zeros(0, np.float32)], 0
    for block in blocks:
        parts.append(block)
        n_samples += len(block)
        if n_samples > (max_s + CODEC_PADDING_S) * SAMPLE_RATE:
            seconds = round(max(claimed_s, n_samples / SAMPLE_RATE), 1)
            raise UnusableError("audio_too_long", seconds=seconds, limit=round(max_s))
    return np.concatenate(parts)[: round(max_s * SAMPLE_RATE)]
