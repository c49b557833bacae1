"""Places in the queue, from run folders whose locks this process holds."""

import os
import time

import pytest

from whisper_tuner.errors import RunError
from whisper_tuner.runs import disk, jobs, locks, queue, worker_row
from whisper_tuner.runs.aligning import Aligning
from whisper_tuner.runs.events import EventWriter, Progress, StateChanged, Step
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.runs.worker_row import WorkerRow


@pytest.fixture
def living(tmp_path, tiny_config):
    """A function that makes a run whose worker seems alive."""
    held = []

    def make(*events, owner="", expected_s=600.0) -> Run:
        run = Run.create(tmp_path)
        run.write_spec(Spec(tiny_config, time.time(), {}, owner, expected_s))
        held.append(locks.acquire(run.lock_path))
        writer = EventWriter(run.events_path)
        for event in events:
            writer.append(event)
        writer.close()
        return run

    yield make
    for lock in held:
        os.close(lock)


TRAINING = (StateChanged("queued"), StateChanged("preparing"), StateChanged("training"))


def test_order_is_that_of_the_specifications(living):
    trains = living(*TRAINING)
    first, second = living(StateChanged("queued")), living()
    assert queue.runs_ahead(trains) == []
    assert queue.runs_ahead(first) == [trains]
    assert queue.runs_ahead(second) == [trains, first]
    assert jobs.status(second).ahead == 2


def test_expected_start_is_what_those_ahead_still_need(living):
    step = Step(5, 50, 0.1, 1.0, 1.0, 1e-4, 10.0, remaining_s=300.0)
    trains = living(*TRAINING, step)
    waits = living(StateChanged("queued"), expected_s=600.0)
    last = living(StateChanged("queued"))
    assert queue.rest_s(trains) == pytest.approx(300, abs=5)
    assert queue.rest_s(waits) == 600
    assert jobs.status(last).starts_in_s == pytest.approx(900, abs=5)


def test_what_has_no_steps_yet_needs_what_was_planned(living):
    assert queue.rest_s(living(*TRAINING[:2], expected_s=60.0)) == pytest.approx(60, abs=5)


def test_measuring_takes_as_long_as_it_took_before(living):
    step = Step(5, 5, 1.0, 1.0, 1.0, 0.0, 10.0, remaining_s=0.0)
    run = living(*TRAINING, step, StateChanged("evaluating"))
    assert queue.rest_s(run) < 5


def test_one_waits_for_each_person(living, tmp_path):
    living(*TRAINING, owner="anna")
    new = Run.create(tmp_path)
    with queue.place(new, "anna"):  # one runs, one may wait
        pass
    living(StateChanged("queued"), owner="anna")
    with pytest.raises(RunError) as caught, queue.place(new, "anna"):
        pass
    assert caught.value.code == "queue_one_waiting"
    for other in ("ben", ""):  # "" is a terminal, which may have many
        with queue.place(new, other):
            pass


def test_one_that_starts_in_a_moment_does_not_wait(living, tmp_path):
    living(StateChanged("queued"), owner="anna")
    with queue.place(Run.create(tmp_path), "anna"):
        pass


def test_a_clock_put_back_changes_no_order(living, tmp_path, monkeypatch):
    first = living(StateChanged("queued"))
    monkeypatch.setattr(time, "time", lambda: 1e9)
    with queue.place(Run.create(tmp_path), "") as now_s:
        assert now_s > first.read_spec().created_s


def test_who_resumes_stands_at_the_end_of_the_queue(living):
    """However long ago the training was asked for first."""
    resumed, waits = living(StateChanged("queued")), living(StateChanged("queued"))
    assert queue.runs_ahead(resumed) == []
    with queue.place(resumed, "") as ticket_s:
        lock = os.open(resumed.lock_path, os.O_RDWR)
        worker_row.write(lock, WorkerRow(ticket_s=ticket_s))
        os.close(lock)
    assert queue.runs_ahead(resumed) == [waits]
    assert queue.runs_ahead(waits) == []


def test_who_has_no_room_to_say_so_is_said_to_wait_for_room(living, monkeypatch):
    first, second = living(StateChanged("queued")), living(StateChanged("queued"))
    assert jobs.status(first).state == "queued"
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**62)
    assert jobs.status(first).state == "paused"
    assert (jobs.status(second).state, jobs.status(second).ahead) == ("queued", 1)


def test_an_alignment_waits_as_a_training_does(living, tmp_path, tiny_config):
    trains = living(*TRAINING)
    aligns = Aligning(Run.create(tmp_path).dir)
    aligns.spec_path.parent.mkdir()
    aligns.write_spec(Spec(tiny_config, time.time(), {}, "anna"))
    lock = locks.acquire(aligns.lock_path)
    worker_row.write(lock, WorkerRow(stage="align", ticket_s=time.time()))
    writer = EventWriter(aligns.events_path)
    writer.append(StateChanged("queued"))
    new = Run.create(tmp_path)
    try:
        assert queue.runs_ahead(aligns) == [trains]
        with pytest.raises(RunError) as caught, queue.place(new, "anna"):
            pass
        assert caught.value.code == "queue_one_waiting"
        with queue.place(new, "ben") as ticket_s:
            assert ticket_s > worker_row.read(aligns).ticket_s
        for event in (StateChanged("aligning"), Progress("stage_aligning", 0, 8)):
            writer.append(event)
        time.sleep(0.2)
        writer.append(Progress("stage_aligning", 4, 8))
        assert queue.rest_s(aligns) == pytest.approx(0.2, rel=0.5)
        waits = living(StateChanged("queued"))
        assert [run.id for run in queue.runs_ahead(waits)] == [trains.id, aligns.id]
    finally:
        writer.close()
        os.close(lock)
