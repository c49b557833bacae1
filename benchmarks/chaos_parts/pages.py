"""Pages killed while a worker trains."""

import random
import time
from dataclasses import replace

from benchmarks.chaos_parts.kit import (
    CONFIG,
    MAX_DRAWS,
    PATIENCE_S,
    Tell,
    ended_as,
    events_lost,
    finish,
    forget,
    identity,
    kill_worker,
    n_steps_of,
    trained,
    weights,
    worker_pid,
)
from benchmarks.chaos_parts.page import PageProcess
from whisper_tuner import steps
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui.train_form import to_config, to_values

ADOPT_WITHIN_S = 15.0  # what the product promises
ALONE_S = 3.0  # without any page, before the next one is opened
# Long enough that a worker still trains when the second page stands; as the form says it.
LONG = to_config(to_values(replace(CONFIG, epochs=15)))


def page_kills(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """A page starts a training and is killed with all it started but the worker, which must not
    notice; another page is opened, and the worker killed: a page that has adopted the run resumes
    it, to the weights of a training that nobody disturbed.
    """
    whole = trained(source, LONG)
    figures: dict = {
        "page_kills": 0,
        "page_kills_unnoticed": 0,
        "adopted": 0,
        "slowest_adoption_s": 0.0,
        "page_kills_bitwise_equal": 0,
        "page_kills_events_lost": 0,
    }
    n_late = 0
    while figures["page_kills"] < n:
        run, is_unnoticed = _kill_page(source, draw)
        with PageProcess(eager=True):
            is_late = not jobs.is_alive(run) and ended_as(run) == "done"
            if not is_late:
                waited_s = _adoption_s(run) if is_unnoticed else PATIENCE_S
                finish(run)
        if is_late:
            n_late += 1
            if n_late > MAX_DRAWS * n:
                raise SystemExit("page-kills: the training is always over before the second page")
            forget(run)
            continue
        figures["page_kills"] += 1
        figures["page_kills_unnoticed"] += is_unnoticed
        figures["adopted"] += waited_s <= ADOPT_WITHIN_S
        figures["slowest_adoption_s"] = max(figures["slowest_adoption_s"], waited_s)
        is_equal = ended_as(run) == "done" and weights(run) == weights(whole)
        figures["page_kills_bitwise_equal"] += is_equal
        figures["page_kills_events_lost"] += events_lost(run, n_steps_of(whole))
        tell(figures)
        forget(run)
    return figures


def _kill_page(source: Run, draw: random.Random) -> tuple[Run, bool]:
    """Returns the run, and whether its worker is the same and has gone on; drawn again when the
    training was over before the page was killed.
    """
    for _ in range(MAX_DRAWS):
        run = steps.again(source)
        with PageProcess(eager=True) as page:
            page.start(run, LONG)
            before = identity(worker_pid(run))
            time.sleep(draw.uniform(0, 8))
            page.kill()
        time.sleep(0.1)  # for the kernel
        if ended_as(run) != "done":
            return run, _goes_on(run, before)
        forget(run)
    raise SystemExit(f"page-kills: {MAX_DRAWS} times the training was over first")


def _goes_on(run: Run, before: tuple[int, float] | None) -> bool:
    """Whether the worker is who it was, and has written more by the time it was left alone for;
    a number left out or twice among the events tells that something was lost.
    """
    n_before = len(read_events(run.events_path))
    began_s = time.monotonic()
    while time.monotonic() - began_s < PATIENCE_S:
        records = read_events(run.events_path)
        if before is None or identity(before[0]) != before:
            return False
        if len(records) > n_before and time.monotonic() - began_s >= ALONE_S:
            is_whole = [record.seq for record in records] == list(range(1, len(records) + 1))
            return is_whole and worker_pid(run) == before[0]
        time.sleep(0.05)
    return False


def _adoption_s(run: Run) -> float:
    """Seconds from the worker's death to its successor's life."""
    dead = worker_pid(run)
    kill_worker(run)
    began_s = time.monotonic()
    while time.monotonic() - began_s < PATIENCE_S:
        if jobs.is_alive(run) and worker_pid(run) != dead:
            return time.monotonic() - began_s
        time.sleep(0.05)
    return PATIENCE_S
