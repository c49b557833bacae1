"""Recordings in, put right, and out again."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from whisper_tuner.data import common_voice, fixes, upload
from whisper_tuner.data.add import add as add_to_dataset
from whisper_tuner.data.add import names_known
from whisper_tuner.data.clips import Candidate, Report
from whisper_tuner.data.prepare import prepare as prepare_dataset
from whisper_tuner.data.tables import Reading
from whisper_tuner.model.locate import token_counter
from whisper_tuner.publish import recordings
from whisper_tuner.publish.dataset import PushedData, push_recordings
from whisper_tuner.runs.folder import Run
from whisper_tuner.sources import Source
from whisper_tuner.steps.checks import (
    changing_data,
    refuse_new_data,
    require_dataset,
    room_for_long,
)

tiers = upload.tiers  # what the tier of a `Reading` can be; empty: nothing to choose
EXAMPLE_DIR = Path(__file__).resolve().parents[2] / "examples" / "italian-prompts"
EXAMPLE_PATHS = [EXAMPLE_DIR / "metadata.csv", EXAMPLE_DIR / "clips"]
EXAMPLE_LANGUAGE = "it"


def prepare(
    run: Run,
    paths: list[Path],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    reading: Reading | None = None,
) -> Report:
    """Read, check and split recordings into the run's dataset; every problem is in the report.

    `reading`: how a person says that their table is to be read.
    """
    refuse_new_data(run)
    candidates = upload.candidates(paths, reading=reading)
    return prepare_dataset(
        candidates, run.dataset_dir, token_counter(), seed, on_progress, room_for_long(run)
    )


def prepare_common_voice(
    run: Run,
    archive: Path,
    n_train: int,
    n_test: int,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from an official Common Voice archive (tar.gz), as many clips as asked for."""
    refuse_new_data(run)
    candidates = common_voice.candidates(archive, n_train, n_test, seed)
    return prepare_dataset(
        candidates, run.dataset_dir, token_counter(), seed, on_progress, room_for_long(run)
    )


def prepare_from(
    run: Run,
    source: Source,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from a source that is read while it is downloaded. A run that goes on from another
    keeps its recordings and gets these beside them.
    """
    if run.start_dir.exists():
        known = names_known(run.dataset_dir)
        temp = tempfile.TemporaryDirectory(prefix=".dataset-", dir=run.dir)
        with source.open(run, known) as candidates, temp as folder:
            fetched = _fetch(candidates, Path(folder), on_progress)
            return _add(run, iter(fetched), seed, None)
    refuse_new_data(run)
    with source.open(run, ()) as candidates:
        count_tokens, room = token_counter(), room_for_long(run)
        return prepare_dataset(candidates, run.dataset_dir, count_tokens, seed, on_progress, room)


def add(
    run: Run,
    paths: list[Path],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    reading: Reading | None = None,
) -> Report:
    """Check more recordings and put them beside those that the run has (`data/join.py`)."""
    return _add(run, upload.candidates(paths, reading=reading), seed, on_progress)


def add_common_voice(
    run: Run,
    archive: Path,
    n_train: int,
    n_test: int,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from an official Common Voice archive (tar.gz): clips that are not there yet."""
    require_dataset(run)
    known = names_known(run.dataset_dir)
    candidates = common_voice.candidates(archive, n_train, n_test, seed, known=known)
    return _add(run, candidates, seed, on_progress)


def _add(
    run: Run,
    candidates: Iterator[Candidate],
    seed: int,
    on_progress: Callable[[int], None] | None,
) -> Report:
    with changing_data(run):
        return add_to_dataset(
            candidates, run.dataset_dir, token_counter(), seed, on_progress, room_for_long(run)
        )


def _fetch(
    candidates: Iterator[Candidate], folder: Path, on_progress: Callable[[int], None] | None
) -> list[Candidate]:
    """All of them with their sound in `folder`, so that nobody is kept from the run's recordings
    while others are still being downloaded.
    """
    fetched = []
    for n, candidate in enumerate(candidates, start=1):
        if candidate.audio is not None:
            path = folder / f"{n}{candidate.audio.suffix}"
            shutil.copyfile(candidate.audio, path)
            candidate = replace(candidate, audio=path)
        fetched.append(candidate)
        if on_progress is not None:
            on_progress(n)
    return fetched


def fix(run: Run, code: str) -> Report:
    """Put right, or leave out, all clips with a finding of this code (`data/fixes.py`).

    Raises: RunError when the run was started or goes on from another, InputError when there is
    nothing to fix, or too few clips would be left.
    """
    with changing_data(run):
        refuse_new_data(run)
        return fixes.fix(run.dataset_dir, code, token_counter())


def undo_fixes(run: Run) -> Report:
    """The dataset as it was before its first fix. Raises as `fix` does."""
    with changing_data(run):
        refuse_new_data(run)
        return fixes.undo(run.dataset_dir)


def export_dataset(run: Run, target: Path | None = None) -> recordings.Exported:
    """The checked recordings and their table as one ZIP; those of Common Voice stay here."""
    return recordings.zip_recordings(run, target)


def push_dataset(run: Run, token: str, repo_name: str) -> PushedData:
    """The same into a private dataset of the token owner's own account."""
    return push_recordings(run, token, repo_name)
