"""Recordings that are downloaded for a run that goes on: nobody is kept from it meanwhile."""

from contextlib import contextmanager

import pytest

from tests.sounds import speech, write
from whisper_tuner import steps
from whisper_tuner.data.clips import Candidate, read_clips
from whisper_tuner.errors import RunError
from whisper_tuner.runs import locks
from whisper_tuner.runs.folder import Run
from whisper_tuner.steps.checks import DATA_LOCK_NAME


class Source:
    """Three recordings, each in the same temporary file; `seen` is asked while they come."""

    def __init__(self, folder, seen) -> None:
        self.path, self.seen, self.is_closed = folder / "recording.wav", seen, False

    @contextmanager
    def open(self, run, known):
        yield self._all()
        self.is_closed = True

    def _all(self):
        for i in range(3):
            self.seen()
            write(self.path, speech(1.2, seed=40 + i))
            yield Candidate(f"new {i}.wav", self.path, f"una frase nuova numero {i}", "train")


@pytest.fixture
def run(small_source, tmp_path) -> Run:
    run = Run.create(tmp_path / "runs")
    steps.prepare(run, [small_source])
    run.start_dir.mkdir()
    return run


def test_the_recordings_are_locked_only_when_they_change(run, tmp_path):
    held, told = [], []
    source = Source(tmp_path, lambda: held.append(locks.is_held(run.dir / DATA_LOCK_NAME)))
    steps.prepare_from(run, source, on_progress=told.append)
    assert held == [False, False, False] and told == [1, 2, 3]
    names = [clip.name for clip in read_clips(run.dataset_dir)]
    assert names[-3:] == ["new 0.wav", "new 1.wav", "new 2.wav"]
    texts = {clip.audio: clip for clip in read_clips(run.dataset_dir)}
    assert all((run.dataset_dir / audio).exists() for audio in texts)
    assert not list(run.dir.glob(".dataset-*")) and source.is_closed


def test_a_training_begun_meanwhile_keeps_its_recordings(run, tmp_path):
    before = read_clips(run.dataset_dir)
    source = Source(tmp_path, lambda: run.spec_path.write_text("{}"))
    with pytest.raises(RunError) as refused:
        steps.prepare_from(run, source)
    assert refused.value.code == "run_has_started"
    assert read_clips(run.dataset_dir) == before and not source.is_closed
