"""`--metrics`: what TensorBoard and trackio are told by a real worker, and after a resume."""

import importlib.util
import json
import os
import signal
import sqlite3
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.integration.test_worker import events_of, wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.errors import InputError
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.events import Score, Step, read_events, without_lost_steps
from whisper_tuner.runs.folder import Run


def learnt(run: Run, kind: type) -> list:
    records = without_lost_steps(read_events(run.events_path))
    return [record.event for record in records if isinstance(record.event, kind)]


def test_tensorboard_shows_the_run_and_goes_on_behind_a_resume(prepared, tiny_config, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(prepared, replace(tiny_config, epochs=3, metrics="tensorboard"))
    wait_until(lambda: checkpoints.newest(prepared.checkpoints_dir), "a checkpoint")
    os.killpg(json.loads(prepared.lock_path.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(prepared), "its death")
    steps.resume(prepared)
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))

    board = EventAccumulator(str(prepared.dir / "tensorboard"))
    board.Reload()
    losses = {scalar.step: scalar.value for scalar in board.Scalars("train/loss")}
    assert losses == pytest.approx({step.step: step.loss for step in learnt(prepared, Step)})
    assert len(board.Scalars("train/loss")) == len(losses)  # no step twice
    rates = {scalar.step: scalar.value for scalar in board.Scalars("eval/wer")}
    assert rates == pytest.approx({score.step: score.wer for score in learnt(prepared, Score)})
    assert 0 in rates and len(rates) > 1
    assert board.Scalars("eval/cer")


def test_nothing_is_written_unless_asked_for(prepared, tiny_config):
    steps.train(prepared, replace(tiny_config, max_steps=1))
    assert wait_for_end(prepared).state == "done"
    assert not (prepared.dir / "tensorboard").exists()


@pytest.mark.skipif(importlib.util.find_spec("trackio") is None, reason="trackio is an extra")
def test_trackio_keeps_it_in_the_run_folder(prepared, tiny_config):
    steps.train(prepared, replace(tiny_config, max_steps=3, metrics="trackio"))
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))
    [path] = (prepared.dir / "trackio").glob("*.db")
    with sqlite3.connect(path) as database:
        rows = [json.loads(row) for (row,) in database.execute("SELECT metrics FROM metrics")]
    told = [row["train/loss"] for row in rows if "train/loss" in row]
    assert told == pytest.approx([step.loss for step in events_of(prepared, Step)])
    assert any("eval/wer" in row for row in rows)


def test_a_package_that_is_not_there_is_said_before_the_start(prepared, tiny_config, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "trackio" else find_spec(name)
    )
    with pytest.raises(InputError, match="pip install trackio"):
        steps.train(prepared, replace(tiny_config, metrics="trackio"))
    assert not prepared.spec_path.exists()
