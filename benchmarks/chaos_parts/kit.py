"""What all parts share: waiting, killing, and what may not be lost."""

import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from functools import cache

import psutil

from benchmarks.turns import QUICK_BASE
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import jobs, worker_row
from whisper_tuner.runs.events import (
    StateChanged,
    Step,
    last_state,
    read_events,
    without_lost_steps,
)
from whisper_tuner.runs.folder import Run

PATIENCE_S = 300.0
CONFIG = TrainConfig(QUICK_BASE, steps.EXAMPLE_LANGUAGE, "32bit", epochs=10, n_score_clips=0)
MAX_DRAWS = 5  # a fault that came too late (the run was over) is drawn again, so often at most
Tell = Callable[[dict], None]  # a part tells its figures whenever one more of its faults is over


def wait_until(condition: Callable[[], object], what: str) -> float:
    """Seconds until it holds. Ends the benchmark when it never does."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > PATIENCE_S:
            raise SystemExit(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(0.01)
    return time.monotonic() - began_s


def worker_pid(run: Run) -> int:
    """Of the worker that lives or lived last; waits for one that is being started."""
    wait_until(lambda: worker_row.read(run).pid, "a worker's number")
    return worker_row.read(run).pid


def identity(pid: int) -> tuple[int, float] | None:
    """A process's number and when it was started; None when there is none that works."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return pid, process.create_time()
    return None


def kill_worker(run: Run) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker_pid(run), signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(run), "a killed worker's end")


def n_entered(run: Run, state: str) -> int:
    return sum(record.event == StateChanged(state) for record in read_events(run.events_path))


def state_of(run: Run) -> str:
    """What the events say, whether the worker lives or not."""
    return last_state(read_events(run.events_path))


def finish(run: Run) -> None:
    wait_until(lambda: not jobs.is_alive(run), "a run's end")


def ended_as(run: Run) -> str:
    """`done`, or the state with its reason."""
    status = jobs.status(run)
    return f"{status.state}({status.reason})" if status.reason else status.state


def forget(run: Run) -> None:
    """Delete a run that has ended; its exit code may be written at this very moment."""
    while run.dir.exists():
        with suppress(OSError):
            shutil.rmtree(run.dir)


def weights(run: Run) -> bytes | None:
    """The bytes of the run's adapter; None when there is none."""
    path = run.adapter_dir / "adapter_model.safetensors"
    return path.read_bytes() if path.exists() else None


def events_lost(run: Run, n_steps: int) -> int:
    """Numbers missing or twice among the events, and steps missing or twice in what is shown."""
    records = read_events(run.events_path)
    shown = [r.event.step for r in without_lost_steps(records) if isinstance(r.event, Step)]
    wrong = sum(record.seq != i for i, record in enumerate(records, 1))
    return wrong + len(set(range(1, n_steps + 1)) ^ set(shown)) + len(shown) - len(set(shown))


def n_steps_of(run: Run) -> int:
    return sum(isinstance(r.event, Step) for r in read_events(run.events_path))


@cache
def trained(source: Run, config: TrainConfig = CONFIG) -> Run:
    """What a training that nobody disturbs comes to; parts share it."""
    run = steps.again(source)
    steps.train(run, config)
    finish(run)
    if jobs.status(run).state != "done" or weights(run) is None:
        log = "\n".join(jobs.log_tail(run, 20))
        raise SystemExit(f"a training that nobody disturbed: {ended_as(run)}\n{log}")
    return run
