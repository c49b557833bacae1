"""Five ways to hear the same clips, whole, with a tiny model."""

import json
import subprocess
import sys

import pytest

from benchmarks.turns import REPOSITORY

WAYS = ["seed", "ours", "ours at 30 s", "transformers pipeline"]
FASTER_WHISPER = [f"faster-whisper {kind}" for kind in ("float32", "int8")]


@pytest.fixture(scope="module")
def result(tmp_path_factory) -> dict:
    """The figures of a quick evaluation; the adapter is trained by the real worker."""
    pytest.importorskip("faster_whisper")
    path = tmp_path_factory.mktemp("evaluation") / "evaluation.json"
    command = [sys.executable, "benchmarks/evaluation.py", "--quick", "--json", path]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    return json.loads(path.read_text())


def test_every_way_hears_all_clips(result):
    batched = [f"{name}, batched" for name in FASTER_WHISPER]
    assert sorted(result["rows"]) == sorted(WAYS + FASTER_WHISPER + batched)
    assert result["n_clips"] == 2
    for name, row in result["rows"].items():
        assert row["clips_per_s"] > 0, name
        assert row["audio_s_per_s"] == pytest.approx(
            row["clips_per_s"] * result["audio_s"] / result["n_clips"]
        )
        assert row["wer"] > 0.5, name  # random weights


def test_ratios_are_to_the_seeds_loop(result):
    rows = result["rows"]
    assert rows["seed"]["speedup_vs_seed"] == 1
    assert result["speedup_vs_seed"] == rows["ours"]["speedup_vs_seed"]
    assert result["speedup_vs_seed"] == pytest.approx(
        rows["ours"]["clips_per_s"] / rows["seed"]["clips_per_s"]
    )
    assert result["wer_seed"] == rows["seed"]["wer"]
    assert result["wer_ours"] == rows["ours"]["wer"]
