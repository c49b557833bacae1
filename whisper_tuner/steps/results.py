"""What a run leaves behind: to take away, to publish, to delete."""

from dataclasses import dataclass
from pathlib import Path

from whisper_tuner.data.clips import read_report
from whisper_tuner.errors import RunError
from whisper_tuner.publish import hub, package
from whisper_tuner.runs import locks
from whisper_tuner.runs.delete import delete as delete_folder
from whisper_tuner.runs.folder import Run
from whisper_tuner.steps.checks import DATA_LOCK_NAME, has_dataset, require_adapter


@dataclass(frozen=True)
class Deleted:
    """What a deletion took away: recordings, and megabytes of disk that are free now."""

    run: str
    n_clips: int
    megabytes: float


def push(run: Run, token: str, repo_name: str, private: bool = True) -> hub.PushResult:
    """Put the adapter, with its card, into the token owner's own account."""
    require_adapter(run)
    return hub.push(run, token, repo_name, private)


def download(run: Run) -> Path:
    """The adapter with its card as one ZIP."""
    require_adapter(run)
    return package.zip_adapter(run)


def delete(run: Run) -> Deleted:
    """Delete a run with its recordings and all that was made of them. What is on Hugging Face
    stays there; what the base heard is kept for a while (`evaluation/base_cache.py`).

    Raises RunError when its worker is alive, or recordings are being added to it.
    """
    if locks.is_held(run.dir / DATA_LOCK_NAME):
        raise RunError("data_being_added")
    n_clips = read_report(run.dataset_dir).n_clips if has_dataset(run) else 0
    return Deleted(run.id, n_clips, delete_folder(run) / 1e6)
