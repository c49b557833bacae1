"""The short form of the chaos benchmark: real workers and a real page, killed and stopped."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[3]
SHORT = {"kills": 10, "mutants": 60, "page-kills": 3, "stops": 2, "fills": 2, "forgeries": 100}


@pytest.mark.timeout(1500)
def test_nothing_is_lost(tmp_path):
    path = tmp_path / "chaos.json"
    numbers = [part for name, n in SHORT.items() for part in (f"--{name}", str(n))]
    command = [sys.executable, "benchmarks/chaos.py", "--only", *numbers, "--json", path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(path.read_text())
    assert result["kills"] == 10
    assert result["unresumable"] == result["events_lost"] == result["mutants_loaded"] == 0
    assert result["bitwise_equal"] == 1.0
    assert result["adopted"] == result["page_kills"] == 3
    assert result["stopped_in_time"] == result["stops"] == 2
    assert result["fills_finished"] == result["fills_bitwise_equal"] == result["fills"]
    assert result["fills"] == 2 or "may not mount" in done.stdout
    assert result["strangers_signalled"] == 0
    assert result["orphans"] == 0
