"""How much one person may keep on a Space, so that nobody fills the disk of all.

A person is an account or a browser (`ui/session.py`); who forgets their browser's id is somebody
else, so this stops carelessness, not malice. On one's own machine nothing is counted.
"""

import os
from collections.abc import Collection
from pathlib import Path

from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs.folder import ID_PATTERN, Run

VARIABLE = "WHISPER_TUNER_QUOTA_GB"  # of a Space's owner; 0: no limit
DEFAULT_GB = 5.0  # of 50 on a Space's disk: about 40 hours of recordings, or some trainings
MAX_UNUSED = 5  # sets of recordings that were never trained on
OWNER_NAME = "owner"  # whose recordings they are until `run.json` says it


def limit_bytes() -> float:
    """What one person may keep here; 0 for any amount. Raises InputError setting_invalid."""
    said = os.environ.get(VARIABLE, str(DEFAULT_GB) if "SPACE_ID" in os.environ else "0")
    try:
        limit_gb = float(said)
        if not 0 <= limit_gb < float("inf"):
            raise ValueError(said)
    except ValueError:
        allowed = "0, 5, 2.5, …"
        raise InputError("setting_invalid", setting=VARIABLE, value=said, allowed=allowed) from None
    return limit_gb * 1e9


def claim(run: Run, owner: str) -> None:
    """Note whose a run is that was not started yet."""
    if owner:
        (run.dir / OWNER_NAME).write_text(owner, encoding="utf-8")


def unused(root: Path, people: Collection[str]) -> list[Run]:
    """Their recordings that were never trained on, the newest first."""
    runs = [run for run in _all(root) if run.dataset_dir.exists() and not run.spec_path.exists()]
    return sorted((run for run in runs if _owner(run) in people), key=lambda r: r.id, reverse=True)


def require(root: Path, people: Collection[str], is_new: bool) -> None:
    """Raises RunError quota_full, quota_unused when these ids may not keep more: a person has one
    of a browser and perhaps one of an account. `is_new`: not more for recordings that are there.
    """
    limit = limit_bytes()
    if not limit:
        return
    used = sum(_size(run.dir) for run in _all(root) if _owner(run) in people)
    if used >= limit:
        raise RunError("quota_full", used=used / 1e9, limit=limit / 1e9)
    if is_new and len(unused(root, people)) >= MAX_UNUSED:
        raise RunError("quota_unused", n=MAX_UNUSED)


def room_bytes(run: Run) -> float:
    """What the owner of this run may still keep."""
    limit, owner = limit_bytes(), _owner(run)
    if not limit or not owner:
        return float("inf")
    used = sum(_size(other.dir) for other in _all(run.dir.parent) if _owner(other) == owner)
    return max(0.0, limit - used)


def _all(root: Path) -> list[Run]:
    return [Run(path) for path in root.glob("*/") if ID_PATTERN.fullmatch(path.name)]


def _owner(run: Run) -> str:
    if run.spec_path.exists():
        return run.read_spec().owner if run.is_readable else ""
    path = run.dir / OWNER_NAME
    return path.read_text(encoding="utf-8") if path.exists() else ""


def _size(folder: Path) -> int:
    """Bytes on disk; what two runs share counts for both."""
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.lstat().st_size
        except FileNotFoundError:  # it is at work
            continue
    return total
