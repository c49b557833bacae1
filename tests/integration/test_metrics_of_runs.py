"""`--metrics`: what TensorBoard and trackio are told by a real worker, and after a resume."""

import importlib.util
import json
import os
import signal
import sqlite3
from contextlib import closing
from dataclasses import replace

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.integration.test_worker import wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.errors import InputError
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.events import Score, Step, read_events, without_lost_steps
from whisper_tuner.runs.folder import Run


def learnt(run: Run, kind: type) -> list:
    records = without_lost_steps(read_events(run.events_path))
    return [record.event for record in records if isinstance(record.event, kind)]


def break_off_and_resume(run: Run, config: TrainConfig, monkeypatch) -> None:
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(run, config)
    wait_until(lambda: checkpoints.newest(run.checkpoints_dir), "a checkpoint")
    os.killpg(json.loads(run.lock_path.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(run), "its death")
    steps.resume(run)
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))


def test_tensorboard_shows_the_run_and_goes_on_behind_a_resume(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=3, metrics="tensorboard")
    break_off_and_resume(prepared, config, monkeypatch)
    board = EventAccumulator(str(prepared.dir / "tensorboard"))
    board.Reload()
    losses = {scalar.step: scalar.value for scalar in board.Scalars("train/loss")}
    assert losses == pytest.approx({step.step: step.loss for step in learnt(prepared, Step)})
    assert len(board.Scalars("train/loss")) == len(losses)  # no step twice
    rates = {scalar.step: scalar.value for scalar in board.Scalars("eval/wer")}
    assert rates == pytest.approx({score.step: score.wer for score in learnt(prepared, Score)})
    assert 0 in rates and len(rates) > 1
    assert board.Scalars("eval/cer")


@pytest.mark.skipif(importlib.util.find_spec("trackio") is None, reason="trackio is an extra")
def test_trackio_keeps_one_run_in_the_run_folder(prepared, tiny_config, monkeypatch):
    config = replace(tiny_config, epochs=3, metrics="trackio")
    break_off_and_resume(prepared, config, monkeypatch)
    [path] = (prepared.dir / "trackio").glob("*.db")
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT run_name, metrics FROM metrics").fetchall()
    assert {name for name, _ in rows} == {prepared.id}
    told = [json.loads(metrics) for _, metrics in rows]
    losses = {row["train/global_step"]: row["train/loss"] for row in told if "train/loss" in row}
    assert losses == pytest.approx({step.step: step.loss for step in learnt(prepared, Step)})
    assert any("eval/wer" in row for row in told)


def test_a_package_that_is_not_there_is_said_before_the_start(prepared, tiny_config, monkeypatch):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "trackio" else find_spec(name)
    )
    with pytest.raises(InputError, match="pip install trackio"):
        steps.train(prepared, replace(tiny_config, metrics="trackio"))
    assert not prepared.spec_path.exists()
