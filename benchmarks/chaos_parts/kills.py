"""Workers killed and halted, and strangers with a worker's number."""

import json
import os
import random
import signal
import sys
import time
from contextlib import suppress

import psutil

from benchmarks.chaos_parts.kit import (
    CONFIG,
    PATIENCE_S,
    Tell,
    events_lost,
    finish,
    forget,
    kill_worker,
    n_entered,
    n_steps_of,
    trained,
    wait_until,
    weights,
    worker_pid,
)
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import caretaker, jobs, locks, reasons, worker_row
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.folder import Run

KILLS_OF_A_RUN = 5
REVIVE_WITHIN_S = 90.0  # what the product promises


def worker_kills(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """Kill and resume, several times a run, half of them while a checkpoint is written."""
    whole = trained(source)
    n_steps = n_steps_of(whole)
    n_killed = n_runs = n_equal = n_unresumable = n_lost = 0
    figures: dict = {"kills": 0}
    while n_killed < n:
        run = steps.again(source)
        steps.train(run, CONFIG)
        n_kills = _kill_again_and_again(run, min(KILLS_OF_A_RUN, n - n_killed), draw)
        finish(run)
        state = jobs.status(run).state
        if not n_kills and state == "done":  # it was over before the first
            forget(run)
            continue
        n_killed += n_kills
        n_runs += 1
        if state != "done":
            n_unresumable += 1
            print("\n".join(jobs.log_tail(run, 20)), file=sys.stderr)
        else:
            n_equal += weights(run) == weights(whole)
            n_lost += events_lost(run, n_steps)
            forget(run)
        figures = {
            "kills": n_killed,
            "killed_runs": n_runs,
            "unresumable": n_unresumable,
            "bitwise_equal": n_equal / n_runs,
            "events_lost": n_lost,
        }
        tell(figures)
    return figures


def _kill_again_and_again(run: Run, n: int, draw: random.Random) -> int:
    """Kill its worker `n` times at most, and resume it each time; returns how often it was hit."""
    for n_kills in range(n):
        before = n_entered(run, "saving")
        if draw.random() < 0.5:
            wait_until(
                lambda b=before: n_entered(run, "saving") > b or not jobs.is_alive(run),
                "a checkpoint",
            )
            time.sleep(draw.uniform(0, 0.05))
        else:
            time.sleep(draw.uniform(0, 15))
        if not jobs.is_alive(run):
            return n_kills
        kill_worker(run)
        if jobs.can_resume(jobs.status(run)):  # else it was killed behind its last event
            steps.resume(run)
    return n


def hangs(source: Run, n: int, _: random.Random, tell: Tell) -> dict:
    """Workers that are halted without dying: a caretaker ends them and the training goes on."""
    whole = trained(source)
    figures = {"hangs": 0, "revived_in_time": 0, "hung_bitwise_equal": 0}
    while figures["hangs"] < n:
        run = steps.again(source)
        steps.train(run, CONFIG)
        wait_until(lambda r=run: n_entered(r, "saving"), "a checkpoint")
        pid = worker_pid(run)
        os.kill(pid, signal.SIGSTOP)
        began_s = time.monotonic()
        while worker_pid(run) == pid and time.monotonic() - began_s < PATIENCE_S:
            look_after(run)
            time.sleep(caretaker.LOOK_EVERY_S)
        revived_s = time.monotonic() - began_s
        if worker_pid(run) == pid:
            kill_worker(run)  # nobody else does
        finish(run)
        figures["hangs"] += 1
        figures["revived_in_time"] += revived_s <= REVIVE_WITHIN_S
        figures["hung_bitwise_equal"] += weights(run) == weights(whole)
        tell(figures)
        forget(run)
    return figures


def forgeries(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """A lock that is held and names a process that is not the run's worker: nobody is signalled."""
    run = steps.again(source)
    stranger = psutil.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    lock = locks.acquire(run.lock_path)
    n_signalled = 0
    for i in range(n):
        began = worker_row.began(stranger.pid)
        started = draw.choice([None, 7, "", "0", began[:-1], f"{began}0", f"x{began}"])
        row = {"pid": draw.choice([stranger.pid, stranger.pid, 2**22 + 1]), "started": started}
        os.truncate(lock, 0)
        os.pwrite(lock, draw.choice([json.dumps(row), json.dumps(row)[:-3], ""]).encode(), 0)
        n_signalled += jobs.kill(run, reasons.HUNG)
        with suppress(RunError):
            jobs.stop(run)
            n_signalled += 1
        n_signalled += not stranger.is_running()
        tell({"forgeries": i + 1, "strangers_signalled": n_signalled})
    worker_row.sign(run, lock, stranger.pid)
    jobs.stop(run)  # the true row is obeyed: the others were refused for what is false in them
    stranger.wait(PATIENCE_S)
    os.close(lock)
    return {"forgeries": n, "strangers_signalled": n_signalled}
