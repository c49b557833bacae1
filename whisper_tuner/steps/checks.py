"""What must hold before a step is taken."""

from whisper_tuner.data.clips import MANIFEST_NAME, REPORT_NAME
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run

DATA_LOCK_NAME = "dataset.lock"  # held while recordings are added or changed


def has_dataset(run: Run) -> bool:
    """Whether it has recordings that were checked. They may be deleted at any time."""
    return all((run.dataset_dir / name).exists() for name in (MANIFEST_NAME, REPORT_NAME))


def require_dataset(run: Run) -> None:
    if not has_dataset(run):
        raise InputError("dataset_missing", run=run.id)


def refuse_new_data(run: Run) -> None:
    """Raises RunError when the run's recordings are there to stay. Those of a run that goes on from
    another can be added to: its adapter knows what they are.
    """
    if run.start_dir.exists():
        raise RunError("run_goes_on", run=run.id)
    refuse_started(run)


def refuse_started(run: Run) -> None:
    """Raises RunError when the run's training was started: neither it nor its data may change."""
    if run.spec_path.exists():
        raise RunError("run_has_started", run=run.id)


def require_adapter(run: Run) -> None:
    if not run.has_adapter:
        raise RunError("adapter_missing", run=run.id)
    if jobs.is_alive(run):
        raise RunError("run_busy", run=run.id)
