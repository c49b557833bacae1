"""Starting, stopping and watching workers: processes, not training.

A worker holds its run's lock for life, so "alive" is what the kernel says, and a restarted page
sees the same as the one that started it.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from whisper_tuner.errors import RunError
from whisper_tuner.runs import disk, heartbeat, locks, memory_kills, queue
from whisper_tuner.runs.events import (
    TERMINAL_STATES,
    Failed,
    Note,
    Record,
    last_state,
    read_events,
)
from whisper_tuner.runs.folder import Run

WORKER = "whisper_tuner.worker"  # the module that a worker process runs
EXIT_NAME, STOP_NAME = "exit.json", "stop_asked"  # how it ended; since when it is to end
STOP_WITHIN_S = 30.0  # after that a worker is ended: it hangs, or a step takes too long
MAX_RESUMES = 2  # of one run, by itself; after that a person decides
RESUMED = "note_resumed_by_itself"  # the worker says it, so it is counted in the events
RESTORED = "note_restored"  # out of a copy; a person resumes it, for a copy may be of any day
FORGOTTEN_S = 24 * 3600.0  # what broke off longer ago, nobody waits for
ENVIRONMENT = (
    *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "XDG_CACHE_HOME", "WHISPER_TUNER_CACHE"),
    *("PYTHONPATH", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "OMP_NUM_THREADS"),
    *("HF_HOME", "HF_HUB_CACHE", "HF_HUB_OFFLINE", "HF_ENDPOINT", "HF_HUB_DISABLE_XET"),
    *("CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NVIDIA_VISIBLE_DEVICES"),
)


@dataclass(frozen=True)
class Status:
    """What is true of a run now. `ahead`: runs to be finished before this one may start, in about
    `starts_in_s`.

    `goes_on`: it broke off, and is to be resumed without asking anybody (`runs/caretaker.py`).
    """

    state: str
    alive: bool
    ahead: int = 0
    reason: str = ""  # a locale key, when the state is failed or interrupted
    params: dict = field(default_factory=dict)
    goes_on: bool = False
    starts_in_s: float = 0.0


def worker_environment() -> dict[str, str]:
    """What a worker may know: an allow-list, so that no token or secret is inherited."""
    kept = {name: os.environ[name] for name in ENVIRONMENT if name in os.environ}
    package_parent = str(Path(__file__).resolve().parents[2])
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join(filter(None, (package_parent, kept.get("PYTHONPATH")))),
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",  # else a saved login would be read from disk
        "TOKENIZERS_PARALLELISM": "false",
        "TORCHDYNAMO_DISABLE": "1",  # bitsandbytes compiles at import: a second for nothing
    }


def start(run: Run, stage: str = "train", note: str = "") -> bool:
    """Start the run's worker and return at once; False when it is alive already.

    `note`: a locale key; the worker says first why it was started, where no person asked for it.
    The worker inherits the locked file descriptor: there is no moment between start and lock.
    Raises RunError when the disk is too full for it to write anything.
    """
    if disk.is_full(run.dir):
        raise RunError("disk_full")
    lock = locks.acquire(run.lock_path)
    if lock is None:
        return False
    try:
        os.truncate(lock, 0)
        for name in (EXIT_NAME, STOP_NAME):  # of the worker before
            (run.dir / name).unlink(missing_ok=True)
        n_kills = memory_kills.count()
        log = run.log_path.open("ab")
        command = [sys.executable, "-m", WORKER, str(run.dir), stage, str(lock)]
        command += ["--note", note] if note else []
        heartbeat.beat(run)  # the last worker's is old
        with sigterm_blocked():
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=worker_environment(),
                cwd=run.dir,
                start_new_session=True,
                pass_fds=(lock,),
            )
        log.close()
        created = psutil.Process(process.pid).create_time()
        owner = {"pid": process.pid, "created": created, "stage": stage, "memory_kills": n_kills}
        os.pwrite(lock, json.dumps(owner).encode(), 0)
    finally:
        os.close(lock)
    threading.Thread(target=_reap, args=(process, run), daemon=True).start()
    return True


@contextmanager
def sigterm_blocked() -> Iterator[None]:
    """A process started inside keeps SIGTERM waiting until it is ready to obey it.

    Otherwise a Stop pressed while the worker's interpreter starts would kill it.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _reap(process: subprocess.Popen, run: Run) -> None:
    """Keep the exit code: it is how a killed worker is told from one that crashed."""
    code = process.wait()
    with suppress(OSError):  # the run was deleted, or the disk is full
        (run.dir / EXIT_NAME).write_text(json.dumps({"code": code}))


def last_stage(run: Run) -> str:
    """What the run's worker does, or did when it ended."""
    return _last_worker(run).get("stage", "train")


def _last_worker(run: Run) -> dict:
    try:
        return json.loads(run.lock_path.read_text())
    except (FileNotFoundError, ValueError):
        return {}


