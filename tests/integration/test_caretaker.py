"""Real workers that die or hang, and a caretaker that looks at their folders."""

import json
import os
import shutil
import signal
import threading
import time
from contextlib import suppress
from dataclasses import replace

import psutil
import pytest

from tests.integration.test_worker import events_of, has_stepped, wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import (
    caretaker,
    checkpoints,
    disk,
    heartbeat,
    jobs,
    locks,
    reasons,
    worker_row,
)
from whisper_tuner.runs.caretaker import look_after, look_after_all
from whisper_tuner.runs.events import EventWriter, Note, Resumed, StateChanged
from whisper_tuner.runs.folder import Spec
from whisper_tuner.runs.worker_row import WorkerRow
from whisper_tuner.worker import RESUMED


def pid_of(run) -> int:
    return json.loads(run.lock_path.read_text())["pid"]


def test_a_killed_training_goes_on_by_itself(prepared, tiny_config, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(prepared, replace(tiny_config, epochs=4))
    wait_until(lambda: checkpoints.newest(prepared.checkpoints_dir), "a checkpoint")
    look_after(prepared)  # alive: nothing to do
    os.killpg(pid_of(prepared), signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(prepared), "its death")
    look_after(prepared)
    look_after(prepared)  # a second one finds it alive
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))
    assert len(events_of(prepared, Resumed)) == 1
    notes = events_of(prepared, Note)
    assert notes.count(Note(RESUMED)) == 1
    assert Note("worker_killed", {"code": signal.SIGKILL}) in notes  # why, for who reads it later
    look_after(prepared)  # it has reached its end
    assert not jobs.is_alive(prepared)


def test_a_hung_worker_is_ended_with_its_group_and_nobody_else(prepared, tiny_config, monkeypatch):
    monkeypatch.setattr(heartbeat, "SILENT_S", 2 * heartbeat.BEAT_S)
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    worker = psutil.Process(pid_of(prepared))
    look_after(prepared)
    assert worker.is_running()
    worker.send_signal(signal.SIGSTOP)
    wait_until(lambda: heartbeat.is_silent(prepared), "silence")
    look_after(prepared)
    wait_until(lambda: not jobs.is_alive(prepared), "its end")
    assert jobs.status(prepared).reason == "worker_hung"


@pytest.fixture
def broken_off(prepared, tiny_config):
    """A run whose worker has vanished; no process was ever started."""
    prepared.write_spec(Spec(tiny_config, time.time(), {}))
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("training"))
    writer.close()
    return prepared


def started(run, monkeypatch) -> list[tuple]:
    asked = []
    monkeypatch.setattr(jobs, "start", lambda *args, **named: asked.append((*args, named)))
    look_after(run)
    return asked


def write_row(run, row: WorkerRow) -> None:
    lock = locks.acquire(run.lock_path)
    worker_row.write(lock, row)
    os.close(lock)


def test_what_broke_off_is_resumed_in_its_own_stage(broken_off, monkeypatch):
    write_row(broken_off, WorkerRow(pid=1, stage="compare"))
    assert started(broken_off, monkeypatch) == [(broken_off, "compare", {"by_itself": True})]


def test_by_itself_twice_at_most_also_when_no_worker_comes_to_a_word(broken_off, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", "no_such_module")
    for _ in range(jobs.MAX_RESUMES):
        assert jobs.status(broken_off).goes_on
        look_after(broken_off)
        wait_until(lambda: not jobs.is_alive(broken_off), "its end")
    assert started(broken_off, monkeypatch) == []
    status = jobs.status(broken_off)
    assert jobs.can_resume(status) and not status.goes_on


def test_a_person_may_resume_it_again(broken_off, monkeypatch):
    write_row(broken_off, WorkerRow(n_resumes=jobs.MAX_RESUMES))
    monkeypatch.setattr(jobs, "WORKER", "no_such_module")
    steps.resume(broken_off)
    assert worker_row.read(broken_off).n_resumes == 0


def test_a_caretaker_outlives_what_it_meets(broken_off, monkeypatch, capsys):
    looks = []

    def look(root):
        looks.append(root)
        raise OSError("too many open files")

    monkeypatch.setattr(caretaker, "LOOK_EVERY_S", 0.01)
    monkeypatch.setattr(caretaker, "look_after_all", look)
    caretaker.Caretaker(broken_off.dir.parent)
    wait_until(lambda: len(looks) > 2, "more looks")
    monkeypatch.setattr(caretaker, "look_after_all", lambda root: time.sleep(3600))


def test_what_broke_off_days_ago_is_left_alone(broken_off, monkeypatch):
    long_ago_s = time.time() - 2 * 24 * 3600
    os.utime(broken_off.events_path, (long_ago_s, long_ago_s))
    assert started(broken_off, monkeypatch) == []


def test_what_somebody_was_stopping_stays_stopped(broken_off, monkeypatch):
    (broken_off.dir / jobs.STOP_NAME).write_text(f"{time.monotonic()}")
    assert started(broken_off, monkeypatch) == []


def test_nothing_is_resumed_on_a_full_disk(broken_off, monkeypatch):
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**62)
    assert jobs.status(broken_off).reason == "disk_full"
    with pytest.raises(RunError, match="disk is full"):
        steps.resume(broken_off)
    assert started(broken_off, monkeypatch) == []


