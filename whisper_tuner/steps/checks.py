"""What must hold before a step is taken."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from whisper_tuner.data.clips import MANIFEST_NAME, REPORT_NAME, read_clips
from whisper_tuner.data.forget import are_forgotten
from whisper_tuner.data.long_recordings import Room
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import disk, jobs, listening, locks, quota
from whisper_tuner.runs.folder import Run

DATA_LOCK_NAME = "dataset.lock"  # held while recordings are added or changed


def has_dataset(run: Run) -> bool:
    """Whether it has recordings that were checked. They may be deleted at any time."""
    return all((run.dataset_dir / name).exists() for name in (MANIFEST_NAME, REPORT_NAME))


def require_dataset(run: Run) -> None:
    if not has_dataset(run):
        raise InputError("dataset_missing", run=run.id)


def require_recordings(run: Run) -> None:
    """Raises InputError when there are none, or those of Common Voice were deleted at the end."""
    require_dataset(run)
    if are_forgotten(run.dataset_dir, read_clips(run.dataset_dir)):
        raise InputError("common_voice_deleted")


def refuse_new_data(run: Run) -> None:
    """Raises RunError when the run's recordings are there to stay. Those of a run that goes on from
    another can be added to: its adapter knows what they are.
    """
    if run.start_dir.exists():
        raise RunError("run_goes_on", run=run.id)
    refuse_started(run)


def refuse_started(run: Run) -> None:
    """Raises RunError when the run's training was started: neither it nor its data may change."""
    if run.spec_path.exists():
        raise RunError("run_has_started", run=run.id)


def require_adapter(run: Run) -> None:
    if not run.has_adapter:
        raise RunError("adapter_missing", run=run.id)
    if jobs.is_alive(run):
        raise RunError("run_busy", run=run.id)


def refuse_listening(run: Run) -> None:
    """Raises RunError while the base listens to the run's recordings."""
    if listening.is_at_work(run):
        raise RunError("data_being_listened")


@contextmanager
def changing_data(run: Run) -> Iterator[None]:
    """Nobody else changes the dataset meanwhile, and no training starts on it.

    Raises: RunError when the run was started, or its data are being changed, or listened to, at
    this moment.
    """
    lock = locks.acquire(run.dir / DATA_LOCK_NAME)
    if lock is None:
        raise RunError("data_being_added")
    try:
        refuse_started(run)
        refuse_listening(run)
        require_dataset(run)
        yield
    finally:
        os.close(lock)


def room_for_long(run: Run) -> Room:
    """How many bytes recordings too long for a clip may take in this run, whenever it is asked."""

    def room() -> float:
        free = disk.free_bytes(run.dir) - disk.SPARE_BYTES
        return max(0.0, min(free, quota.room_bytes(run)))

    return room
