"""What is no longer needed leaves the disk: a run that is deleted, and what was left half made."""

import os
import shutil
import time
from collections import Counter
from pathlib import Path

from whisper_tuner.errors import RunError
from whisper_tuner.runs import durable, locks
from whisper_tuner.runs.disk import TRIAL_PREFIX
from whisper_tuner.runs.folder import Run

DELETED_PREFIX, RESTORE_PREFIX = ".deleted-", ".restore-"
HELD_NAME = "held.lock"  # in a half-made folder: locked while somebody works on it
DAY_S = 24 * 3600.0
LEFT_BEHIND = {  # below the folder of all runs → seconds without a change
    f"{DELETED_PREFIX}*": DAY_S,
    f"{RESTORE_PREFIX}*": DAY_S,
    f"{TRIAL_PREFIX}*": DAY_S,
    "*/.dataset-*": DAY_S,
    "*/dataset-before-old": DAY_S,  # fixes.undo
    "*/.run.json-*": DAY_S,
    "*/.comparison.json-*": DAY_S,
    "*/alignment/.*.json-*": DAY_S,
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


def sweep(root: Path) -> None:
    """Delete what a kill left half made below `root` more than a day ago, if nobody holds it."""
    for pattern, age_s in LEFT_BEHIND.items():
        for path in root.glob(pattern):
            if _last_change_s(path) < time.time() - age_s:
                _remove(path)


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
