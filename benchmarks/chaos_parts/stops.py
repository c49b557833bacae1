"""Trainings stopped in every phase."""

import os
import random
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from safetensors import SafetensorError
from safetensors.numpy import load_file

from benchmarks.chaos_parts.kit import (
    CONFIG,
    MAX_DRAWS,
    Tell,
    finish,
    forget,
    n_steps_of,
    state_of,
    trained,
    wait_until,
    weights,
)
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import jobs, locks
from whisper_tuner.runs.folder import Run
from whisper_tuner.worker import DEVICE_LOCK_NAME

STOP_WITHIN_S = 30.0  # what the product promises
# Aimed at in turn, and how long (s) behind the beginning of each the person presses at most.
PHASES = {"training": 5.0, "saving": 0.05, "evaluating": 0.5, "preparing": 2.0, "queued": 2.0}
RESUMED_OF_A_PHASE = 1  # of the runs stopped in it, so many are resumed to their end


def stops(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """Stop in every phase: the worker ends in time as `stopped`, keeps what was learnt, and can go
    on to the end. That need not be the same: Stop saves behind any step, and the silence is
    recorded there anew (`training/trainer.py`). A run that was over before Stop was pressed, or had
    measured its last clip, is drawn again.
    """
    whole = trained(source)
    pressed_in: Counter[str] = Counter()
    ended_as: Counter[str] = Counter()
    resumed: Counter[str] = Counter()
    figures: dict = {
        "stops": 0,
        "stopped_in_time": 0,
        "slowest_stop_s": 0.0,
        "stops_learnt": 0,
        "stops_adapter_kept": 0,
        "stops_resumed": 0,
        "stops_resumed_done": 0,
        "stops_resumed_bitwise_equal": 0,
    }
    while figures["stops"] < n:
        aim = list(PHASES)[figures["stops"] % len(PHASES)]
        run, phase, waited_s = _stop_in(source, aim, draw)
        state = jobs.status(run).state
        figures["stops"] += 1
        figures["stopped_in_time"] += waited_s <= STOP_WITHIN_S and state == "stopped"
        figures["slowest_stop_s"] = max(figures["slowest_stop_s"], waited_s)
        pressed_in[phase] += 1
        ended_as[state] += 1
        if n_steps_of(run):
            figures["stops_learnt"] += 1
            figures["stops_adapter_kept"] += _has_whole_adapter(run)
        if resumed[phase] < RESUMED_OF_A_PHASE and state != "done":
            resumed[phase] += 1
            figures["stops_resumed"] += 1
            steps.resume(run)
            finish(run)
            is_done = jobs.status(run).state == "done"
            figures["stops_resumed_done"] += is_done
            figures["stops_resumed_bitwise_equal"] += is_done and weights(run) == weights(whole)
        tell(figures | {"stopped_while": dict(pressed_in), "stops_ended_as": dict(ended_as)})
        forget(run)
    return figures | {"stopped_while": dict(pressed_in), "stops_ended_as": dict(ended_as)}


def _stop_in(source: Run, aim: str, draw: random.Random) -> tuple[Run, str, float]:
    """A run that was stopped, in which state, and the seconds until its worker had ended."""
    for _ in range(MAX_DRAWS):
        run = steps.again(source)
        with _busy_device(run) if aim == "queued" else nullcontext():
            steps.train(run, CONFIG)
            wait_until(lambda r=run: state_of(r) == aim or not jobs.is_alive(r), f"the state {aim}")
            time.sleep(draw.uniform(0, PHASES[aim]))
            phase = state_of(run)
            try:
                jobs.stop(run)
            except RunError:  # it was over
                forget(run)
                continue
            waited_s = wait_until(lambda r=run: not jobs.is_alive(r), "a stopped worker's end")
        if not (phase == "evaluating" and state_of(run) == "done"):  # nothing was left to stop
            return run, phase, waited_s
        forget(run)
    raise SystemExit(f"stops: {MAX_DRAWS} times too late while {aim}")


@contextmanager
def _busy_device(run: Run) -> Iterator[None]:
    """Something else is at work: the run waits for its turn."""
    lock = locks.acquire(run.dir.parent / DEVICE_LOCK_NAME)
    if lock is None:
        raise SystemExit("stops: an earlier worker still holds the device")
    try:
        yield
    finally:
        os.close(lock)


def _has_whole_adapter(run: Run) -> bool:
    try:
        return bool(load_file(run.adapter_dir / "adapter_model.safetensors"))
    except (OSError, SafetensorError):
        return False
