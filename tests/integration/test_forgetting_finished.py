"""A worker killed between the end of its training and the deletion of Common Voice's recordings."""

import time
from dataclasses import replace

import pytest

from tests.integration.test_worker import wait_for_end, wait_until
from whisper_tuner import steps
from whisper_tuner.data.clips import COMMON_VOICE, read_clips, read_report, write_dataset
from whisper_tuner.data.forget import FORGOTTEN
from whisper_tuner.runs import caretaker, jobs
from whisper_tuner.runs.events import EventWriter, Note, StateChanged, read_events
from whisper_tuner.runs.folder import Run, Spec


@pytest.fixture
def foreign(prepared) -> Run:
    """A run whose recordings are all of Common Voice."""
    folder = prepared.dataset_dir
    clips = [replace(clip, source=COMMON_VOICE) for clip in read_clips(folder)]
    write_dataset(folder, clips, read_report(folder))
    return prepared


def n_sounds(run: Run) -> int:
    return len(list((run.dataset_dir / "clips").iterdir()))


def say(run: Run, *events: object) -> None:
    writer = EventWriter(run.events_path)
    for event in events:
        writer.append(event)
    writer.close()


def test_a_killed_worker_s_recordings_go_with_the_next_sweep(foreign, tiny_config, monkeypatch):
    monkeypatch.setattr(jobs, "WORKER", "tests.killed_at_done")
    steps.train(foreign, replace(tiny_config, max_steps=1))
    assert wait_for_end(foreign).state == "done", foreign.log_path.read_text()
    assert n_sounds(foreign) == 10
    monkeypatch.setattr(caretaker, "LOOK_EVERY_S", 3600.0)  # its thread outlives this test
    caretaker.Caretaker(foreign.dir.parent, hourly=steps.finish_all_forgetting)
    wait_until(lambda: n_sounds(foreign) == 0, "the sweep")
    told = Note(FORGOTTEN, {"n": 10})
    wait_until(lambda: read_events(foreign.events_path)[-1].event == told, "its sentence")
    assert len(foreign.read_comparison()["clips"]) == 2


def test_a_deletion_that_was_cut_short_is_finished_beside_a_torn_run(foreign, tiny_config):
    foreign.write_spec(Spec(tiny_config, time.time(), {}))
    say(foreign, StateChanged("done"))
    next((foreign.dataset_dir / "clips").iterdir()).unlink()
    torn = Run.create(foreign.dir.parent)
    torn.spec_path.write_text("{")
    steps.finish_all_forgetting(foreign.dir.parent)
    assert n_sounds(foreign) == 0
    n_events = len(read_events(foreign.events_path))
    steps.finish_all_forgetting(foreign.dir.parent)  # there is nothing left to say
    assert len(read_events(foreign.events_path)) == n_events


@pytest.mark.parametrize(
    "events",
    [
        [],
        [StateChanged("evaluating")],
        [StateChanged("stopped")],
        [StateChanged("done"), StateChanged("queued")],
        [StateChanged("done"), Note(jobs.RESTORED, {"repo": "anna/copy"})],
    ],
)
def test_what_may_be_needed_again_stays(foreign, tiny_config, events):
    foreign.write_spec(Spec(tiny_config, time.time(), {}))
    say(foreign, *events)
    steps.finish_forgetting(foreign)
    assert n_sounds(foreign) == 10


def test_what_is_to_be_kept_stays(foreign, tiny_config):
    foreign.write_spec(Spec(replace(tiny_config, keep_common_voice=True), time.time(), {}))
    say(foreign, StateChanged("done"))
    steps.finish_forgetting(foreign)
    assert n_sounds(foreign) == 10
