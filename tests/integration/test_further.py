"""A run goes on from another's adapter in a real worker, with more recordings."""

import csv
import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from tests.integration.test_worker import ADAPTER_NAME, events_of, wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import read_clips, read_report
from whisper_tuner.publish.card import model_card
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.events import Note, Resumed, Score, Step
from whisper_tuner.runs.folder import Run


@pytest.fixture(scope="module")
def config(tiny_config):
    lora = LoraSettings(dropout=0.0)
    return replace(tiny_config, window="full", lora=lora, n_score_clips=16, vary_speed=False)


@pytest.fixture(scope="module")
def trained_once(hub_cache, small_dataset, config, tmp_path_factory) -> Run:
    run = Run.create(tmp_path_factory.mktemp("trained"))
    shutil.copytree(small_dataset, run.dataset_dir)
    steps.train(run, replace(config, epochs=4, learning_rate=0.02))
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))
    return run


@pytest.fixture
def trained(trained_once, runs_dir) -> Run:
    """A copy of one's own, in a folder of runs with what was heard of the base."""
    shutil.copytree(trained_once.dir.parent, runs_dir)
    return Run(runs_dir / trained_once.id)


@pytest.fixture
def more(tmp_path, small_source) -> Path:
    """Six clips of the example that are not in the small source, all for training."""
    known = {path.name for path in (small_source / "clips").iterdir()}
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "train"]
    rows = [row for row in rows if Path(row["file_name"]).name not in known]
    rows.sort(key=lambda row: (steps.EXAMPLE_DIR / row["file_name"]).stat().st_size)
    folder = tmp_path / "more"
    (folder / "clips").mkdir(parents=True)
    for row in rows[:6]:
        shutil.copy(steps.EXAMPLE_DIR / row["file_name"], folder / row["file_name"])
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[:6])
    return folder


def test_goes_on_from_the_adapter_with_more_clips(trained, config, more):
    before, first = trained.read_comparison(), events_of(trained, Step)[0]
    run = steps.further(trained)
    report = steps.add(run, [more])
    assert (report.n_train, report.n_test) == (14, 2)
    shutil.rmtree(trained.dir)  # nothing of it is needed any more
    steps.train(run, replace(config, max_steps=5))
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))

    assert run.read_spec().started_from == trained.id
    assert Note("note_goes_on", {"run": trained.id}) in events_of(run, Note)
    begun = events_of(run, Score)[0]
    assert (begun.step, begun.wer) == (0, before["tuned"]["wer"])  # the earlier adapter's
    assert events_of(run, Step)[0].loss < first.loss - 0.15
    after = run.read_comparison()
    assert after["base"] == before["base"]
    assert [clip["base"] for clip in after["clips"]] == [clip["base"] for clip in before["clips"]]
    assert Note("note_base_known", {"n": 2}) in events_of(run, Note)
    card = model_card(run.read_spec(), after, read_report(run.dataset_dir), "anna/it-lora")
    assert f"the adapter of run {trained.id.rpartition('-')[0]} |" in card
    assert trained.id not in card


def test_killed_it_resumes_to_bitwise_the_same_adapter(trained, config, more, monkeypatch):
    config = replace(config, epochs=3, lora=LoraSettings(), vary_speed=True, window="speech")
    whole, killed = steps.further(trained), steps.further(trained)
    for run in (whole, killed):
        steps.add(run, [more])
    assert read_clips(whole.dataset_dir) == read_clips(killed.dataset_dir)
    monkeypatch.setattr(jobs, "WORKER", "benchmarks.eager_worker")
    steps.train(whole, config)
    assert wait_for_end(whole).state == "done", "\n".join(jobs.log_tail(whole))

    steps.train(killed, config)
    wait_until(lambda: checkpoints.newest(killed.checkpoints_dir), "a checkpoint")
    os.killpg(json.loads(killed.lock_path.read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(killed), "its death")
    steps.resume(killed)
    assert wait_for_end(killed).state == "done", "\n".join(jobs.log_tail(killed))
    [resumed] = events_of(killed, Resumed)
    assert resumed.step >= 2
    assert [score.step for score in events_of(killed, Score)].count(0) == 1
    first, second = (load_file(run.adapter_dir / ADAPTER_NAME) for run in (whole, killed))
    start = load_file(trained.adapter_dir / ADAPTER_NAME)
    assert all((first[name] == second[name]).all() for name in first)
    assert any((first[name] != start[name]).any() for name in first)


def test_several_processes_and_8_bit_go_on_from_it_too(trained, config):
    alone, together = steps.further(trained), steps.further(trained)
    config = replace(config, precision="8bit", max_steps=2)
    for run, n_devices in ((alone, 1), (together, 2)):
        steps.train(run, replace(config, n_devices=n_devices))
        assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))
    losses = [[step.loss for step in events_of(run, Step)] for run in (alone, together)]
    assert losses[1] == pytest.approx(losses[0], rel=1e-4)
    assert losses[0][0] < events_of(trained, Step)[0].loss - 0.15
