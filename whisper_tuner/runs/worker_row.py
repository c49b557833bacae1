"""Which process is a run's worker, what it does and why it was started: the row in its lock file.

A process is known by its number and by when it began, counted in clock ticks since the machine
started: a number is given to another process one day, and a clock may be set back.
"""

import json
import os
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache
from pathlib import Path

import psutil

from whisper_tuner.runs import memory_kills
from whisper_tuner.runs.folder import Run

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
N_BYTES = 1024  # every row is as long, so that a reader never sees the end of an older one


@dataclass(frozen=True)
class WorkerRow:
    """`stage`: see `worker.STAGES`. `n_resumes`: starts in a row that no person asked for.

    `ticket_s`: its place in the queue, when it is not that of the specification. `because`: why the
    worker before it broke off, a locale key and its parameters. `memory_kills`: the system's count
    when it was started.
    """

    pid: int = 0
    started: str = ""
    machine: str = ""
    stage: str = "train"
    n_resumes: int = 0
    ticket_s: float = 0.0
    memory_kills: int = 0
    because: tuple[str, dict] | tuple[()] = field(default=())


def read(run: Run) -> WorkerRow:
    """Of the worker that lives or lived last; an empty one when there was none."""
    try:
        data = json.loads(run.lock_path.read_bytes())
        known = {item.name for item in fields(WorkerRow)}
        return WorkerRow(**{name: value for name, value in data.items() if name in known})
    except (FileNotFoundError, ValueError, AttributeError):
        return WorkerRow()


def write(lock: int, row: WorkerRow) -> None:
    """Only for who holds the lock, whose descriptor this is."""
    os.pwrite(lock, json.dumps(asdict(row)).ljust(N_BYTES).encode(), 0)


def sign(run: Run, lock: int, pid: int) -> None:
    """Say which process the worker is. Both it and its starter do, for either may die first."""
    row = replace(read(run), pid=pid, started=began(pid), machine=machine())
    write(lock, replace(row, memory_kills=memory_kills.count()))


def process_of(row: WorkerRow) -> psutil.Process | None:
    """The process that the row means; None when its number now belongs to a stranger."""
    try:
        same = row.started and row.started == began(row.pid)
        return psutil.Process(row.pid) if same else None
    except (psutil.NoSuchProcess, TypeError, ValueError):
        return None


def began(pid: int) -> str:
    """When a process began, on which start of the machine; "" when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return f"{machine()} {stat.rpartition(')')[2].split()[19]}"  # proc(5): 22, starttime
    except (OSError, IndexError):
        pass
    try:  # where there is no /proc, the kernel keeps the time as it was then
        return f"{psutil.Process(pid).create_time()}"
    except psutil.NoSuchProcess:
        return ""


@cache
def machine() -> str:
    """Which start of which machine, or container, this is."""
    try:
        init = Path("/proc/1/stat").read_text().rpartition(")")[2].split()[19]
        return f"{BOOT_ID.read_text().strip()} {init}"
    except (OSError, IndexError):
        return f"{psutil.boot_time():.0f}"
