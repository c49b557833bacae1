"""Real workers that meet faults: each has a name and a way out, and nothing learnt is lost."""

import json
import os
import shutil
import signal
from dataclasses import replace

import numpy as np
import psutil
import pytest
from safetensors.numpy import load_file

from benchmarks.eager_worker import FAULTS_NAME
from tests.hub_server import HubServer
from tests.integration.test_caretaker import pid_of
from tests.integration.test_worker import (
    ADAPTER_NAME,
    events_of,
    has_stepped,
    wait_for_end,
    wait_until,
)
from whisper_tuner import steps
from whisper_tuner.runs import checkpoints, jobs, reasons, worker_row
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.events import Note, Resumed, StateChanged, Step, read_events
from whisper_tuner.runs.events import without_lost_steps as shown
from whisper_tuner.training.stage import ROLLED_BACK


def train_with(run, config, monkeypatch, **faults):
    (run.dir / FAULTS_NAME).write_text(json.dumps(faults))
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(run, config)
    return wait_for_end(run)


def test_a_poisoned_batch_is_rolled_back_once(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=5)
    status = train_with(prepared, config, monkeypatch, poison={"5": 1})
    assert status.state == "done", "\n".join(jobs.log_tail(prepared))
    assert events_of(prepared, Note).count(Note(ROLLED_BACK)) == 1
    assert events_of(prepared, Resumed) == [Resumed(4)]
    learnt = [
        r.event for r in shown(read_events(prepared.events_path)) if isinstance(r.event, Step)
    ]
    assert [step.step for step in learnt] == list(range(1, 11))
    before, behind = learnt[3], learnt[4]
    assert behind.learning_rate < 0.6 * before.learning_rate  # halved, and a step further down
    weights = load_file(prepared.adapter_dir / ADAPTER_NAME)
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_a_batch_that_is_always_poisoned_ends_the_run_and_keeps_what_was_good(
    prepared, tiny_config, monkeypatch
):
    config = replace(tiny_config, epochs=5)
    status = train_with(prepared, config, monkeypatch, poison={"5": 9})
    assert (status.state, status.reason) == ("failed", "training_not_finite")
    assert not prepared.has_adapter
    good = checkpoints.newest(prepared.checkpoints_dir)
    assert good.name == "step-4"
    weights = load_file(good / ADAPTER_NAME)
    assert all(np.isfinite(weight).all() for weight in weights.values())


def test_too_little_gpu_memory_is_answered_with_smaller_parts(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=2)
    status = train_with(prepared, config, monkeypatch, memory={"1": 2})
    assert status.state == "done", "\n".join(jobs.log_tail(prepared))
    halved = [note.params for note in events_of(prepared, Note) if note.code == "note_halved"]
    assert len(halved) == 2


def test_far_too_little_gpu_memory_is_named_and_can_be_resumed(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=2)
    status = train_with(prepared, config, monkeypatch, memory={"3": 3})
    assert (status.state, status.reason) == ("failed", "out_of_memory_gpu")
    assert jobs.can_resume(status)
    steps.resume(prepared)
    assert wait_for_end(prepared).state == "done"
    assert events_of(prepared, Resumed) == [Resumed(2)]


def test_recordings_that_vanished_are_named(prepared, tiny_config, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    shutil.rmtree(prepared.dataset_dir)
    status = wait_for_end(prepared)
    assert (status.state, status.reason) == ("failed", "dataset_vanished"), status


def test_a_download_that_breaks_off_is_named_and_goes_on_when_the_hub_does(
    prepared, tiny_config, hub_cache, monkeypatch, tmp_path
):
    snapshot = next((hub_cache / "hub").glob("models--openai--whisper-tiny/snapshots/*"))
    with HubServer() as hub:
        hub.add_model(tiny_config.base, snapshot)
        commit = hub.repos[tiny_config.base].commits[-1][0]
        hub.fail(f"GET /{tiny_config.base}/resolve/{commit}/model.safetensors", 503, times=20)
        online = {"HF_HOME": str(tmp_path), "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"}
        for name, value in online.items():
            monkeypatch.setenv(name, value)
        steps.train(prepared, tiny_config)
        status = wait_for_end(prepared)
        assert (status.state, status.reason) == ("failed", "base_unreachable")
        hub.faults.clear()
        steps.resume(prepared)
        assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))


def test_a_worker_that_does_not_stop_is_ended(prepared, tiny_config, monkeypatch):
    monkeypatch.setattr(jobs, "STOP_WITHIN_S", 2.0)
    steps.train(prepared, replace(tiny_config, epochs=100))
    wait_until(lambda: has_stepped(prepared), "the first step")
    psutil.Process(pid_of(prepared)).send_signal(signal.SIGSTOP)
    jobs.stop(prepared)
    look_after(prepared)
    assert jobs.is_alive(prepared)
    wait_until(lambda: jobs.is_overdue(prepared), "half a minute")
    look_after(prepared)
    wait_until(lambda: not jobs.is_alive(prepared), "its end")
    status = jobs.status(prepared)
    assert (status.state, status.reason) == ("interrupted", "worker_stop_forced")
    assert not status.goes_on
    steps.resume(prepared)
    wait_until(lambda: StateChanged("training") in events_of(prepared, StateChanged), "training")
    assert not jobs.is_overdue(prepared)


@pytest.mark.parametrize(("n_more", "reason"), [(1, "out_of_memory_host"), (0, "worker_killed")])
def test_a_kill_for_lack_of_memory_is_named(prepared, tiny_config, monkeypatch, n_more, reason):
    steps.train(prepared, tiny_config)
    wait_until(lambda: read_events(prepared.events_path), "the first event")
    at_its_end = worker_row.read(prepared).memory_kills + n_more
    monkeypatch.setattr("whisper_tuner.runs.memory_kills.count", lambda: at_its_end)
    os.killpg(pid_of(prepared), signal.SIGKILL)
    wait_until(lambda: (prepared.dir / reasons.EXIT_NAME).exists(), "its exit code")
    monkeypatch.setattr("whisper_tuner.runs.memory_kills.count", lambda: at_its_end + 1)  # another
    assert jobs.status(prepared).reason == reason