def test_one_unreadable_run_does_not_cost_the_others(broken_off, monkeypatch):
    other = steps.again(broken_off)
    shutil.copy(broken_off.spec_path, other.spec_path)
    other.events_path.write_text("no json\n")
    asked = []
    monkeypatch.setattr(jobs, "start", lambda *args, **_: asked.append(args[0]))
    look_after_all(broken_off.dir.parent)
    assert asked == [broken_off]


def test_a_machine_that_stood_still_is_no_silence(prepared, monkeypatch):
    """Its worker beats again before the second look."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.2)
    lock = locks.acquire(prepared.lock_path)
    killed = []
    monkeypatch.setattr(jobs, "kill", lambda *args: killed.append(args))
    long_ago = f"{time.monotonic() - 100:20.3f} {'inf':>20}"
    prepared.heartbeat_path.write_text(long_ago)
    threading.Timer(0.1, heartbeat.beat, [prepared]).start()
    look_after(prepared)
    assert killed == []
    prepared.heartbeat_path.write_text(long_ago)
    look_after(prepared)
    assert killed == [(prepared, reasons.HUNG)]
    os.close(lock)


def test_a_clock_put_forward_is_no_silence(broken_off, monkeypatch):
    heartbeat.beat(broken_off)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not heartbeat.is_silent(broken_off)


def test_work_that_stands_still_is_silence_though_its_process_lives(broken_off):
    now_s = time.monotonic()
    heartbeat.beat(broken_off, now_s - heartbeat.STUCK_S + 60)
    assert not heartbeat.is_silent(broken_off)
    heartbeat.beat(broken_off, now_s - heartbeat.STUCK_S - 60)
    assert heartbeat.is_silent(broken_off)
    heartbeat.beat(broken_off)  # a download
    assert not heartbeat.is_silent(broken_off)


def test_a_clock_put_forward_forgets_nothing(broken_off, monkeypatch):
    write_row(broken_off, WorkerRow(machine=worker_row.machine()))
    heartbeat.beat(broken_off)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not jobs.is_forgotten(broken_off)


def test_a_clock_that_is_set_does_not_hide_the_worker(prepared, monkeypatch):
    """psutil counts from the start of the machine by the clock of this moment."""
    lock = locks.acquire(prepared.lock_path)
    ours = psutil.Popen(["sleep", "60"])
    worker_row.sign(prepared, lock, ours.pid)
    boot_s = psutil.boot_time()
    monkeypatch.setattr(psutil._pslinux, "boot_time", lambda: boot_s + 3600)
    try:
        jobs.stop(prepared)
        assert ours.wait(10) == -signal.SIGTERM
    finally:
        with suppress(psutil.NoSuchProcess):
            ours.kill()
        os.close(lock)


@pytest.mark.parametrize("started", ["", "0", None, f"{worker_row.machine()} 1"])
def test_a_stranger_with_the_workers_pid_is_never_signalled(prepared, started):
    """The lock is held, but the process of that number began at another time."""
    lock = locks.acquire(prepared.lock_path)
    stranger = psutil.Popen(["sleep", "60"])
    try:
        os.pwrite(lock, json.dumps({"pid": stranger.pid, "started": started}).encode(), 0)
        assert not jobs.kill(prepared, reasons.HUNG)
        with pytest.raises(RunError):
            jobs.stop(prepared)
        assert stranger.is_running()
    finally:
        stranger.kill()
        stranger.wait()
        os.close(lock)
