"""Why a worker ended before its run did, from what it, its starter and the system left behind."""

import json
import signal
import subprocess
from contextlib import suppress

from whisper_tuner.runs import disk, memory_kills, worker_row
from whisper_tuner.runs.folder import Run

EXIT_NAME = "exit.json"  # how the last worker ended, written by the process that started it
ENDED_BY_NAME = "ended_by"  # a locale key: why we ended it ourselves
HUNG, STOP_FORCED = "worker_hung", "worker_stop_forced"


def forget(run: Run) -> None:
    """A new worker begins: what is known of the end of the last one is not about it."""
    for name in (EXIT_NAME, ENDED_BY_NAME):
        (run.dir / name).unlink(missing_ok=True)


def reap(process: subprocess.Popen, run: Run) -> None:
    """Wait for a worker and keep its exit code: it tells a killed one from one that crashed."""
    end = {"code": process.wait(), "memory_kills": memory_kills.count()}
    with suppress(OSError):  # the run was deleted, or the disk is full
        (run.dir / EXIT_NAME).write_text(json.dumps(end))


def why_interrupted(run: Run) -> tuple[str, dict]:
    """A locale key and its parameters."""
    with suppress(OSError):
        return (run.dir / ENDED_BY_NAME).read_text(), {}
    if disk.is_full(run.dir):
        return "disk_full", {}
    row, end = worker_row.read(run), _end(run)
    is_same_machine = row.machine == worker_row.machine()
    code = end.get("code")  # None when nobody was there to see it end
    n_kills = end.get("memory_kills", memory_kills.count())
    if is_same_machine and code in (None, -signal.SIGKILL) and n_kills > row.memory_kills:
        return "out_of_memory_host", {}
    if code is None:
        return "worker_gone" if is_same_machine else "worker_vanished", {}
    return "worker_killed" if code < 0 else "worker_crashed", {"code": abs(code)}


def _end(run: Run) -> dict:
    try:
        return json.loads((run.dir / EXIT_NAME).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
