"""Any audio file → mono float32 at 16 kHz, and the 16-bit FLAC files a dataset keeps.

libsndfile reads WAV, FLAC, MP3, Ogg and Opus; FFmpeg, through PyAV, reads what it cannot: m4a, mp4,
webm, aac, amr, wma, the sound of a video. Both are in their PyPI wheels: no program is needed.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
import soundfile
import soxr

from whisper_tuner.errors import AudioError

SAMPLE_RATE = 16_000  # Hz; Whisper hears nothing else
MAX_CLIP_S = 30.0  # seconds Whisper hears at once
MIN_CLIP_S = 0.1  # seconds; shorter holds no word
CODEC_PADDING_S = 0.1  # AAC and MP3 add up to two frames of padding: a 30 s clip decodes to 30.05 s
SILENCE_RMS = 1e-3  # -60 dBFS
SAMPLE_RATES = range(4_000, 384_001)  # Hz; a header outside of it is damaged
MAX_CHANNELS = 64
BLOCK_FRAMES = 16_384  # frames decoded at a time, at most 4 MiB at 64 channels
PCM_16_SCALE = 32_768
DECODER_ERRORS = (av.error.FFmpegError, soundfile.SoundFileError, ValueError)

# FFmpeg can also read playlists, which open other files and addresses by themselves. Only these
# demuxers may look at a file, and none of them may open a second one.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,ogg,wav,w64,flac,mp3,aac,amr,asf,avi,aiff,au,caf,"
    "mpegts,mpeg,flv,ac3,eac3,ape,wv,tta,dss"
)
CONTAINER_OPTIONS = {"format_whitelist": DEMUXERS, "protocol_whitelist": "pipe"}

AUDIO_KINDS = (
    "3g2 3gp aac ac3 aif aifc aiff amr ape au avi caf dss flac flv m4a m4b m4v mka mkv mov mp2 mp3"
    " mp4 mpeg mpg oga ogg ogv opus snd tta w64 wav wave webm wma wmv wv"
)
AUDIO_SUFFIXES = frozenset(f".{kind}" for kind in AUDIO_KINDS.split())


def decode(path: Path, name: str | None = None, max_s: float | None = MAX_CLIP_S) -> np.ndarray:
    """The sound of any audio or video file; channels are averaged.

    Decodes in blocks and stops once it is longer than `max_s` seconds (None: no limit), so an
    over-long file costs no memory. `name` is what the user calls the file.

    Returns: float32 in [-1, 1], shape = (n_samples,), 16 kHz, never longer than `max_s`.
    Raises: AudioError audio_empty, audio_undecodable, audio_silent, audio_not_finite,
    audio_too_long.
    """
    name = name or path.name
    if path.stat().st_size == 0:
        raise AudioError("audio_empty", file=name)
    with path.open("rb") as file:
        try:
            samples = _collect(*_open(file), name, max_s)
        except DECODER_ERRORS as error:
            raise AudioError("audio_undecodable", file=name) from error
    if len(samples) < MIN_CLIP_S * SAMPLE_RATE:
        raise AudioError("audio_empty", file=name)
    if not np.isfinite(samples).all():
        raise AudioError("audio_not_finite", file=name)
    if np.sqrt(np.mean(np.square(samples))) < SILENCE_RMS:
        raise AudioError("audio_silent", file=name)
    return np.clip(samples, -1, 1)


def stream(path: Path, name: str | None = None) -> Iterator[np.ndarray]:
    """The sound of a recording of any length, block by block as it is decoded.

    Yields: float32 in [-1, 1], shape = (n_samples,), mono, 16 kHz.
    Raises: AudioError audio_empty, audio_undecodable, audio_not_finite.
    """
    name = name or path.name
    if path.stat().st_size == 0:
        raise AudioError("audio_empty", file=name)
    with path.open("rb") as file:
        try:
            for block in _open(file)[0]:
                if not np.isfinite(block).all():
                    raise AudioError("audio_not_finite", file=name)
                yield np.clip(block, -1, 1)
        except DECODER_ERRORS as error:
            raise AudioError("audio_undecodable", file=name) from error


def claimed_s(path: Path) -> float:
    """How many seconds a file says it lasts; 0 when it does not say, or cannot be read."""
    try:
        with path.open("rb") as file:
            return _open(file)[1]
    except (OSError, *DECODER_ERRORS):
        return 0.0


def write_flac(path: Path, samples: np.ndarray) -> None:
    """Write `samples` (float32 in [-1, 1], shape = (n_samples,), 16 kHz) as 16-bit FLAC."""
    soundfile.write(path, to_pcm(samples), SAMPLE_RATE, format="FLAC", subtype="PCM_16")


def to_pcm(samples: np.ndarray) -> np.ndarray:
    """int16, as the FLAC files hold them: the same before writing and after reading."""
    pcm = np.clip(np.round(samples * PCM_16_SCALE), -PCM_16_SCALE, PCM_16_SCALE - 1)
    return pcm.astype(np.int16)


def read_flac(path: Path) -> np.ndarray:
    """A clip written by `write_flac`: float32, shape = (n_samples,), 16 kHz."""
    return soundfile.read(path, dtype="float32")[0]


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


def _collect(
    blocks: Iterator[np.ndarray], claimed_s: float, name: str, max_s: float | None
) -> np.ndarray:
    """All blocks joined. Raises AudioError audio_too_long as soon as they exceed `max_s`."""
    parts, n_samples = [np.zeros(0, np.float32)], 0
    for block in blocks:
        parts.append(block)
        n_samples += len(block)
        if max_s is not None and n_samples > (max_s + CODEC_PADDING_S) * SAMPLE_RATE:
            seconds = round(max(claimed_s, n_samples / SAMPLE_RATE), 1)
            raise AudioError("audio_too_long", file=name, seconds=seconds, limit=round(max_s))
    return np.concatenate(parts)[: None if max_s is None else round(max_s * SAMPLE_RATE)]


def change_speed(samples: np.ndarray, speed: float) -> np.ndarray:
    """Mono audio played `speed` times as fast, its pitch with it: len(samples) / speed samples."""
    if speed == 1.0:
        return samples
    return soxr.resample(samples, SAMPLE_RATE * speed, SAMPLE_RATE)
