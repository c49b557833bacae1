"""The base listens to a run's recordings before any training: work of its own in the run's folder.

It has its own specification and its own events, so that a training begun later knows nothing of it;
all else is the run's: recordings, lock, log, place in the queue. So a run either listens or trains.
"""

from pathlib import Path

from whisper_tuner.runs import aligning, locks, worker_row
from whisper_tuner.runs.folder import Run

STAGE = "listen"
SPEC_NAME = "listening.json"


class Listening(Run):
    """The same folder, seen by who listens."""

    @property
    def spec_path(self) -> Path:
        return self.dir / SPEC_NAME

    @property
    def events_path(self) -> Path:
        return self.dir / "listening.jsonl"


def is_at_work(run: Run) -> bool:
    """Whether the run's living worker listens."""
    return worker_row.read(run).stage == STAGE and locks.is_held(run.lock_path)


def seen_by(run_dir: Path, stage: str) -> Run:
    """The run as a worker of this stage sees it."""
    views = {STAGE: Listening, aligning.STAGE: aligning.Aligning}
    return views.get(stage, Run)(run_dir)
