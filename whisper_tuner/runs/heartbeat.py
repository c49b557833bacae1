"""Whether a living worker still moves: it writes the time to its run folder every few seconds.

The time is the machine's monotonic clock, which all processes share and nobody sets: a clock put
forward by a day ends no training.
"""

import threading
import time

from whisper_tuner.runs.folder import Run

BEAT_S = 5.0
SILENT_S = 60.0


def start(run: Run) -> None:
    """Beat in a thread for as long as this process runs."""
    beat(run)
    threading.Thread(target=_keep_beating, args=(run,), daemon=True, name="heartbeat").start()


def _keep_beating(run: Run) -> None:
    while run.dir.exists():
        beat(run)
        time.sleep(BEAT_S)


def beat(run: Run) -> None:
    new = run.heartbeat_path.with_suffix(".new")
    new.write_text(str(time.monotonic()))
    new.replace(run.heartbeat_path)


def is_silent(run: Run) -> bool:
    """Whether the last beat is too long ago. Says nothing about a worker that has ended."""
    try:
        last_s = float(run.heartbeat_path.read_text())
    except (FileNotFoundError, ValueError):
        return False
    return time.monotonic() - last_s > SILENT_S
