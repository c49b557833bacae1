"""A long recording and its full text → clips: begun, gone on with, and made a dataset."""

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import soundfile

from whisper_tuner.alignment import review, task
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.cutting import Recording, cut
from whisper_tuner.data.documents import read_document
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.runs import disk, jobs, queue
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.folder import Run

SMALL_BASE = "openai/whisper-base"  # hears ten times as fast as the recording lasts, on a CPU
SECONDS_PER_S = {"cpu": 0.15, "cuda": 0.03}  # of work for a second of sound


def aligning_base(device: Device) -> str:
    """The base that aligns unless a person says another one."""
    return device.default_base if device.kind == "cuda" else SMALL_BASE


def align(
    run: Run,
    recording: Path,
    document: Path,
    language: str,
    base: str = "",
    encoding: str | None = None,
) -> None:
    """Start a worker that aligns the recording with the text of the document; returns at once.

    `run` is a new one, for this only. Raises: InputError file_missing, and as `read_document`,
    `check_language` and `disk.require_download` do.
    """
    for path in (recording, document):
        if not path.is_file():
            raise InputError("file_missing", file=str(path))
    device = find_device()
    base = base or aligning_base(device)
    check_language(base, language)
    text = read_document(document, document.name, encoding)
    disk.require_download(run.dir, 2 * recording.stat().st_size)
    precision = "32bit" if device.kind == "cpu" else "16bit"
    asked = task.Task(recording.name, text, language, base, precision)
    with disk.told_when_full():
        task.create(run, asked, recording)
    _start(run)


def resume_alignment(run: Run) -> bool:
    """Go on with one that was stopped or broke off; what was heard is not heard again. False when
    it is at work. Raises RunError when it has come to its end, or `run` is no alignment.
    """
    task.read(run)
    if review.is_there(run):
        raise RunError("alignment_is_done", run=run.id)
    return not jobs.is_alive(run) and _start(run)


def _start(run: Run) -> bool:
    with disk.told_when_full(), queue.place(run, "") as now_s:
        return jobs.start(run, "align", ticket_s=now_s)


@dataclass(frozen=True)
class AlignedSource:
    """The clips that are kept of an alignment, as a `sources.Source`."""

    aligned: Run

    @contextmanager
    def open(self, run: Run, known: Collection[str]) -> Iterator[Iterator[Candidate]]:
        """Raises: RunError alignment_not_done; InputError alignment_nothing_kept."""
        rows = review.read(self.aligned)
        if not any(row.keep for row in rows):
            raise InputError("alignment_nothing_kept")
        path = task.sound_path(self.aligned)
        with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
            sound = Path(folder) / "recording.flac"  # `cut` writes beside it
            sound.symlink_to(path.resolve())
            recording = Recording(sound, soundfile.info(path).duration)
            yield cut(recording, review.segments(self.aligned))
