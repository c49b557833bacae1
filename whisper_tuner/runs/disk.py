"""The disk that holds the runs: it must last, have room to begin, and never too little to save.

A run folder is appended to, locked and renamed in, so it must lie on a real disk. A bucket mounted
into a Space is none: it is written late and shown late, and what was not yet written is lost.
"""

import shutil
from pathlib import Path

import psutil

from whisper_tuner.errors import InputError
from whisper_tuner.runs.checkpoints import KEPT

FLOOR_BYTES = 1_000_000_000  # a training waits while less is free
SPARE_BYTES = 2_000_000_000  # what must be free besides its own files when it begins
N_DATASETS = 2  # its own, and room for as much again
# File systems of real disks. Of anything else (fuse, nfs, 9p, a container's overlay) nothing is
# promised here: what is no disk must never be taken for one.
DISKS = frozenset({"ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs"})


def is_lasting(path: Path) -> bool:
    """Whether `path` lies on a disk mounted into this container, not on the container's own."""
    mounts = {Path(m.mountpoint): m.fstype for m in psutil.disk_partitions(all=True)}
    path = path.resolve()
    mount = next((p for p in (path, *path.parents) if p in mounts), Path("/"))
    return mount != Path("/") and mounts[mount] in DISKS


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free


def is_full(folder: Path) -> bool:
    """Whether less than the floor is free."""
    return free_bytes(folder) < FLOOR_BYTES


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
