"""Looks after the runs of a machine: a training that broke off goes on, one that hangs is ended.

The page and a terminal that follows a run each have one. What it knows it reads from the run
folders, so a restarted page takes up where the last one was, and two do no harm: a worker is
started under its run's lock, and only one that is proven to be the run's own is ended.
"""

import threading
import time
import traceback
from pathlib import Path

from whisper_tuner.runs import heartbeat, jobs
from whisper_tuner.runs.events import Note, Record, read_events
from whisper_tuner.runs.folder import Run

LOOK_EVERY_S = 5.0
MAX_RESUMES = 2  # of one run, by itself; after that a person decides
FORGOTTEN_S = 24 * 3600.0  # what broke off longer ago, nobody waits for
RESUMED = "note_resumed_by_itself"  # the worker says it, so it is counted in the events


class Caretaker:
    """A daemon thread that looks at every run below `root` again and again."""

    def __init__(self, root: Path) -> None:
        self.root = root
        threading.Thread(target=self._watch, daemon=True, name="caretaker").start()

    def _watch(self) -> None:
        while True:
            look_after_all(self.root)
            time.sleep(LOOK_EVERY_S)


def look_after_all(root: Path) -> None:
    for path in root.glob("*/run.json"):
        try:
            look_after(Run(path.parent))
        except Exception:  # a run that cannot be read, or is being deleted: the others count too
            traceback.print_exc()


def look_after(run: Run) -> None:
    """End the run's worker when it hangs; start one when the training broke off."""
    if jobs.is_alive(run):
        if heartbeat.is_silent(run):
            time.sleep(2 * heartbeat.BEAT_S)  # the whole machine may have stood still
            if heartbeat.is_silent(run):
                jobs.kill(run)  # the next look finds it interrupted
        return
    if not run.events_path.exists() or _age_s(run.events_path) > FORGOTTEN_S:
        return
    records = read_events(run.events_path)
    if jobs.status(run, records).state == "interrupted" and _may_resume(records):
        jobs.start(run, jobs.last_stage(run), RESUMED)


def _may_resume(records: list[Record]) -> bool:
    """Not what somebody was stopping, and not for ever."""
    n_resumed = sum(record.event == Note(RESUMED) for record in records)
    return jobs.last_state(records) != "stopping" and n_resumed < MAX_RESUMES


def _age_s(path: Path) -> float:
    return time.time() - path.stat().st_mtime
