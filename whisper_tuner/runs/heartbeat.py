"""Whether a living worker still moves: it writes two times to its run folder every few seconds.

The first is the beat: as long as the process runs at all, it is young. The second is when the work
itself last said that it goes on: a call into a graphics card that never returns leaves the process
alive. Both are of the machine's monotonic clock, which all processes share and nobody sets: a clock
put forward by a day ends no training.
"""

import math
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from whisper_tuner.runs.folder import Run

BEAT_S = 5.0
SILENT_S = 60.0  # without a beat
STUCK_S = 1800.0  # without a part of a step, a batch, an event; the slowest takes minutes on a CPU


class Pulse:
    """Beats in a thread for as long as this process runs; its work says when it `moved`."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._moved_s = time.monotonic()
        self._is_patient = False
        beat(run)
        threading.Thread(target=self._keep_beating, daemon=True, name="heartbeat").start()

    def moved(self) -> None:
        self._moved_s = time.monotonic()

    @contextmanager
    def patient(self) -> Iterator[None]:
        """What is done inside may take hours without a word, such as a download."""
        self._is_patient = True
        try:
            yield
        finally:
            self.moved()
            self._is_patient = False

    def _keep_beating(self) -> None:
        while self._run.dir.exists():
            with suppress(OSError):  # the next one may succeed
                beat(self._run, math.inf if self._is_patient else self._moved_s)
            time.sleep(BEAT_S)


def beat(run: Run, moved_s: float = math.inf) -> None:
    """Write over the last beat, as long as it: a full disk must not silence a healthy worker."""
    fd = os.open(run.heartbeat_path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(fd, f"{time.monotonic():20.3f} {moved_s:20.3f}".encode(), 0)
    finally:
        os.close(fd)


def is_silent(run: Run) -> bool:
    """Whether it is too long ago that it beat, or moved. Says nothing about one that has ended."""
    beat_s, moved_s = _read(run)
    return age_s(run) > SILENT_S or beat_s - moved_s > STUCK_S


def age_s(run: Run) -> float:
    """Seconds since the last beat; 0 when there was none. Only true until the machine restarts."""
    beat_s, _ = _read(run)
    return max(0.0, time.monotonic() - beat_s)


def _read(run: Run) -> tuple[float, float]:
    """When the last worker beat, and when its work moved; never, when it is unknown."""
    try:
        beat_s, moved_s = map(float, run.heartbeat_path.read_text().split())
        return beat_s, moved_s
    except (FileNotFoundError, ValueError):
        return math.inf, math.inf
