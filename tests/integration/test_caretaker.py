"""Real workers that die or hang, and a caretaker that looks at their folders."""

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace

import psutil
import pytest

from tests.integration.test_worker import events_of, has_stepped, wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.runs import checkpoints, disk, heartbeat, jobs, locks
from whisper_tuner.runs.caretaker import look_after, look_after_all
from whisper_tuner.runs.events import EventWriter, Note, Resumed, StateChanged


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
    assert events_of(prepared, Note).count(Note(jobs.RESUMED)) == 1
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


@pytest.fixture
def broken_off(prepared, tiny_config):
    """A run whose worker has vanished; no process was ever started."""
    prepared.write_spec(steps.Spec(tiny_config, time.time(), {}))
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("training"))
    writer.close()
    return prepared


def started(run, monkeypatch) -> list[tuple]:
    asked = []
    monkeypatch.setattr(jobs, "start", lambda *args: asked.append(args))
    look_after(run)
    return asked


def test_what_broke_off_is_resumed_in_its_own_stage(broken_off, monkeypatch):
    broken_off.lock_path.write_text('{"pid": 1, "created": 0, "stage": "compare"}')
    assert started(broken_off, monkeypatch) == [(broken_off, "compare", jobs.RESUMED)]


def test_by_itself_twice_at_most(broken_off, monkeypatch):
    writer = EventWriter(broken_off.events_path)
    for _ in range(jobs.MAX_RESUMES):
        writer.append(Note(jobs.RESUMED))
    writer.close()
    assert started(broken_off, monkeypatch) == []


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


def test_one_unreadable_run_does_not_cost_the_others(broken_off, monkeypatch, capsys):
    other = steps.again(broken_off)
    shutil.copy(broken_off.spec_path, other.spec_path)
    other.events_path.write_text("no json\n")
    asked = []
    monkeypatch.setattr(jobs, "start", lambda *args: asked.append(args[0]))
    look_after_all(broken_off.dir.parent)
    assert asked == [broken_off]
    assert "JSONDecodeError" in capsys.readouterr().err


def test_a_machine_that_stood_still_is_no_silence(prepared, monkeypatch):
    """Its worker beats again before the second look."""
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.2)
    lock = locks.acquire(prepared.lock_path)
    killed = []
    monkeypatch.setattr(jobs, "kill", killed.append)
    prepared.heartbeat_path.write_text(f"{time.monotonic() - 100:020.3f}")
    threading.Timer(0.1, heartbeat.beat, [prepared]).start()
    look_after(prepared)
    assert killed == []
    prepared.heartbeat_path.write_text(f"{time.monotonic() - 100:020.3f}")
    look_after(prepared)
    assert killed == [prepared]
    os.close(lock)


def test_a_clock_put_forward_is_no_silence(broken_off, monkeypatch):
    heartbeat.beat(broken_off)
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert not heartbeat.is_silent(broken_off)


@pytest.mark.parametrize("created", [0.0, None, "a"])
def test_a_stranger_with_the_workers_pid_is_never_signalled(prepared, created):
    """The lock is held, but the process of that number began at another time."""
    lock = locks.acquire(prepared.lock_path)
    stranger = psutil.Popen(["sleep", "60"])
    try:
        os.pwrite(lock, json.dumps({"pid": stranger.pid, "created": created}).encode(), 0)
        assert not jobs.kill(prepared)
        with pytest.raises(RunError):
            jobs.stop(prepared)
        assert stranger.is_running()
    finally:
        stranger.kill()
        stranger.wait()
        os.close(lock)
