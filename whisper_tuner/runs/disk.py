"""Room on the disk that holds the runs: enough to begin, and never too little to save."""

import shutil
from pathlib import Path

from whisper_tuner.errors import InputError
from whisper_tuner.runs.checkpoints import KEPT

FLOOR_BYTES = 1_000_000_000  # a training waits while less is free
SPARE_BYTES = 2_000_000_000  # what must be free besides its own files when it begins
N_DATASETS = 2  # its own, and room for as much again


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
