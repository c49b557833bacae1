"""A long recording → clips, without ever holding all of its sound in memory.

It is decoded once, into a temporary 16 kHz FLAC, and every clip is read from there.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import soundfile

from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE, write_flac
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.clips import Candidate
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import AudioError

MAX_RECORDING_S = 12 * 3600.0
TOLERANCE_S = 0.5  # what a last cue may be written too long
ROUNDING_S = 1e-3
PCM_16 = {"format": "FLAC", "subtype": "PCM_16"}


class RecordingTooLongError(AudioError):
    """It lasts longer than any recording may, or than there is room for."""

    def __init__(self, name: str) -> None:
        hours = round(MAX_RECORDING_S / 3600)
        super().__init__("recording_too_long", file=name, hours=hours)


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of a recording that is to become a clip; `recording` is the user's name for it.

    One with a `problem` is passed on as a candidate with this problem.
    """

    name: str
    recording: str
    start_s: float
    end_s: float
    text: str
    speaker: str = ""
    row: int | None = None
    problem: str = ""
    params: dict = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Recording:
    """A decoded recording: 16 kHz mono FLAC."""

    path: Path
    duration_s: float


@contextmanager
def decoded(path: Path, name: str, decoder: Decoder) -> Iterator[Recording]:
    """The recording, there until the context ends. Raises as `decode_whole`."""
    with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
        yield decode_whole(path, name, Path(folder) / "recording.flac", decoder)


def decode_whole(path: Path, name: str, target: Path, decoder: Decoder) -> Recording:
    """Decode a recording of any kind into `target`, block by block.

    Raises: RecordingTooLongError, AudioError audio_empty, and those of `Decoder.stream`.
    """
    with path.open("rb") as file:
        return decode_file(file, name, target, decoder)


def decode_file(
    file: BinaryIO, name: str, target: Path, decoder: Decoder, max_s: float = MAX_RECORDING_S
) -> Recording:
    """The same of a file that was opened just now, which may last `max_s`."""
    n_samples = 0
    with (
        soundfile.SoundFile(target, "w", SAMPLE_RATE, 1, **PCM_16) as sound,
        closing(decoder.stream_file(file, name)) as blocks,
    ):
        for block in blocks:
            sound.write(block)
            n_samples += len(block)
            if n_samples > min(max_s, MAX_RECORDING_S) * SAMPLE_RATE:
                raise RecordingTooLongError(name)
    if n_samples == 0:
        raise AudioError("audio_empty", file=name)
    return Recording(target, n_samples / SAMPLE_RATE)


def cut(recording: Recording, segments: Iterable[Segment]) -> Iterator[Candidate]:
    """A clip a segment, each a new file that is there until the next is asked for."""
    target = recording.path.with_name("clip.flac")
    with soundfile.SoundFile(recording.path) as sound:
        for segment in segments:
            problem = segment.problem or _problem(segment, recording.duration_s)
            if not problem:
                first = round(segment.start_s * SAMPLE_RATE)
                sound.seek(first)
                n_samples = round(segment.end_s * SAMPLE_RATE) - first
                target.unlink(missing_ok=True)
                write_flac(target, sound.read(n_samples, dtype="float32"))
            yield _candidate(segment, problem, None if problem else target)


def _problem(segment: Segment, duration_s: float) -> str:
    if segment.end_s <= segment.start_s:
        return "cue_ends_before_start"
    if segment.start_s >= duration_s or segment.end_s > duration_s + TOLERANCE_S:
        return "cue_past_end"
    if segment.end_s - segment.start_s > MAX_CLIP_S + ROUNDING_S:
        return "cue_too_long"
    return ""


def _candidate(
    segment: Segment, problem: str, audio: Path | None = None, params: dict | None = None
) -> Candidate:
    return Candidate(
        name=segment.name,
        audio=audio,
        text=segment.text,
        speaker=segment.speaker,
        row=segment.row,
        problem=problem,
        params=segment.params if params is None else params,
        recording=segment.recording,
    )
