"""Who is next: one training at a time on this device, in the order in which they were asked for.

The queue is the run folders: living workers wait by themselves (`worker.py`), and the order is that
of their specifications. So it is the same after a restart, and no scheduler has to stay alive.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from whisper_tuner.errors import RunError
from whisper_tuner.runs import listening, locks, worker_row
from whisper_tuner.runs.events import (
    TERMINAL_STATES,
    Progress,
    Record,
    StateChanged,
    Step,
    last_state,
    read_events,
)
from whisper_tuner.runs.folder import Run

WAITING_STATES = ("draft", "queued")
QUEUE_LOCK_NAME = "queue.lock"
TICKET_STEP_S = 0.001


@contextmanager
def place(run: Run, owner: str) -> Iterator[float]:
    """Nobody else takes a place in the queue meanwhile: start the run's worker inside.

    Gives the time that is its ticket: behind all that are alive, whatever happened to the clock.
    Raises RunError when other work of `owner` waits already; "" is nobody, and may have many.
    """
    root = run.dir.parent
    with locks.hold(root / QUEUE_LOCK_NAME):
        others = [other for other in _living(root) if other.id != run.id]
        if owner and any(_waits(other, owner) for other in others):
            raise RunError("queue_one_waiting")
        yield max([time.time(), *(_ticket(other)[0] + TICKET_STEP_S for other in others)])


def runs_ahead(run: Run) -> list[Run]:
    """Living runs that train, or that were queued before this one, oldest first."""
    own = _ticket(run)
    ahead = []
    for other in _living(run.dir.parent):
        state = last_state(read_events(other.events_path))
        is_before = state in WAITING_STATES and _ticket(other) < own
        if other.id != run.id and (is_before or state not in (*WAITING_STATES, *TERMINAL_STATES)):
            ahead.append(other)
    return sorted(ahead, key=_ticket)


def rest_s(run: Run) -> float:
    """About how many seconds a living run will still need.

    What its training says of itself, and for the measuring behind it as long as the base took
    before it; what the planner expected until there are steps.
    """
    expected_s = run.read_spec().expected_s
    listened = progress_rest_s(read_events(run.events_path))
    if listened is not None:
        return listened
    records = _since(read_events(run.events_path), "preparing")
    if not records:
        return expected_s
    began_s = records[0].time_s
    steps = [record for record in records if isinstance(record.event, Step)]
    if not steps:
        return max(0.0, began_s + expected_s - time.time())
    measuring_s = steps[0].time_s - began_s
    if evaluating := _since(records, "evaluating"):
        return max(0.0, evaluating[0].time_s + measuring_s - time.time())
    training_s = steps[-1].time_s + steps[-1].event.remaining_s - time.time()
    return max(0.0, training_s) + measuring_s


def progress_rest_s(records: list[Record]) -> float | None:
    """About how many seconds an alignment will still need; None while there is no telling."""
    heard = [r for r in _since(records, "aligning") if isinstance(r.event, Progress)]
    if not heard:
        return None
    first, last = heard[0], heard[-1]
    n_done = last.event.done - first.event.done
    if n_done <= 0:
        return None
    return (last.time_s - first.time_s) / n_done * (last.event.total - last.event.done)


def _since(records: list[Record], state: str) -> list[Record]:
    """The records from the one on that entered this state last; none when none did."""
    entered = [i for i, record in enumerate(records) if record.event == StateChanged(state)]
    return records[entered[-1] :] if entered else []


def _living(root: Path) -> list[Run]:
    """Runs of this root whose worker is alive."""
    folders = [Run(lock_path.parent) for lock_path in root.glob("*/worker.lock")]
    runs = [listening.seen_by(run.dir, worker_row.read(run).stage) for run in folders]
    started = [run for run in runs if run.spec_path.exists() and run.is_readable]
    return [run for run in started if locks.is_held(run.lock_path)]


def _waits(run: Run, owner: str) -> bool:
    is_queued = last_state(read_events(run.events_path)) in WAITING_STATES
    return is_queued and run.read_spec().owner == owner and bool(runs_ahead(run))


def _ticket(run: Run) -> tuple[float, str]:
    """Of its last start by a person."""
    return worker_row.read(run).ticket_s or run.read_spec().created_s, run.id
