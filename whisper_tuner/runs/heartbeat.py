"""Whether a living worker still moves: it writes the time to its run folder every few seconds.

The time is the machine's monotonic clock, which all processes share and nobody sets: a clock put
forward by a day ends no training.
"""

import os
import threading
import time
from contextlib import suppress

from whisper_tuner.runs.folder import Run

BEAT_S = 5.0
SILENT_S = 60.0


def start(run: Run) -> None:
    """Beat in a thread for as long as this process runs."""
    beat(run)
    threading.Thread(target=_keep_beating, args=(run,), daemon=True, name="heartbeat").start()


def _keep_beating(run: Run) -> None:
    while run.dir.exists():
        with suppress(OSError):  # the next one may succeed
            beat(run)
        time.sleep(BEAT_S)


def beat(run: Run) -> None:
    """Write over the last beat, as long as it: a full disk must not silence a healthy worker."""
    fd = os.open(run.heartbeat_path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        os.pwrite(fd, f"{time.monotonic():020.3f}".encode(), 0)
    finally:
        os.close(fd)


def is_silent(run: Run) -> bool:
    """Whether the last beat is too long ago. Says nothing about a worker that has ended."""
    try:
        last_s = float(run.heartbeat_path.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return time.monotonic() - last_s > SILENT_S
