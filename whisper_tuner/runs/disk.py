"""The disk that holds the runs: it must last, have room to begin, and never too little to save.

A run folder is appended to, locked and renamed in, so it must lie on a real disk. A bucket mounted
into a Space is none: it is written late and shown late, and what was not yet written is lost.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import psutil

from whisper_tuner.errors import InputError, RunError, TunerError
from whisper_tuner.runs import durable, locks

FLOOR_BYTES = 1_000_000_000  # a training waits while less is free
SPARE_BYTES = 2_000_000_000  # what must be free besides its own files when it begins
KEPT = 3  # checkpoints of one run
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)  # the disk is full, or this user's share of it
N_DATASETS = 2  # its own, and room for as much again
# File systems of real disks. Of anything else (fuse, nfs, 9p, a container's overlay) nothing is
# promised here: what is no disk must never be taken for one.
DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs"})


# Mounts of object storage, as they call themselves; any fuse on a Space is one.
BUCKETS = (
    *("fuse.hf-mount", "fuse.s3fs", "fuse.gcsfuse", "fuse.goofys"),
    *("fuse.geesefs", "fuse.rclone", "fuse.mount-s3", "fuse.blobfuse"),
)
TRIAL_PREFIX = ".trial-"


def is_lasting(path: Path) -> bool:
    """Whether `path` lies on a disk mounted into this container, not on the container's own."""
    mount, kind = _mount_of(path)
    return mount != Path("/") and kind in DISKS


def _mount_of(path: Path) -> tuple[Path, str]:
    """Where what `path` lies on is mounted, and the name of its file system."""
    mounts = {Path(m.mountpoint): m.fstype for m in psutil.disk_partitions(all=True)}
    path = path.resolve()
    mount = next((p for p in (path, *path.parents) if p in mounts), Path("/"))
    return mount, mounts.get(mount, "")


@cache
def require_disk(root: Path) -> None:
    """Raises InputError when runs cannot be kept in `root`. Tried there once, when it passes: a
    network folder that can lock and rename is as good as a disk.

    A bucket may seem to do both, and lose what was written last; so it is known by its name.
    """
    kind = _mount_of(root)[1]
    is_bucket = kind.startswith(BUCKETS) or ("SPACE_ID" in os.environ and kind.startswith("fuse"))
    problem = kind if is_bucket else _what_fails(root)
    if problem:
        raise InputError("runs_folder_unfit", folder=str(root), problem=problem)


def _what_fails(root: Path) -> str:
    """Lock, link and rename a file; the name of what cannot be done, "" when all can."""
    try:
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=TRIAL_PREFIX, dir=root) as folder:
            path, other = Path(folder) / "a", Path(folder) / "b"
            lock = locks.acquire(path)
            is_locked = locks.is_held(path)
            os.close(lock)
            if not is_locked:
                return "flock"
            durable.write_once(other, "old")
            durable.write(other, "new")
            return "" if other.read_text() == "new" else "rename"
    except OSError as error:
        if is_no_room(error):
            raise InputError("disk_full") from error
        return error.strerror or type(error).__name__


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Whether less than the floor is free."""
    return free_bytes(folder) < FLOOR_BYTES


def is_no_room(error: OSError) -> bool:
    return error.errno in NO_ROOM


@contextmanager
def no_room_named(folder: Path) -> Iterator[None]:
    """What a library makes of a full disk becomes OSError ENOSPC: safetensors raises an error of
    its own, and torch a RuntimeError that does not even say so.
    """
    try:
        yield
    except TunerError:
        raise
    except Exception as error:
        named = isinstance(error, OSError) and is_no_room(error)
        said = any(f"os error {number}" in str(error) for number in NO_ROOM)  # as Rust says it
        if named or said or is_full(folder):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)) from error
        raise


@contextmanager
def told_when_full(code: str = "disk_full") -> Iterator[None]:
    """For a person who presses a button: OSError becomes RunError when it says that the disk is."""
    try:
        yield
    except OSError as error:
        if is_no_room(error):
            raise RunError(code) from error
        raise


def require_room(folder: Path, checkpoint_bytes: float, dataset_dir: Path) -> None:
    """Raises InputError when a training might fill the disk that `folder` is on."""
    dataset_bytes = sum(path.stat().st_size for path in dataset_dir.rglob("*") if path.is_file())
    needed = KEPT * checkpoint_bytes + N_DATASETS * dataset_bytes + SPARE_BYTES
    free = free_bytes(folder)
    if free < needed:
        raise InputError("disk_too_small", needed=needed / 1e9, free=free / 1e9)


def require_download(folder: Path, n_bytes: int) -> None:
    """Raises InputError when so many more bytes would not leave the floor free."""
    free, needed = free_bytes(folder), n_bytes + FLOOR_BYTES
    if free < needed:
        raise InputError("disk_no_download", needed=needed / 1e9, free=free / 1e9)
