"""Looks after the runs of a machine: a training that broke off goes on, one that hangs is ended,
and what was left half made is swept up.

The page and a terminal that follows a run each have one. What it knows it reads from the run
folders, so a restarted page takes up where the last one was, and two do no harm: a worker is
started under its run's lock, and only one that is proven to be the run's own is ended.
"""

import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from whisper_tuner.runs import aligning, heartbeat, jobs, listening, reasons, tryout
from whisper_tuner.runs.delete import sweep
from whisper_tuner.runs.folder import Run

LOOK_EVERY_S = 5.0
SWEEP_EVERY_S = 3600.0


class Caretaker:
    """A daemon thread that looks at every run below `root` again and again, and once an hour sweeps
    up what was left half made there and in `uploads`, and does what `hourly` does to `root`.
    """

    def __init__(
        self,
        root: Path,
        uploads: Path | None = None,
        hourly: Callable[[Path], None] = lambda root: None,
    ) -> None:
        self.root, self.uploads, self.hourly = root, uploads, hourly
        threading.Thread(target=self._watch, daemon=True, name="caretaker").start()

    def _watch(self) -> None:
        swept_s = -SWEEP_EVERY_S
        while True:
            try:
                look_after_all(self.root)
                if time.monotonic() - swept_s > SWEEP_EVERY_S:
                    swept_s = time.monotonic()
                    sweep(self.root, self.uploads)
                    self.hourly(self.root)
            except Exception:  # as below: without a caretaker nothing goes on by itself
                traceback.print_exc()
            time.sleep(LOOK_EVERY_S)


def look_after_all(root: Path) -> None:
    listened_to = root.glob(f"*/{listening.SPEC_NAME}")
    aligned = root.glob(f"*/{aligning.FOLDER_NAME}/task.json")
    for run in (
        *(Run(path.parent) for path in root.glob("*/run.json")),
        *(Run(path.parent.parent) for path in aligned),
        *(listening.Listening(path.parent) for path in listened_to),
    ):
        try:
            look_after(run)
        except Exception:  # a run that cannot be read, or is being deleted: the others count too
            traceback.print_exc()


def look_after(run: Run) -> None:
    """End a worker that hangs or does not stop; start one when the training broke off."""
    if jobs.is_alive(run):
        if jobs.is_overdue(run):
            jobs.kill(run, reasons.STOP_FORCED)
        elif heartbeat.is_silent(run):
            time.sleep(2 * heartbeat.BEAT_S)  # the whole machine may have stood still
            if heartbeat.is_silent(run):
                jobs.kill(run, reasons.HUNG)  # the next look finds it interrupted
        return
    if not jobs.is_forgotten(run) and jobs.status(run).goes_on:  # reading all events takes time
        tryout.close_all()  # its memory is needed
        jobs.start(run, jobs.last_stage(run), by_itself=True)
