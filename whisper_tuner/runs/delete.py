"""What is no longer needed leaves the disk: a run that is deleted, and what was left half made."""

import os
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.errors import RunError
from whisper_tuner.runs import durable, locks
from whisper_tuner.runs.disk import TRIAL_PREFIX
from whisper_tuner.runs.folder import ID_PATTERN, Run
from whisper_tuner.runs.sheets import FOLDER_NAME, NEW_PREFIX, remove_empty, sheets_in

DELETED_PREFIX, RESTORE_PREFIX = ".deleted-", ".restore-"
DOWNLOADS_NAME = ".downloads"  # one folder for each person and archive (`sources.py`)
HELD_NAME = "held.lock"  # in a half-made folder: locked while somebody works on it
DAY_S = 24 * 3600.0
EMPTY_SHEET_S = 30 * DAY_S  # sentences that nobody has read; a sheet with a take is never swept
LEFT_BEHIND = {  # below the folder of all runs → seconds without a change
    f"{DELETED_PREFIX}*": DAY_S,
    f"{RESTORE_PREFIX}*": DAY_S,
    f"{TRIAL_PREFIX}*": DAY_S,
    "*/.dataset-*": DAY_S,
    "*/dataset-before-old": DAY_S,  # fixes.undo
    "*/.run.json-*": DAY_S,
    "*/.comparison.json-*": DAY_S,
    f"{FOLDER_NAME}/{NEW_PREFIX}*": DAY_S,  # sheets
    f"{FOLDER_NAME}/*/takes/.*": DAY_S,
    "*/exports/.*.part": DAY_S,
    f"{DOWNLOADS_NAME}/*": 7 * DAY_S,  # nobody came back to go on with it
    "*/alignment/.*.json-*": DAY_S,
    "*/alignment/*/.*.json-*": DAY_S,
    "cache/base_transcripts/*": 30 * DAY_S,  # as evaluation/base_cache.py, should nobody train
}


def delete(run: Run) -> int:
    """Delete a run's folder; returns the bytes that are free now: another run may share its clips.

    Raises RunError when its worker is alive.
    """
    lock = locks.acquire(run.lock_path)  # nobody starts it meanwhile
    if lock is None:
        raise RunError("run_delete_alive", run=run.id)
    try:
        n_bytes = _size(run.dir)
        run.spec_path.unlink(missing_ok=True)  # from here on it is in no list
        doomed = run.dir.with_name(f"{DELETED_PREFIX}{run.id}")
        run.dir.rename(doomed)
        durable.fsync(doomed.parent)
        shutil.rmtree(doomed)
    finally:
        os.close(lock)
    return n_bytes


def _size(folder: Path) -> int:
    stats = [path.lstat() for path in folder.rglob("*") if path.is_file()]
    links = Counter(stat.st_ino for stat in stats)  # `dataset-before` shares clips with `dataset`
    files = {stat.st_ino: stat for stat in stats}.values()
    return sum(stat.st_size for stat in files if stat.st_nlink == links[stat.st_ino])


def sweep(root: Path, uploads: Path | None = None) -> None:
    """Delete what a kill left half made below `root` more than a day ago, if nobody holds it; our
    own temporary folders; runs that never got recordings; and what came into `uploads`.
    """
    for pattern, age_s in LEFT_BEHIND.items():
        _sweep_old(root.glob(pattern), age_s)
    for sheet in sheets_in(root):
        if _last_change_s(sheet.dir) < time.time() - EMPTY_SHEET_S:
            remove_empty(sheet)
    _sweep_old((run.dir for run in _empty_runs(root)), DAY_S)
    _sweep_old(Path(tempfile.gettempdir()).glob(f"{TEMP_PREFIX}*"), DAY_S)
    if uploads is not None:
        _sweep_old(uploads.glob("*"), DAY_S)


def _sweep_old(paths: Iterable[Path], age_s: float) -> None:
    for path in list(paths):
        if _last_change_s(path) < time.time() - age_s:
            _remove(path)


def _empty_runs(root: Path) -> list[Run]:
    """Runs without recordings that were never started, and that nobody holds."""
    runs = [Run(path) for path in root.glob("*/") if ID_PATTERN.fullmatch(path.name)]
    kept = ("run.json", "dataset", "start", "alignment")
    return [
        run
        for run in runs
        if not any((run.dir / name).exists() for name in kept)
        and not any(locks.is_held(path) for path in run.dir.glob("*.lock"))
        and not any(run.dir.glob("*dataset*-old"))  # recordings that `_remove` puts back
    ]


def _remove(path: Path) -> None:
    if path.is_dir() and locks.is_held(path / HELD_NAME):
        return
    dataset_dir = path.parent / "dataset"
    if path.name.endswith("-old") and not dataset_dir.exists():
        path.rename(dataset_dir)  # the only recordings there are: `put_in_place` was killed
    elif path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _last_change_s(path: Path) -> float:
    """When anything in a folder was changed last, Unix seconds."""
    paths = [path, *path.rglob("*")] if path.is_dir() else [path]
    try:
        return max(path.lstat().st_mtime for path in paths)
    except FileNotFoundError:  # somebody is at work on it
        return time.time()
