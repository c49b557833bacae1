"""Many people who press Start at the same moment."""

import random
import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from benchmarks.chaos_parts.kit import CONFIG, Tell, finish, forget, n_entered
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs.events import TERMINAL_STATES, StateChanged, read_events
from whisper_tuner.runs.folder import Run

N_CLIENTS, N_PEOPLE = 20, 4
CLICKS = 2  # a double click: both arrive at once
REFUSALS = ("run_has_started", "queue_one_waiting")
SHORT = replace(CONFIG, epochs=1, max_steps=2)


def crowds(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """Twenty double clicks at once, of four people: one training at a time, in the order of the
    queue, one waiting for each; everything accepted is done, everything else is refused with a
    sentence. Anything else that a press raises ends the benchmark.
    """
    figures = {
        "crowds": 0,
        "clients": N_CLIENTS,
        "accepted": 0,
        "refused": 0,
        "two_at_once": 0,
        "out_of_order": 0,
        "more_than_one_waiting": 0,
        "accepted_but_lost": 0,
        "started_twice": 0,
        "refused_but_started": 0,
        "people_without_a_run": 0,
    }
    for _ in range(n):
        runs = [steps.again(source) for _ in range(N_CLIENTS)]
        people = [f"person {i % N_PEOPLE}" for i in range(N_CLIENTS)]
        draw.shuffle(people)
        n_accepted, n_refused = _press_together(runs, people)
        accepted = [run for run in runs if n_accepted[run.id]]
        for run in accepted:
            finish(run)
        figures["crowds"] += 1
        figures["refused"] += n_refused
        for name, value in _judge(runs, accepted, n_accepted).items():
            figures[name] += value
        tell(figures)
        for run in runs:
            finish(run)
            forget(run)
    return figures


def _judge(runs: list[Run], accepted: list[Run], n_accepted: Counter[str]) -> dict[str, int]:
    turns = sorted(_turn(run) for run in accepted)
    tickets = [Run(runs[0].dir.parent / turn[2]).read_spec().created_s for turn in turns]
    most = Counter(run.read_spec().owner for run in accepted).most_common()
    refused = [run for run in runs if not n_accepted[run.id]]
    return {
        "accepted": len(accepted),
        "two_at_once": sum(a[1] > b[0] for a, b in pairwise(turns)),
        "out_of_order": tickets != sorted(tickets),
        # One waits for each, and the one that is at work is not counted.
        "more_than_one_waiting": sum(count > 1 + (i == 0) for i, (_, count) in enumerate(most)),
        "accepted_but_lost": sum(turn[3] != "done" for turn in turns),
        "started_twice": sum(
            n_accepted[run.id] > 1 or n_entered(run, "queued") > 1 for run in accepted
        ),
        "refused_but_started": sum(run.events_path.exists() for run in refused),
        "people_without_a_run": N_PEOPLE - len(most),
    }


def _press_together(runs: list[Run], people: list[str]) -> tuple[Counter[str], int]:
    """How often each run's Start was accepted, and how many presses were refused.

    Raises whatever else a press raised.
    """
    barrier = threading.Barrier(CLICKS * len(runs))
    accepted: list[str] = []
    refused: list[Exception] = []
    errors: list[Exception] = []

    def press(run: Run, person: str) -> None:
        barrier.wait()
        try:
            steps.train(run, SHORT, person)
            accepted.append(run.id)
        except RunError as error:
            (refused if error.code in REFUSALS else errors).append(error)
        except Exception as error:  # raised again below, in the thread that is listened to
            errors.append(error)

    clicks = [each for each in zip(runs, people, strict=True) for _ in range(CLICKS)]
    threads = [threading.Thread(target=press, args=click) for click in clicks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise ExceptionGroup("pressing Start", errors)
    if len(accepted) + len(refused) != len(clicks):
        raise SystemExit(f"crowds: {len(clicks)} presses, {len(accepted) + len(refused)} answers")
    return Counter(accepted), len(refused)


def _turn(run: Run) -> tuple[float, float, str, str]:
    """When it began to use the device, when it ended, its id and how it ended."""
    states = [r for r in read_events(run.events_path) if isinstance(r.event, StateChanged)]
    began_s = next((r.time_s for r in states if r.event.state == "preparing"), 0.0)
    ended_s, state = (states[-1].time_s, states[-1].event.state) if states else (0.0, "")
    return began_s, ended_s, run.id, state if state in TERMINAL_STATES else ""
