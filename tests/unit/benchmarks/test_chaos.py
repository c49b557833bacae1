"""The short form of the chaos benchmark: real workers and a real page, killed and stopped."""

import json
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]


def test_nothing_is_lost(tmp_path):
    path = tmp_path / "chaos.json"
    numbers = ["--kills", "4", "--mutants", "60", "--page-kills", "1", "--stops", "2"]
    command = [sys.executable, "benchmarks/chaos.py", *numbers, "--json", path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(path.read_text())
    assert result["kills"] == 4
    assert result["unresumable"] == result["events_lost"] == result["mutants_loaded"] == 0
    assert result["bitwise_equal"] == 1.0
    assert result["adopted"] == result["page_kills"] == 1
    assert result["stopped_in_time"] == result["stops"] == 2
    assert result["orphans"] == 0
