"""A real worker aligns a recording with a tiny Whisper that hears nonsense: stopped, killed, gone
on with, used.
"""

import csv
import json
import os
import shutil
import signal

import numpy as np
import pytest

from tests.integration.test_worker import events_of, wait_for_end, wait_until
from tests.tiny import TINY_ID
from whisper_tuner import steps
from whisper_tuner.alignment import review, task
from whisper_tuner.audio import read_flac, write_flac
from whisper_tuner.data.clips import read_clips, read_report
from whisper_tuner.data.long_recordings import read_long
from whisper_tuner.errors import InputError, RunError
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
    steps.align(run, [talk], "it", TINY_ID)
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


def test_several_are_heard_one_after_the_other_and_a_broken_one_costs_itself(run, talk, tmp_path):
    short, text = tmp_path / "short.flac", tmp_path / "short.txt"
    write_flac(short, read_flac(talk[0])[: 40 * 16_000])
    text.write_text("Una frase. " * 20, encoding="utf-8")
    (tmp_path / "broken.mp3").write_bytes(b"no sound " * 100)
    pairs = [(tmp_path / "broken.mp3", text), (short, text), talk]
    steps.align(run, pairs, "it", TINY_ID, owner="anna")
    wait_until(lambda: task.heard_windows(run, 2), "the third to be begun")
    jobs.stop(run)
    assert wait_for_end(run).state == "stopped"
    second = task.heard_windows(run, 1)
    assert task.read_pieces(run, 1) is not None and task.read_pieces(run, 2) is None

    steps.resume_alignment(run, "anna")
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))
    assert task.heard_windows(run, 1) == second
    told = [e.code for e in events_of(run, Note)]
    assert told.count("audio_undecodable") == 1 and told[-1] == "note_aligned"
    rows = review.read(run)
    assert {row.recording for row in rows} == {1, 2}
    assert [row.recording for row in rows] == sorted(row.recording for row in rows)
    chosen = {row.recording: i for i, row in enumerate(rows) if row.is_sound}
    for n, i in chosen.items():
        review.decide(run, i, True, f"Frase {n}.")
    made = Run.create(run.dir.parent)
    report = steps.prepare_from(made, steps.AlignedSource(run))
    assert {clip.recording for clip in read_clips(made.dataset_dir)} == {"short.flac", "talk.flac"}
    assert ("broken.mp3", True) in {(f.clip, f.refused) for f in report.findings}


@pytest.fixture
def long_run(small_source, talk, tmp_path) -> Run:
    """A prepared run with ten clips, two recordings that are too long, and their speakers."""
    shutil.copytree(small_source, tmp_path / "source")
    with (tmp_path / "source/metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, seconds in (("a.flac", 45), ("b.flac", 35)):
        write_flac(tmp_path / "source" / name, read_flac(talk[0])[: seconds * 16_000])
        rows.append({"file_name": name, "transcription": "Una frase. " * 40, "split": "train"})
    rows = [{**row, "speaker": row["file_name"][:1]} for row in rows]
    with (tmp_path / "source/metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "transcription", "split", "speaker"])
        writer.writeheader()
        writer.writerows(rows)
    made = Run.create(tmp_path / "runs")
    steps.prepare(made, [tmp_path / "source"])
    return made


def test_long_recordings_of_a_dataset_are_cut_and_their_clips_take_their_place(run, long_run):
    before = read_report(long_run.dataset_dir)
    assert [f.code for f in before.findings if f.refused] == ["recording_long"] * 2
    steps.align_long(run, long_run, "it", TINY_ID)
    assert wait_for_end(run).state == "done", "\n".join(jobs.log_tail(run))
    assert task.read(run).dataset == long_run.id and steps.dataset_of(run) == long_run
    with pytest.raises(InputError, match="No clip is kept"):
        steps.use_cuts(run)
    assert not steps.is_used(run)

    rows = review.read(run)
    of_a = [i for i, row in enumerate(rows) if row.recording == 0 and row.is_sound]
    for i in of_a[:2]:
        review.decide(run, i, True, f"Frase numero {i}.")
    report = steps.use_cuts(run)
    assert [clip.name for clip in read_long(long_run.dataset_dir)] == ["b.flac"]
    new = [clip for clip in read_clips(long_run.dataset_dir) if clip.recording]
    assert {(c.recording, c.speaker, c.split) for c in new} == {("a.flac", "a", "train")}
    assert report.n_clips == before.n_clips + len(new) and not steps.is_used(run)

    of_b = [i for i, row in enumerate(rows) if row.recording == 1 and row.is_sound]
    review.decide(run, of_b[0], True, "Un'altra frase.")
    report = steps.use_cuts(run)  # only what still waits
    n_clips = before.n_clips + len(new) + 1
    assert report.n_clips == n_clips and steps.is_used(run)
    with pytest.raises(InputError, match="already"):
        steps.use_cuts(run)
    with pytest.raises(InputError, match="wait to be cut"):
        steps.align_long(Run.create(run.dir.parent), long_run, "it", TINY_ID)

    assert steps.undo_fixes(long_run) == before and not steps.is_used(run)
    assert steps.use_cuts(run).n_clips == n_clips  # nothing is heard again
    steps.delete(long_run)
    assert steps.dataset_of(run) is None
