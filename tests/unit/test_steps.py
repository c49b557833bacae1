"""The plan that page and command line share, and that training obeys. No worker is started."""

import json
from dataclasses import replace

import pytest

from whisper_tuner import steps
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import Device
from whisper_tuner.steps import training

GPU = Device("cuda", "Tesla T4", 16.1, (7, 5))
LARGE = "openai/whisper-large-v2"


@pytest.fixture
def machine(monkeypatch):
    """A function that says what device training would find; starting a worker only notes it."""
    started = []
    monkeypatch.setattr(jobs, "start", started.append)

    def find(device: Device) -> list:
        monkeypatch.setattr(training, "find_device", lambda: device)
        return started

    return find


def test_plan_starts_nothing(prepared, tiny_config):
    planned, expected = steps.plan(prepared, tiny_config, GPU)
    assert planned == tiny_config
    assert expected.fits and expected.total_s > 0
    assert not prepared.spec_path.exists()


def test_train_writes_the_config_as_planned(prepared, tiny_config, machine):
    started = machine(replace(GPU, memory_gb=5.2))
    config = replace(tiny_config, base=LARGE, precision="8bit", window="full", batch_size=8)
    planned, _ = steps.plan(prepared, config, replace(GPU, memory_gb=5.2))
    assert planned.gradient_accumulation > 1
    steps.train(prepared, config)
    assert prepared.read_spec().config == planned
    assert started == [prepared]
    with pytest.raises(RunError):
        steps.train(prepared, config)


def test_train_refuses_what_is_far_too_large(prepared, tiny_config, machine):
    started = machine(replace(GPU, memory_gb=2.1))
    with pytest.raises(InputError) as refused:
        steps.train(prepared, replace(tiny_config, base=LARGE, precision="8bit"))
    assert refused.value.code == "does_not_fit"
    assert "2.1 GB" in str(refused.value)
    assert started == [] and not prepared.spec_path.exists()


def test_train_dares_what_may_fit(prepared, tiny_config, machine):
    config = replace(tiny_config, base=LARGE, precision="8bit")
    least = steps.plan(prepared, config, replace(GPU, memory_gb=1.0))[1].peak_bytes / 1e9
    started = machine(replace(GPU, memory_gb=0.9 * least))
    steps.train(prepared, config)
    assert started == [prepared]


@pytest.mark.parametrize(
    ("change", "named"), [({"language": "tlh"}, "tlh"), ({"n_devices": 3}, "devices")]
)
def test_what_cannot_be_is_said_before_the_start(prepared, tiny_config, change, named):
    with pytest.raises(InputError, match=named):
        steps.plan(prepared, replace(tiny_config, **change), replace(GPU, n_devices=2))


def test_a_cpu_may_run_several_processes(prepared, tiny_config):
    config = replace(tiny_config, n_devices=2)
    assert steps.plan(prepared, config, Device("cpu", "2 CPU cores", 16.0))[0] == config


def test_no_plan_without_recordings(prepared, tiny_config):
    manifest = prepared.dataset_dir / "manifest.jsonl"
    rows = [json.loads(line) for line in manifest.read_text().splitlines()]
    manifest.write_text("".join(json.dumps({**row, "split": "train"}) + "\n" for row in rows))
    with pytest.raises(InputError) as refused:
        steps.plan(prepared, tiny_config, GPU)
    assert refused.value.code == "dataset_not_usable"
    prepared.dataset_dir.rename(prepared.dir / "gone")
    with pytest.raises(InputError) as refused:
        steps.plan(prepared, tiny_config, GPU)
    assert refused.value.code == "dataset_missing"
