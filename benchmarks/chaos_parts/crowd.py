"""Many people who press Start at the same moment."""

import random
import threading
from collections import Counter
from dataclasses import replace
from itertools import pairwise

from benchmarks.chaos_parts.kit import CONFIG, finish, forget
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs.events import TERMINAL_STATES, StateChanged, read_events
from whisper_tuner.runs.folder import Run

N_CLIENTS, N_PEOPLE = 20, 4
SHORT = replace(CONFIG, epochs=1, max_steps=2)


def crowds(source: Run, n: int, draw: random.Random) -> dict:
    """Twenty presses at once, of four people: one training at a time, in the order of the queue,
    one waiting for each; everything accepted is done, everything else is refused with a sentence.
    """
    n_together = n_out_of_order = n_unfair = n_lost = n_accepted = 0
    for _ in range(n):
        runs = [steps.again(source) for _ in range(N_CLIENTS)]
        people = [f"person {i % N_PEOPLE}" for i in range(N_CLIENTS)]
        draw.shuffle(people)
        accepted = _press_together(runs, people)
        for run in accepted:
            finish(run)
        turns = sorted(_turn(run) for run in accepted)
        n_accepted += len(accepted)
        n_together += sum(a[1] > b[0] for a, b in pairwise(turns))
        tickets = [Run(source.dir.parent / turn[2]).read_spec().created_s for turn in turns]
        n_out_of_order += tickets != sorted(tickets)
        # One waits for each, and the one that is at work is not counted.
        most = Counter(run.read_spec().owner for run in accepted).most_common()
        n_unfair += sum(count > 1 + (i == 0) for i, (_, count) in enumerate(most))
        n_lost += sum(turn[3] != "done" for turn in turns)
        for run in runs:
            forget(run)
    return {
        "crowds": n,
        "clients": N_CLIENTS,
        "accepted": n_accepted,
        "two_at_once": n_together,
        "out_of_order": n_out_of_order,
        "more_than_one_waiting": n_unfair,
        "accepted_but_lost": n_lost,
    }


def _press_together(runs: list[Run], people: list[str]) -> list[Run]:
    barrier = threading.Barrier(len(runs))
    accepted = []

    def press(run: Run, person: str) -> None:
        barrier.wait()
        try:
            steps.train(run, SHORT, person)
            steps.train(run, SHORT, person)  # a double click
        except RunError as error:
            if error.code == "run_has_started":
                accepted.append(run)
            else:
                assert error.code == "queue_one_waiting", error

    threads = [threading.Thread(target=press, args=each) for each in zip(runs, people, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return accepted


def _turn(run: Run) -> tuple[float, float, str, str]:
    """When it began to use the device, when it ended, its id and how it ended."""
    states = [r for r in read_events(run.events_path) if isinstance(r.event, StateChanged)]
    began_s = next((r.time_s for r in states if r.event.state == "preparing"), 0.0)
    last = states[-1]
    return (
        began_s,
        last.time_s,
        run.id,
        last.event.state if last.event.state in TERMINAL_STATES else "",
    )
