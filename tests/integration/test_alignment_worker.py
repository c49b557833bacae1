"""A real worker aligns a recording with a tiny Whisper that hears nonsense: stopped, killed, gone
on with, used.
"""

import json
import os
import signal

import numpy as np
import pytest

from tests.integration.test_worker import events_of, wait_for_end, wait_until
from tests.tiny import TINY_ID
from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.audio import read_flac, write_flac
from whisper_tuner.errors import RunError
from whisper_tuner.runs import jobs, locks
from whisper_tuner.runs.events import Note, StateChanged
from whisper_tuner.runs.folder import Run


@pytest.fixture
def talk(tmp_path):
    """Four minutes of recorded prompts with pauses, and a text."""
    paths = sorted((steps.EXAMPLE_DIR / "clips").glob("conf-*.flac"))[:40]
    rest = np.random.default_rng(1).normal(0, 1e-4, 12_000).astype(np.float32)
    parts = [part for path in paths for part in (read_flac(path), rest)]
    samples = np.resize(np.concatenate(parts), 240 * 16_000)
    write_flac(tmp_path / "talk.flac", samples)
    (tmp_path / "talk.txt").write_text("Una frase. " * 120, encoding="utf-8")
    return tmp_path / "talk.flac", tmp_path / "talk.txt"


@pytest.fixture
def run(hub_cache, tmp_path):
    run = Run.create(tmp_path / "runs")
    yield run
    if locks.is_held(run.lock_path):
        os.killpg(json.loads(run.lock_path.read_text())["pid"], signal.SIGKILL)


def test_killed_and_stopped_it_hears_nothing_twice(run, talk):
    steps.align(run, *talk, "it", TINY_ID)
    wait_until(lambda: task.heard_windows(run), "a window to be heard")
    jobs.kill(run, "worker_hung")
    assert wait_for_end(run).state == "interrupted"
    first = task.heard_windows(run)
    assert first and not review.is_there(run)
    with pytest.raises(RunError):
        review.read(run)

    assert steps.resume_alignment(run)
    wait_until(lambda: len(task.heard_windows(run)) > len(first), "another window")
    jobs.stop(run)
    assert wait_for_end(run).state == "stopped"
    second = task.heard_windows(run)

    steps.resume_alignment(run)
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))
    windows = task.heard_windows(run)
    assert windows[: len(second)] == second and second[: len(first)] == first
    assert windows[0].start_s == 0 and windows[-1].end_s == pytest.approx(240, abs=0.01)
    assert [w.start_s for w in windows[1:]] == [w.end_s for w in windows[:-1]]
    known = [e.params["n"] for e in events_of(run, Note) if e.code == "note_windows_known"]
    assert known == [len(first), len(second)]
    assert StateChanged("aligning") in events_of(run, StateChanged)
    rows = review.read(run)
    assert rows and not any(row.keep for row in rows)  # nonsense was heard
    with pytest.raises(RunError):
        steps.resume_alignment(run)

    for i in [i for i, row in enumerate(rows) if row.is_sound][:3]:
        review.decide(run, i, True, f"Frase numero {i}.")
    made = Run.create(run.dir.parent)
    report = steps.prepare_from(made, steps.AlignedSource(run))
    assert report.n_clips == 3 and {"align_dropped", "align_no_text"} & {
        finding.code for finding in report.findings
    }
    assert steps.delete(run).megabytes > 0 and steps.has_dataset(made)
