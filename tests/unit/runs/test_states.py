"""Which state may follow which, as a worker enters them."""

from collections.abc import Iterator

import pytest

from whisper_tuner.runs.context import IMPOSSIBLE, WorkerContext
from whisper_tuner.runs.events import (
    NEXT_STATES,
    STATES,
    TERMINAL_STATES,
    EventWriter,
    last_state,
    may_follow,
    read_events,
)
from whisper_tuner.runs.folder import Run


@pytest.fixture
def context(tmp_path) -> Iterator[WorkerContext]:
    run = Run(tmp_path)
    writer = EventWriter(run.events_path)
    yield WorkerContext(run, writer)
    writer.close()


@pytest.mark.parametrize(
    "states",
    [
        "queued preparing training saving training saving evaluating done",
        "queued preparing training saving training stopping saving stopped",
        "queued preparing training preparing training saving evaluating done",  # rolled back
        "queued paused queued preparing training paused training stopping saving stopped",
        "queued evaluating evaluating done",
        "queued preparing aligning done",
        "queued failed",
        "training saving evaluating done",  # one of several processes: the worker was queued
    ],
)
def test_the_ways_of_a_worker_are_possible(context, capsys, states):
    for state in states.split():
        context.enter(state)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "states",
    ["queued training", "preparing evaluating", "done training", "done failed", "stopped paused"],
)
def test_an_impossible_change_is_in_the_log_and_stops_nothing(context, capsys, states):
    before, state = states.split()
    context.enter(before)
    context.enter(state)
    assert capsys.readouterr().err == f"{IMPOSSIBLE}: {before} -> {state}\n"
    assert last_state(read_events(context.run.events_path)) == state


def test_every_state_of_a_worker_is_known():
    assert {*NEXT_STATES, *TERMINAL_STATES, "draft", "interrupted"} == set(STATES)
    for state in TERMINAL_STATES:
        assert any(may_follow(before, state) for before in NEXT_STATES)
        assert not any(may_follow(state, after) for after in STATES)
