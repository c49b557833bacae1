"""What becomes of recordings where a run goes on from another: they are added, or begin anew."""

from whisper_tuner.runs.folder import Run
from whisper_tuner.ui.session import find_run, has_dataset

ADD, ANEW = "add", "anew"


def can_be_added_to(run: Run) -> bool:
    """Whether it goes on from an earlier run and was not started yet."""
    return has_dataset(run) and run.start_dir.exists() and not run.spec_path.exists()


def run_to_add_to(run_id: str, where: str) -> Run | None:
    """The run that recordings are added to; None when they begin a new one."""
    run = find_run(run_id)
    return run if run and where == ADD and can_be_added_to(run) else None
