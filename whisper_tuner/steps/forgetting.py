"""Recordings of Common Voice go after all when a worker was killed before it had deleted them."""

import os
from contextlib import suppress
from pathlib import Path

from whisper_tuner.data.forget import FORGOTTEN, forget_common_voice, is_any_left
from whisper_tuner.errors import RunError
from whisper_tuner.runs import jobs, locks
from whisper_tuner.runs.events import EventWriter, Note, StateChanged, read_events
from whisper_tuner.runs.folder import Run


def finish_all_forgetting(root: Path) -> None:
    """`finish_forgetting` for every run below `root`; one that cannot be read keeps what it has."""
    for path in root.glob("*/run.json"):
        with suppress(RunError, OSError, ValueError):
            finish_forgetting(Run(path.parent))


def finish_forgetting(run: Run) -> None:
    """Delete the recordings of Common Voice of a training that is done and was not to keep them.

    What was restored since then has them because somebody gave their archive again: they stay.
    Raises RunError when the run's specification cannot be read.
    """
    if run.read_spec().config.keep_common_voice or not is_any_left(run.dataset_dir):
        return
    lock = locks.acquire(run.lock_path)  # nobody starts it meanwhile
    if lock is None:
        return
    try:
        events = [record.event for record in read_events(run.events_path)]
        marks = [e for e in events if isinstance(e, StateChanged) or _is_restored(e)]
        if marks[-1:] == [StateChanged("done")]:
            n_deleted = forget_common_voice(run.dataset_dir)
            writer = EventWriter(run.events_path)
            writer.append(Note(FORGOTTEN, {"n": n_deleted}))
            writer.close()
    finally:
        os.close(lock)


def _is_restored(event: object) -> bool:
    return isinstance(event, Note) and event.code == jobs.RESTORED
