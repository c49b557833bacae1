"""What the driver, the environment and the container say of a machine; nvidia-smi is a script."""

import os

import psutil
import pytest

from whisper_tuner.runs import device as device_module
from whisper_tuner.runs.device import Device, find_device

T4 = "Tesla T4, 15360, 7.5"
A100 = "NVIDIA A100-SXM4-40GB, 40960, 8.0"
H100 = "NVIDIA H100 80GB HBM3, 81559, 9.0"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """A function that puts an nvidia-smi with this answer on PATH, and nothing else."""
    for name in ("CUDA_VISIBLE_DEVICES", "SPACE_ID", "ACCELERATOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))

    def answer(*lines: str, code: int = 0) -> None:
        asked = "--query-gpu=name,memory.total,compute_cap --format=csv,noheader,nounits"
        said = "".join(f'echo "{line}"\n' for line in lines)
        script = tmp_path / "nvidia-smi"
        script.write_text(f'#!/bin/sh\n[ "$*" = "{asked}" ] || exit 3\n{said}exit {code}\n')
        script.chmod(0o755)

    return answer


def test_a_t4(machine):
    machine(T4)
    found = find_device()
    assert (found.kind, found.name, found.short_name) == ("cuda", "Tesla T4", "T4")
    assert found.memory_gb == pytest.approx(16.1, abs=0.05)
    assert (found.capability, found.n_devices, found.price_per_hour) == ((7, 5), 1, None)
    assert found.flops_per_s == 0.25 * 65e12
    assert (found.default_base, found.default_precision) == ("openai/whisper-large-v2", "8bit")


def test_without_a_driver_it_is_the_cpu(machine):
    found = find_device()
    assert (found.kind, found.capability, found.n_devices) == ("cpu", None, 1)
    assert 0 < found.memory_gb <= psutil.virtual_memory().total / 1e9
    assert found.flops_per_s == os.cpu_count() * 35e9


@pytest.mark.parametrize(("lines", "code"), [((), 0), (("no devices were found",), 6)])
def test_a_driver_that_finds_nothing_is_the_cpu(machine, lines, code):
    machine(*lines, code=code)
    assert find_device().kind == "cpu"


@pytest.mark.parametrize(
    ("allowed", "n", "name"),
    [
        (None, 3, "A100"),
        ("0,1,2", 3, "A100"),
        ("2", 1, "H100"),
        ("2,0", 2, "H100"),
        ("0,7,1", 1, "A100"),  # CUDA stops at the first that is not there
        ("GPU-8932f937-d72c,GPU-1a2b3c4d-5e6f", 2, "A100"),
    ],
)
def test_only_devices_that_cuda_may_use_count(machine, monkeypatch, allowed, n, name):
    machine(A100, A100, H100)
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    found = find_device()
    assert (found.n_devices, found.short_name) == (n, name)


@pytest.mark.parametrize("allowed", ["", "-1"])
def test_hidden_gpus_are_none(machine, monkeypatch, allowed):
    machine(T4)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert find_device().kind == "cpu"


def test_the_smallest_of_unequal_gpus_counts(machine):
    machine(H100, A100)
    assert find_device().memory_gb == pytest.approx(42.9, abs=0.1)


def test_a_gpu_that_shares_the_hosts_memory(machine):
    machine("NVIDIA GB10, [N/A], [N/A]")
    found = find_device()
    assert found.capability is None
    assert found.memory_gb > 0


def test_a_container_may_have_less_than_the_machine(machine, tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(device_module, "CGROUP_LIMIT", limit)
    limit.write_text("2000000000\n")
    assert find_device().memory_gb == 2.0
    limit.write_text("max\n")
    assert find_device().memory_gb == psutil.virtual_memory().total / 1e9


@pytest.mark.parametrize(
    ("hardware", "price"), [("t4-small", 0.40), ("a100-large", 2.50), ("zero-a10g", None)]
)
def test_a_space_has_a_price(machine, monkeypatch, hardware, price):
    machine(T4)
    monkeypatch.setenv("ACCELERATOR", hardware)
    assert find_device().price_per_hour is None  # not on a Space
    monkeypatch.setenv("SPACE_ID", "anna/whisper-tuner")
    assert find_device().price_per_hour == price


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("NVIDIA A10G", "A10G"),
        ("NVIDIA L40S", "L40S"),
        ("NVIDIA GeForce RTX 3090", "RTX 3090"),
        ("NVIDIA H100 80GB HBM3", "H100"),
        ("NVIDIA A100 80GB PCIe", "A100"),
        ("Tesla V100-SXM2-16GB", "V100"),
        ("Tesla P100-PCIE-16GB", "P100"),
    ],
)
def test_names_as_people_say_them(name, short):
    assert Device("cuda", name).short_name == short


def test_speed_is_that_of_the_exact_model_or_guessed_by_capability():
    def tflops(name: str, capability: tuple[int, int] | None = None) -> float:
        return Device("cuda", name, 24.0, capability).flops_per_s / 0.25 / 1e12

    assert tflops("NVIDIA A10G", (8, 6)) == 70  # not an A10
    assert tflops("NVIDIA L40S", (8, 9)) == 362  # not an L4
    assert tflops("NVIDIA GeForce RTX 4090", (8, 9)) == 165
    assert tflops("NVIDIA GeForce RTX 4060", (8, 9)) == 60
    assert tflops("NVIDIA GeForce RTX 2060", (7, 5)) == 25
    assert tflops("NVIDIA RTX 9999", (12, 0)) == 300
    assert tflops("something") == 5
