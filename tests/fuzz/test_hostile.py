"""Hostile archives and recordings, a few dozen. The long form is `benchmarks/fuzz.py`."""

import json
from pathlib import Path

import pytest

from benchmarks import fuzz
from benchmarks.fuzz_parts import hostile, sound_mutants
from benchmarks.fuzz_parts.hostile import Tally
from benchmarks.fuzz_parts.subject import Watch


@pytest.mark.parametrize("kind", ["archives", "sounds"])
def test_nothing_escapes_crashes_or_shows_a_traceback(kind):
    tally = Tally()
    hostile.give(kind, 60, 3, tally)
    assert tally.strange == []
    assert (tally.n, tally.crashes, tally.tracebacks, tally.escapes) == (60, 0, 0, 0)
    assert tally.decoder_faults == 0
    assert len(tally.outcomes) >= 4 and tally.outcomes["read"] >= 3


def test_a_small_bomb_is_refused_in_time_and_memory():
    tally = Tally()
    first = list(hostile.bombs.BOMBS).index("overlapping")
    hostile.give("bombs", 1, 0, tally, first=first)
    assert (tally.outcomes, tally.strange) == ({"archive_overlap": 1}, [])
    assert tally.slowest_s < 5 and tally.peak_rss_mb < hostile.MAX_BOMB_MB


def test_what_is_wrong_is_counted(tmp_path: Path):
    bad = {"outcome": "traceback", "traceback": "…", "s": 1.0, "rss_mb": 50.0, "i": 7}
    tally = Tally()
    tally.add({**bad, "outside": ["/etc/x"], "left": []}, "archives", 1)
    tally.add({**bad, "outcome": "x", "outside": [], "left": [], "ended": -11}, "sounds", 1)
    tally.add({**bad, "outcome": "x", "outside": [], "left": [], "ended": -24}, "sounds", 1)
    assert (tally.tracebacks, tally.escapes, len(tally.strange)) == (1, 1, 3)
    assert (tally.decoder_faults, tally.decoder_limits) == (1, 1)
    path = tmp_path / "fuzz.json"
    results = fuzz.Results(path, 1)
    results.keep("audio", fuzz.asdict(tally))
    assert fuzz.Results(path, 1).tally("audio") == tally
    assert fuzz.Results(path, 2).tally("audio") == Tally()
    written = json.loads(path.read_text())
    assert (written["audio"], written["escapes"], written["tracebacks"]) == (3, 1, 1)


def test_a_subject_that_dies_is_a_crash(monkeypatch):
    monkeypatch.setattr(hostile, "ROOT", Path("/"))  # where there is no subject
    with pytest.raises(RuntimeError):
        hostile.give("sounds", 5, 0, Tally())


def test_a_write_outside_is_seen(tmp_path: Path):
    inside = tmp_path / "in"
    inside.mkdir()
    watch = Watch(inside)
    (inside / "a").write_text("x")
    assert watch.outside == []
    (tmp_path / "b").write_text("x")
    (tmp_path / "b").rename(tmp_path / "c")
    assert {Path(path).name for path in watch.outside} == {"b", "c"}


def test_every_kind_of_sound_is_made():
    assert len(sound_mutants.whole()) >= 30