def _owner(run: Run) -> psutil.Process | None:
    """The living worker of this run; None when its pid now belongs to a stranger."""
    if not locks.is_held(run.lock_path):
        return None
    owner = _last_worker(run)
    try:
        process = psutil.Process(owner["pid"])
        return process if process.create_time() == owner["created"] else None
    except (KeyError, psutil.NoSuchProcess):
        return None


def stop(run: Run) -> None:
    """Ask the worker to save what it learnt and end; `is_overdue` says when it does not.

    Raises RunError when nothing is running.
    """
    process = _owner(run)
    if process is None:
        raise RunError("run_not_running", run=run.id)
    asked = run.dir / STOP_NAME
    if not asked.exists():
        with suppress(OSError):  # on a full disk it may still obey
            asked.write_text(f"{time.monotonic()}")
    process.send_signal(signal.SIGTERM)


def is_stop_asked(run: Run) -> bool:
    """Whether Stop was pressed since the last worker was started."""
    return (run.dir / STOP_NAME).exists()


def is_overdue(run: Run) -> bool:
    """Whether a living worker was asked to stop longer ago than it may take."""
    try:
        return time.monotonic() - float((run.dir / STOP_NAME).read_text()) > STOP_WITHIN_S
    except (FileNotFoundError, ValueError):
        return False


def kill(run: Run) -> bool:
    """End the worker and what it started, at once; False when none is this run's own."""
    process = _owner(run)
    if process is None:
        return False
    try:
        os.killpg(process.pid, signal.SIGKILL)  # its own group: see `start`
    except ProcessLookupError:
        return False
    return True


def can_resume(status: Status) -> bool:
    """Whether the training of a run in this state ended before its end."""
    return not status.alive and status.state in ("interrupted", "failed", "stopped")


def is_alive(run: Run) -> bool:
    return locks.is_held(run.lock_path)


def status(run: Run, records: list[Record] | None = None) -> Status:
    """The truth about a run, from its events and its lock."""
    alive = is_alive(run)  # before the events: a worker writes its last event, then lets go
    records = read_events(run.events_path) if records is None else records
    state = last_state(records)
    if state == "failed":
        failures = [r.event for r in records if isinstance(r.event, Failed)]
        last = failures[-1] if failures else Failed("worker_crashed")
        return Status(state, alive, reason=last.code, params=last.params)
    if state in TERMINAL_STATES or (state == "draft" and not run.spec_path.exists()):
        return Status(state, alive)
    if alive:
        return _alive(run, "queued" if state == "draft" else state)
    if is_stop_asked(run) and run.has_adapter:
        return Status("stopped", False)  # ended while it was measured
    reason, params = _why_interrupted(run)
    return Status("interrupted", False, 0, reason, params, _goes_on(run, records))


def _alive(run: Run, state: str) -> Status:
    ahead = queue.runs_ahead(run) if state == "queued" else []
    return Status(state, True, len(ahead), starts_in_s=sum(map(queue.rest_s, ahead)))


def _goes_on(run: Run, records: list[Record]) -> bool:
    """Not what somebody was stopping or has just restored, nor for ever, nor what nobody waits for
    any more; and not before there is room on the disk."""
    n_resumed = sum(record.event == Note(RESUMED) for record in records)
    if not records or is_stop_asked(run) or n_resumed >= MAX_RESUMES:
        return False
    if isinstance(records[-1].event, Note) and records[-1].event.code == RESTORED:
        return False
    return not is_forgotten(run) and not disk.is_full(run.dir)


def is_forgotten(run: Run) -> bool:
    """Whether its last event is too long ago for anybody to wait for more."""
    try:
        return time.time() - run.events_path.stat().st_mtime > FORGOTTEN_S
    except FileNotFoundError:
        return True


def _why_interrupted(run: Run) -> tuple[str, dict]:
    """A locale key and its parameters."""
    if is_stop_asked(run):
        return "worker_stop_forced", {}
    if disk.is_full(run.dir):
        return "disk_full", {}
    code = _exit_code(run)
    n_kills = memory_kills.count()
    if code in (None, -signal.SIGKILL) and n_kills > _last_worker(run).get("memory_kills", n_kills):
        return "out_of_memory_host", {}
    if code is None:
        return "worker_vanished", {}
    return "worker_killed" if code < 0 else "worker_crashed", {"code": abs(code)}


def _exit_code(run: Run) -> int | None:
    """None when nobody was there to see the worker end."""
    try:
        return json.loads((run.dir / EXIT_NAME).read_text())["code"]
    except (FileNotFoundError, json.JSONDecodeError):
        return None


def log_tail(run: Run, n_lines: int = 100) -> list[str]:
    """The last lines the worker printed."""
    try:
        with run.log_path.open("rb") as file:
            file.seek(max(0, run.log_path.stat().st_size - 64_000))
            return file.read().decode("utf-8", "replace").splitlines()[-n_lines:]
    except FileNotFoundError:
        return []
