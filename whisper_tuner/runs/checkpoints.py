"""Checkpoints that are whole or not there.

A checkpoint is written under a temporary name, its files and a manifest of their sizes and SHA-256
reach the disk, and only then it gets its name, `step-N`. It is read back before an older one goes.
So whatever dies at whatever moment, the newest one that verifies is a training to go on with.
What is in a checkpoint is the business of whoever writes it (`training/`).
"""

import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from whisper_tuner.errors import RunError
from whisper_tuner.runs import disk, durable

MANIFEST_NAME = "manifest.json"
NAME_PATTERN = re.compile(r"step-(\d+)")
UNFINISHED, DOOMED = ".new-", ".del-"  # prefixes of what a kill may leave behind


def commit(folder: Path, step: int, write: Callable[[Path], object]) -> Path:
    """Let `write` fill a new checkpoint of `step`; returns it once it has been verified.

    Older ones than the newest `disk.KEPT` are deleted after that, and those of later steps, which
    a training that began again does not know. A checkpoint of the same step that
    verifies is left as it is. Raises OSError when the disk is full, RunError `checkpoint_broken`
    when what was read back differs; either way the earlier checkpoints are still there.
    """
    folder.mkdir(exist_ok=True)
    sweep(folder)
    final = folder / f"step-{step}"
    if final.exists():
        if is_whole(final):
            return final
        _remove(final)
    new = unfinished(folder, step)
    new.mkdir()
    try:
        with disk.no_room_named(new):
            write(new)
            for path in new.iterdir():
                durable.fsync(path)
            (new / MANIFEST_NAME).write_text(_manifest(new, step))
            durable.fsync(new / MANIFEST_NAME)
            durable.fsync(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)  # a full disk needs the room
        raise
    new.rename(final)
    durable.fsync(folder)
    if not is_whole(final):
        raise RunError("checkpoint_broken", step=step)
    for later in by_step(folder):
        if step_of(later) > step:
            _remove(later)
    prune(folder)
    return final


def prune(folder: Path, kept: int = disk.KEPT) -> None:
    """Delete all but the newest `kept`."""
    for old in by_step(folder)[:-kept]:
        _remove(old)


def drop_broken(folder: Path) -> list[int]:
    """Delete those that do not verify; returns their steps. Only for the process that writes."""
    broken = [path for path in by_step(folder) if not is_whole(path)]
    for path in broken:
        _remove(path)
    return [step_of(path) for path in broken]


def unfinished(folder: Path, step: int) -> Path:
    """Where `commit` lets a checkpoint be written."""
    return folder / f"{UNFINISHED}step-{step}"


def newest(folder: Path) -> Path | None:
    """The checkpoint of the latest step that verifies; None when there is none."""
    return next((path for path in reversed(by_step(folder)) if is_whole(path)), None)


def by_step(folder: Path) -> list[Path]:
    """All that are called a checkpoint, whole or not, in the order of their steps."""
    if not folder.is_dir():
        return []
    return sorted((p for p in folder.iterdir() if NAME_PATTERN.fullmatch(p.name)), key=step_of)


def step_of(checkpoint: Path) -> int:
    """Optimiser steps behind a checkpoint, from its name."""
    return int(NAME_PATTERN.fullmatch(checkpoint.name)[1])


def is_whole(checkpoint: Path) -> bool:
    """Whether its manifest is the one that its files have now: all there, none other, unchanged."""
    try:
        written = (checkpoint / MANIFEST_NAME).read_bytes()
        return written == _manifest(checkpoint, step_of(checkpoint)).encode()
    except OSError:
        return False


def sweep(folder: Path) -> None:
    """Delete what a kill left half written or half deleted. Only for the process that writes."""
    for prefix in (UNFINISHED, DOOMED):
        for path in folder.glob(f"{prefix}*"):
            shutil.rmtree(path)


def _remove(checkpoint: Path) -> None:
    """Under another name first, so that a kill never leaves half a checkpoint with its name."""
    doomed = checkpoint.with_name(f"{DOOMED}{checkpoint.name}")
    checkpoint.rename(doomed)
    shutil.rmtree(doomed)


def _manifest(checkpoint: Path, step: int) -> str:
    """Size and SHA-256 of every file, as text that is the same for the same files."""
    paths = sorted(path for path in checkpoint.iterdir() if path.name != MANIFEST_NAME)
    files = {}
    for path in paths:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        files[path.name] = {"size": path.stat().st_size, "sha256": digest}
    return json.dumps({"step": step, "files": files}, indent=1)
