"""One training in two processes: the curve of one process, one run folder, one adapter."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import load_file

from tests.integration.test_worker import events_of, has_stepped, wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.config import LoraSettings
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import Note, Resumed, Score, StateChanged, Step, read_events


@pytest.fixture
def config(tiny_config):
    """Without dropout: each process would draw its own."""
    return replace(tiny_config, epochs=2, lora=LoraSettings(dropout=0.0), warmup_share=0.0)


@pytest.mark.parametrize(
    ("precision", "window", "tolerance"),
    [
        ("32bit", "full", 1e-6),
        ("8bit", "speech", 1e-2),  # two processes cut a step into other parts: other windows
    ],
)
def test_two_processes_learn_what_one_learns(prepared, config, precision, window, tolerance):
    config = replace(config, precision=precision, window=window)
    both = steps.again(prepared)
    steps.train(prepared, config)
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))
    steps.train(both, replace(config, n_devices=2))
    assert wait_for_end(both).state == "done", "\n".join(jobs.log_tail(both))

    alone, together = events_of(prepared, Step), events_of(both, Step)
    assert len(together) == len(alone) == 4
    assert [s.loss for s in together] == pytest.approx([s.loss for s in alone], rel=1e-4)
    assert [s.grad_norm for s in together] == pytest.approx([s.grad_norm for s in alone], rel=1e-3)
    records = read_events(both.events_path)
    assert [record.seq for record in records] == list(range(1, len(records) + 1))
    assert [s.step for s in events_of(both, Score)] == [s.step for s in events_of(prepared, Score)]
    states = [event.state for event in events_of(both, StateChanged)]
    assert states == [event.state for event in events_of(prepared, StateChanged)]
    one = load_file(prepared.adapter_dir / "adapter_model.safetensors")
    two = load_file(both.adapter_dir / "adapter_model.safetensors")
    assert one.keys() == two.keys()
    far = sum(np.square(two[name] - weight).sum() for name, weight in one.items())
    assert far < tolerance**2 * sum(np.square(weight).sum() for weight in one.values())


def test_two_processes_stop_together_and_are_resumed_together(prepared, config):
    steps.train(prepared, replace(config, epochs=12, n_devices=2))
    wait_until(lambda: has_stepped(prepared) or not jobs.is_alive(prepared), "a first step")
    jobs.stop(prepared)
    assert wait_for_end(prepared).state == "stopped", "\n".join(jobs.log_tail(prepared))
    assert prepared.has_adapter
    n_learnt = events_of(prepared, Step)[-1].step
    assert n_learnt < 24
    assert Note("note_saved") in events_of(prepared, Note)
    steps.resume(prepared)
    assert wait_for_end(prepared).state == "done", "\n".join(jobs.log_tail(prepared))
    assert events_of(prepared, Resumed) == [Resumed(n_learnt)]
    assert [event.step for event in events_of(prepared, Step)] == list(range(1, 25))


def test_what_one_process_fails_of_is_the_runs_reason(prepared, config):
    for flac in prepared.dataset_dir.glob("clips/*.flac"):
        flac.unlink()  # both processes start, then neither finds its recordings
    steps.train(prepared, replace(config, n_devices=2))
    status = wait_for_end(prepared)
    assert (status.state, status.reason) == ("failed", "dataset_vanished")
    assert events_of(prepared, StateChanged)[-1].state == "failed"
