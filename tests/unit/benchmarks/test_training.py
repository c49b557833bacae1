"""The race against the seed's recipe, whole, with a tiny model."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from benchmarks.probe import gemm_rate
from benchmarks.turns import REPOSITORY


@pytest.fixture(scope="module")
def race(tmp_path_factory) -> tuple[dict, str, Path]:
    """The figures of one quick race, what it printed, and its profile."""
    folder = tmp_path_factory.mktemp("race")
    command = [sys.executable, "benchmarks/training.py", "--quick", "--json", folder / "race.json"]
    command += ["--profile", folder / "profile.txt"]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return json.loads((folder / "race.json").read_text()), done.stdout, folder / "profile.txt"


def test_both_learn_from_the_same_clips(race):
    result, _, _ = race
    assert result["mean_clip_s"] == pytest.approx(2, abs=1)
    for side in ("seed", "ours"):
        assert [turn["n_clips"] for turn in result[side]["rounds"]] == pytest.approx(
            [8 * turn["n_steps"] for turn in result[side]["rounds"]], rel=0.4
        )


def test_the_seed_pays_for_thirty_seconds_and_ours_for_speech(race):
    result, _, _ = race
    seed, ours = result["seed"], result["ours"]
    for turn in seed["rounds"]:
        assert turn["positions"] == 1500 * turn["n_clips"]
    assert seed["padded_share"] > 0.9
    assert 0.1 < ours["padded_share"] < 0.6  # the margin of 0.5 to 1.3 s on short clips
    per_clip = {
        side: sum(t["flop"] for t in result[side]["rounds"])
        / sum(t["n_clips"] for t in result[side]["rounds"])
        for side in ("seed", "ours")
    }
    assert per_clip["seed"] > 4 * per_clip["ours"]


def test_useful_work_is_part_of_the_work(race):
    result, _, _ = race
    for side in ("seed", "ours"):
        assert 0 < result[side]["useful_tflops"] < result[side]["tflops"]
        assert result[side]["share_of_probe"] > 0
        assert result[side]["memory"]["resident_mb"] > 100
        assert 0 <= result[side]["data_share"] < 1


def test_json_has_what_others_read(race):
    result, printed, _ = race
    assert {"speedup", "speedup_cpu", "share_of_probe", "seed", "ours", "device", "threads"} <= set(
        result
    )
    rounds = zip(result["ours"]["rounds"], result["seed"]["rounds"], strict=True)
    ratios = [a["n_clips"] / a["cpu_s"] * b["cpu_s"] / b["n_clips"] for a, b in rounds]
    assert result["speedup_cpu"] == pytest.approx(statistics.median(ratios))
    assert result["data"]["disk_to_memory_cpu"] > 0
    assert f"{result['speedup']:.1f}x the seed's samples/s" in printed


def test_profile_names_operations_with_dtypes(race):
    _, _, profile = race
    lines = profile.read_text().splitlines()
    assert lines[0].endswith("mean of 3 steps")
    assert any("aten::mm fp32[" in line for line in lines)


def test_probe_is_a_rate_of_this_machine():
    rate = gemm_rate(64, 64, torch.float32, torch.device("cpu"), seconds=0.05)
    assert 1e-5 < rate["tflops"] < 1e3
    assert rate["tflops_cpu"] > 1e-5
