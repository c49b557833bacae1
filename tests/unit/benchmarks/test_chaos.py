"""The short form of the chaos benchmark: real workers and a real page, killed and stopped."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import chaos

REPOSITORY = Path(__file__).resolve().parents[3]
# No hangs: each takes a minute and a half (tests/integration/test_caretaker.py has one).
SHORT = {
    "kills": 3,
    "mutants": 60,
    "page-kills": 1,
    "stops": 2,
    "fills": 2,
    "crowds": 1,
    "forgeries": 100,
}


@pytest.mark.timeout(1500)
def test_nothing_is_lost(tmp_path):
    path = tmp_path / "chaos.json"
    path.write_text(json.dumps({"hangs": 7, "kills": 1}))  # of an earlier measuring
    numbers = [part for name, n in SHORT.items() for part in (f"--{name}", str(n))]
    command = [sys.executable, "benchmarks/chaos.py", "--only", *numbers, "--json", path]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    result = json.loads(path.read_text())
    assert result["hangs"] == 7
    assert result["kills"] == 3
    assert result["unresumable"] == result["events_lost"] == result["mutants_loaded"] == 0
    assert result["bitwise_equal"] == 1.0
    assert result["adopted"] == result["page_kills"] == 1
    assert result["page_kills_unnoticed"] == result["page_kills_bitwise_equal"] == 1
    assert result["page_kills_events_lost"] == 0
    assert result["stopped_in_time"] == result["stops"] == 2
    assert result["stopped_while"].keys() <= {"training", "saving"}
    assert result["stops_adapter_kept"] == result["stops_learnt"] > 0
    assert result["stops_resumed_done"] == result["stops_resumed"] > 0
    assert result["fills"] == 2 or "may not mount" in done.stdout
    if result["fills"]:
        assert result["fills_failed_at"] == [], result["fills_outcomes"]
        assert result["fills_met"] == result["fills_with_a_good_checkpoint"] == 2
        assert result["fills_finished"] == result["fills_bitwise_equal"] == 2
        assert result["fills_events_lost"] == 0
    assert result["accepted"] >= 4
    assert result["accepted"] + result["refused"] == 2 * result["clients"]
    wrong = ("two_at_once", "out_of_order", "more_than_one_waiting", "accepted_but_lost")
    more_wrong = ("started_twice", "refused_but_started", "people_without_a_run")
    assert not any(result[name] for name in (*wrong, *more_wrong)), result
    assert result["strangers_signalled"] == 0
    assert result["orphans"] == 0
    assert all(part["whole"] for part in result["parts"].values())


def test_what_is_left_behind_is_seen_and_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(chaos, "LAST_BREATH_S", 0.5)
    monkeypatch.setenv(chaos.MARK, str(tmp_path))
    assert chaos.orphans() == 0
    left = subprocess.Popen(["sleep", "60"], env=dict(os.environ), start_new_session=True)
    assert chaos.orphans() == 1
    assert left.wait(5) < 0


def test_what_was_measured_before_an_interruption_is_kept(tmp_path):
    path = tmp_path / "chaos.json"
    results = chaos.Results(path)
    results.begin("stops", 1)
    results.tell({"stops": 3})
    again = chaos.Results(path)  # the first was cut off here
    again.begin("kills", 2)
    again.tell({"kills": 5})
    again.end({"kills": 6}, 1)
    written = json.loads(path.read_text())
    assert (written["stops"], written["kills"], written["orphans"]) == (3, 6, 1)
    assert not written["parts"]["stops"]["whole"]
    assert written["parts"]["kills"]["whole"]
