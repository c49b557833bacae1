"""Starting, stopping and watching workers: processes, not training.

A worker holds its run's lock for life, so "alive" is what the kernel says, and a restarted page
sees the same as the one that started it.
"""

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
from whisper_tuner.runs import disk, heartbeat, listening, locks, queue, reasons, worker_row
from whisper_tuner.runs.events import (
    TERMINAL_STATES,
    Failed,
    Note,
    Record,
    StateChanged,
    last_state,
    read_events,
)
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.worker_row import WorkerRow

WORKER = "whisper_tuner.worker"  # the module that a worker process runs
STOP_NAME = "stop_asked"  # since when the worker is to end
STOP_WITHIN_S = 30.0  # after that a worker is ended: it hangs, or a step takes too long
MAX_RESUMES = 2  # in a row, by itself; after that a person decides
SAVED = "note_saved"  # the worker says it when the adapter is that of the training's end
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


def start(run: Run, stage: str = "train", by_itself: bool = False, ticket_s: float = 0.0) -> bool:
    """Start the run's worker and return at once; False when it is alive already.

    `by_itself`: no person asked for it. `ticket_s`: its new place in the queue (`queue.place`);
    without one it keeps the place that it has.
    The worker inherits the locked file descriptor: there is no moment between start and lock.
    Raises RunError when the disk is too full for it to write anything.
    """
    if disk.is_full(run.dir):
        raise RunError("disk_full")
    lock = locks.acquire(run.lock_path)
    if lock is None:
        return False
    try:
        worker_row.write(lock, _new_row(run, stage, by_itself, ticket_s))
        reasons.forget(run)
        (run.dir / STOP_NAME).unlink(missing_ok=True)
        heartbeat.beat(run)  # the last worker's is old
        with sigterm_blocked(), run.log_path.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", WORKER, str(run.dir), stage, str(lock)],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=worker_environment(),
                cwd=run.dir,
                start_new_session=True,
                pass_fds=(lock,),
            )
        worker_row.sign(run, lock, process.pid)
    finally:
        os.close(lock)
    threading.Thread(target=reasons.reap, args=(process, run), daemon=True).start()
    return True


def _new_row(run: Run, stage: str, by_itself: bool, ticket_s: float) -> WorkerRow:
    before, records = worker_row.read(run), read_events(run.events_path)
    is_other_work = (before.stage == listening.STAGE) != (stage == listening.STAGE)
    broke_off = bool(records) and last_state(records) not in TERMINAL_STATES
    return WorkerRow(
        stage=stage,
        n_resumes=before.n_resumes + 1 if by_itself else 0,
        ticket_s=ticket_s or (0.0 if is_other_work else before.ticket_s),
        because=reasons.why_interrupted(run) if broke_off else (),
    )


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


def last_stage(run: Run) -> str:
    """What the run's worker does, or did when it ended; "train" when it has only listened."""
    stage = worker_row.read(run).stage
    has_listened = stage == listening.STAGE and not isinstance(run, listening.Listening)
    return "train" if has_listened else stage


def _owner(run: Run) -> psutil.Process | None:
    """The living worker of this run; None when its pid now belongs to a stranger."""
    return worker_row.process_of(worker_row.read(run)) if is_alive(run) else None


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


def kill(run: Run, reason: str) -> bool:
    """End the worker and what it started, at once; False when none is this run's own.

    `reason`: a locale key, told from then on.
    """
    process = _owner(run)
    if process is None:
        return False
    with suppress(OSError):  # on a full disk it is ended all the same
        (run.dir / reasons.ENDED_BY_NAME).write_text(reason)
    try:
        os.killpg(process.pid, signal.SIGKILL)  # its own group: see `start`
    except ProcessLookupError:
        return False
    return True


def can_resume(status: Status) -> bool:
    """Whether the training of a run in this state ended before its end."""
    return not status.alive and status.state in ("interrupted", "failed", "stopped")


def can_compare(run: Run, status: Status) -> bool:
    """Whether the adapter is what the training came to, and not of an earlier stop."""
    has_ended = status.state in ("done", "stopped") or last_stage(run) == "compare"
    return run.has_adapter and has_ended and not status.alive


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
    if is_stop_asked(run) and _has_saved(records):
        return Status("stopped", False)  # ended while it was measured
    reason, params = reasons.why_interrupted(run)
    return Status("interrupted", False, 0, reason, params, _goes_on(run, records))


def _alive(run: Run, state: str) -> Status:
    ahead = queue.runs_ahead(run) if state == "queued" else []
    if state == "queued" and not ahead and disk.is_full(run.dir):
        return Status("paused", True)  # its worker has no room to say so itself
    return Status(state, True, len(ahead), starts_in_s=sum(map(queue.rest_s, ahead)))


def _has_saved(records: list[Record]) -> bool:
    """Whether the last worker came as far as to save its adapter."""
    events = [record.event for record in records]
    queued = [i for i, event in enumerate(events) if event == StateChanged("queued")]
    return Note(SAVED) in events[queued[-1] if queued else 0 :]


def _goes_on(run: Run, records: list[Record]) -> bool:
    """Not what somebody was stopping or has just restored, nor for ever, nor what nobody waits for
    any more; and not before there is room on the disk."""
    if not records or is_stop_asked(run) or worker_row.read(run).n_resumes >= MAX_RESUMES:
        return False
    if isinstance(records[-1].event, Note) and records[-1].event.code == RESTORED:
        return False
    return not is_forgotten(run) and not disk.is_full(run.dir)


def is_forgotten(run: Run) -> bool:
    """Whether it broke off too long ago for anybody to wait for more."""
    if worker_row.read(run).machine == worker_row.machine():
        return heartbeat.age_s(run) > FORGOTTEN_S  # whatever happened to the clock
    try:
        return time.time() - run.events_path.stat().st_mtime > FORGOTTEN_S
    except FileNotFoundError:
        return True


def log_tail(run: Run, n_lines: int = 100) -> list[str]:
    """The last lines the worker printed."""
    try:
        with run.log_path.open("rb") as file:
            file.seek(max(0, run.log_path.stat().st_size - 64_000))
            return file.read().decode("utf-8", "replace").splitlines()[-n_lines:]
    except FileNotFoundError:
        return []
