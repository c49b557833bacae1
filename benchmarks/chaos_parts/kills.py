"""Workers and pages killed, stopped, hung, and strangers with a worker's number."""

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
from benchmarks.chaos_parts.page import PageProcess
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import caretaker, jobs, locks
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.folder import Run

KILLS_OF_A_RUN = 5
STOP_WITHIN_S, ADOPT_WITHIN_S, REVIVE_WITHIN_S = 30.0, 15.0, 90.0  # what the product promises


def worker_kills(source: Run, n: int, draw: random.Random) -> dict:
    """Kill and resume, several times a run, half of them while a checkpoint is written."""
    whole = trained(source)
    n_steps = n_steps_of(whole)
    n_killed = n_runs = n_equal = n_unresumable = n_lost = 0
    while n_killed < n:
        run = steps.again(source)
        steps.train(run, CONFIG)
        for _ in range(min(KILLS_OF_A_RUN, n - n_killed)):
            before = n_entered(run, "saving")
            if draw.random() < 0.5:
                wait_until(
                    lambda r=run, b=before: n_entered(r, "saving") > b or not jobs.is_alive(r),
                    "a checkpoint",
                )
                time.sleep(draw.uniform(0, 0.05))
            else:
                time.sleep(draw.uniform(0, 15))
            if not jobs.is_alive(run):
                break
            kill_worker(run)
            n_killed += 1
            if jobs.can_resume(jobs.status(run)):  # else it was killed behind its last event
                steps.resume(run)
        finish(run)
        n_runs += 1
        if jobs.status(run).state != "done":
            n_unresumable += 1
            print("\n".join(jobs.log_tail(run, 20)), file=sys.stderr)
            continue
        n_equal += weights(run) == weights(whole)
        n_lost += events_lost(run, n_steps)
        forget(run)
    return {
        "kills": n_killed,
        "killed_runs": n_runs,
        "unresumable": n_unresumable,
        "bitwise_equal": n_equal / n_runs if n_runs else None,
        "events_lost": n_lost,
    }


def page_kills(source: Run, n: int, draw: random.Random) -> dict:
    """Kill the page while a worker trains, open another one, and kill the worker: a page that has
    adopted the run resumes it. The worker must not notice the first kill.
    """
    n_adopted, slowest_s = 0, 0.0
    for _ in range(n):
        run = steps.again(source)
        with PageProcess():
            steps.train(run, CONFIG)
            time.sleep(draw.uniform(0, 8))
        undisturbed = jobs.is_alive(run)
        with PageProcess():
            pid = worker_pid(run)
            kill_worker(run)
            began_s = time.monotonic()
            while jobs.status(run).state == "interrupted":
                if time.monotonic() - began_s > PATIENCE_S:
                    break
                time.sleep(0.05)
            waited_s = time.monotonic() - began_s
            slowest_s = max(slowest_s, waited_s)
            n_adopted += undisturbed and waited_s <= ADOPT_WITHIN_S and worker_pid(run) != pid
            finish(run)
        forget(run)
    return {"page_kills": n, "adopted": n_adopted, "slowest_adoption_s": slowest_s}


def stops(source: Run, n: int, draw: random.Random) -> dict:
    """Stop at any moment: does the worker end in time, in a state that says so?"""
    n_in_time, slowest_s = 0, 0.0
    for _ in range(n):
        run = steps.again(source)
        steps.train(run, CONFIG)
        time.sleep(draw.uniform(0, 25))
        if jobs.is_alive(run):
            with suppress(RunError):  # it ended that very moment
                jobs.stop(run)
        waited_s = wait_until(lambda r=run: not jobs.is_alive(r), "a stopped worker's end")
        slowest_s = max(slowest_s, waited_s)
        n_in_time += waited_s <= STOP_WITHIN_S and jobs.status(run).state in ("stopped", "done")
        forget(run)
    return {"stops": n, "stopped_in_time": n_in_time, "slowest_stop_s": slowest_s}


def hangs(source: Run, n: int, _: random.Random) -> dict:
    """Workers that are halted without dying: a caretaker ends them and the training goes on."""
    whole = trained(source)
    n_revived = n_equal = 0
    for _ in range(n):
        run = steps.again(source)
        steps.train(run, CONFIG)
        wait_until(lambda r=run: n_entered(r, "saving"), "a checkpoint")
        pid = worker_pid(run)
        os.kill(pid, signal.SIGSTOP)
        began_s = time.monotonic()
        while worker_pid(run) == pid and time.monotonic() - began_s < PATIENCE_S:
            look_after(run)
            time.sleep(caretaker.LOOK_EVERY_S)
        n_revived += time.monotonic() - began_s <= REVIVE_WITHIN_S
        finish(run)
        n_equal += weights(run) == weights(whole)
        forget(run)
    return {"hangs": n, "revived_in_time": n_revived, "hung_bitwise_equal": n_equal}


def forgeries(source: Run, n: int, draw: random.Random) -> dict:
    """A lock that is held and names a process that is not the run's worker: nobody is signalled."""
    run = steps.again(source)
    stranger = psutil.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    lock = locks.acquire(run.lock_path)
    n_signalled = 0
    for _ in range(n):
        created = draw.choice([None, "x", 0.0, stranger.create_time() - draw.uniform(0.01, 1e6)])
        row = {"pid": draw.choice([stranger.pid, stranger.pid, 2**22 + 1]), "created": created}
        os.truncate(lock, 0)
        os.pwrite(lock, draw.choice([json.dumps(row), json.dumps(row)[:-3], ""]).encode(), 0)
        n_signalled += jobs.kill(run)
        with suppress(RunError):
            jobs.stop(run)
            n_signalled += 1
        n_signalled += not stranger.is_running()
    os.close(lock)
    stranger.kill()
    stranger.wait()
    return {"forgeries": n, "strangers_signalled": n_signalled}
