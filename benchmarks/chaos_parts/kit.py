"""What all parts share: waiting, killing, and what may not be lost."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress

from benchmarks.turns import QUICK_BASE
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import StateChanged, Step, read_events, without_lost_steps
from whisper_tuner.runs.folder import Run

PATIENCE_S = 300.0
CONFIG = TrainConfig(QUICK_BASE, steps.EXAMPLE_LANGUAGE, "32bit", epochs=10, n_score_clips=0)


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
    wait_until(lambda: run.lock_path.stat().st_size, "a worker's number")
    return json.loads(run.lock_path.read_text())["pid"]


def kill_worker(run: Run) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker_pid(run), signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(run), "a killed worker's end")


def n_entered(run: Run, state: str) -> int:
    return sum(record.event == StateChanged(state) for record in read_events(run.events_path))


def finish(run: Run) -> None:
    wait_until(lambda: not jobs.is_alive(run), "a run's end")


def forget(run: Run) -> None:
    """Delete a run that has ended; its exit code may be written at this very moment."""
    while run.dir.exists():
        with suppress(OSError):
            shutil.rmtree(run.dir)


def weights(run: Run) -> bytes:
    return (run.adapter_dir / "adapter_model.safetensors").read_bytes()


def events_lost(run: Run, n_steps: int) -> int:
    """Numbers missing or twice among the events, and steps missing or twice in what is shown."""
    records = read_events(run.events_path)
    shown = [r.event.step for r in without_lost_steps(records) if isinstance(r.event, Step)]
    wrong = sum(record.seq != i for i, record in enumerate(records, 1))
    return wrong + len(set(range(1, n_steps + 1)) ^ set(shown)) + len(shown) - len(set(shown))


def n_steps_of(run: Run) -> int:
    return sum(isinstance(r.event, Step) for r in read_events(run.events_path))


def trained(source: Run) -> Run:
    """What a training that nobody disturbs comes to."""
    run = steps.again(source)
    steps.train(run, CONFIG)
    finish(run)
    return run
