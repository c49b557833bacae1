"""The distance of windows from 30 seconds, whole, with a tiny model."""

import json
import subprocess
import sys

from benchmarks.turns import REPOSITORY


def test_ours_is_nearer_than_no_silence(tmp_path):
    path = tmp_path / "window.json"
    command = [sys.executable, "benchmarks/window.py", "--quick", "--json", path]
    subprocess.run(command, cwd=REPOSITORY, capture_output=True, check=True)
    result = json.loads(path.read_text())
    rows = result["rows"]
    assert result["n_clips"] == 4 and result["n_tokens"] > 16
    assert rows["every position"]["divergence"] < rows["no silence behind it"]["divergence"]
    ours = rows["ours: every 2nd position, weighed"]
    assert ours["divergence"] < rows["every 2nd, not weighed"]["divergence"]
    assert ours["cpu_s"] < result["cpu_s_at_30_s"]
