"""Checkpoints with faults, and disks that fill up."""

import json
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.chaos_parts.kit import (
    CONFIG,
    events_lost,
    finish,
    forget,
    n_entered,
    n_steps_of,
    trained,
    weights,
)
from benchmarks.eager_worker import FAULTS_NAME
from whisper_tuner import steps
from whisper_tuner.runs import checkpoints, disk, jobs
from whisper_tuner.runs.folder import Run

DISK_MB = 128
FLOORS = (16_000_000, 4_096)  # the training waits before anything fails, or hardly ever does


def mutants(source: Run, n: int, draw: random.Random) -> dict:
    """Checkpoints of a real training with one fault each: none may be taken for whole."""
    run = trained(source)
    original = checkpoints.newest(run.checkpoints_dir)
    n_loaded = 0
    for i in range(n):
        folder = run.dir / "mutants" / str(i)
        copy = shutil.copytree(original, folder / original.name)
        mutate(copy, draw)
        n_loaded += checkpoints.newest(folder) is not None
        shutil.rmtree(folder)
    return {"mutants": n, "mutants_loaded": n_loaded}


def mutate(checkpoint: Path, draw: random.Random) -> None:
    """One bit flipped, or one file cut off, emptied, missing, lengthened, or too many."""
    victim = draw.choice(sorted(checkpoint.iterdir()))
    data = bytearray(victim.read_bytes())
    match draw.choice(["flip", "cut", "empty", "missing", "longer", "another"]):
        case "flip":
            data[draw.randrange(len(data))] ^= 1 << draw.randrange(8)
            victim.write_bytes(data)
        case "cut":
            victim.write_bytes(data[: draw.randrange(len(data))])
        case "empty":
            victim.write_bytes(b"")
        case "missing":
            victim.unlink()
        case "longer":
            victim.write_bytes(data + bytes([draw.randrange(256)]))
        case "another":
            (checkpoint / "another").write_bytes(data)


def fills(source: Run, n: int, draw: random.Random) -> dict:
    """A disk that is full but for a few bytes at some moment, and emptied again.

    The fewer bytes are left, the earlier in a checkpoint or an event they run out.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if not _mount(Path(scratch)):
            print("fills: left out, this user may not mount a tmpfs")
            return {"fills": 0}
        try:
            return _fills(source, n, draw, Path(scratch))
        finally:
            subprocess.run(["umount", "--lazy", scratch], check=False)


def _mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


def _fills(source: Run, n: int, draw: random.Random, small: Path) -> dict:
    whole = trained(source)
    checkpoint_bytes = sum(
        path.stat().st_size for path in checkpoints.newest(whole.checkpoints_dir).iterdir()
    )
    n_met = n_finished = n_equal = n_lost = n_good = 0
    for i in range(n):
        run = Run.create(small / "runs")
        shutil.copytree(source.dataset_dir, run.dataset_dir)
        with _floor(run, FLOORS[i % len(FLOORS)]):
            steps.train(run, CONFIG)
            time.sleep(draw.uniform(4, 12))
            ballast = _fill(
                small, round(draw.choice([0.0, 0.1, 1.2]) * checkpoint_bytes * draw.random())
            )
            time.sleep(4)
            n_met += n_entered(run, "paused") > 0 or not jobs.is_alive(run)
            newest = checkpoints.newest(run.checkpoints_dir)
            n_good += newest is not None or not checkpoints.by_step(run.checkpoints_dir)
            ballast.unlink()
            _resume_until_done(run)
        n_finished += jobs.status(run).state == "done"
        n_equal += run.has_adapter and weights(run) == weights(whole)
        n_lost += events_lost(run, n_steps_of(whole))
        forget(run)
    return {
        "fills": n,
        "fills_that_were_met": n_met,
        "fills_with_a_good_checkpoint": n_good,
        "fills_finished": n_finished,
        "fills_bitwise_equal": n_equal,
        "fills_events_lost": n_lost,
    }


def _resume_until_done(run: Run) -> None:
    for _ in range(3):
        finish(run)
        if not jobs.can_resume(jobs.status(run)):
            return
        steps.resume(run)


@contextmanager
def _floor(run: Run, floor: int) -> Iterator[None]:
    """What counts as full, here and in the worker; the disk is too small for the real one."""
    before = disk.FLOOR_BYTES, disk.SPARE_BYTES
    disk.FLOOR_BYTES, disk.SPARE_BYTES = floor, 0
    (run.dir / FAULTS_NAME).write_text(json.dumps({"floor_bytes": floor}))
    try:
        yield
    finally:
        disk.FLOOR_BYTES, disk.SPARE_BYTES = before


def _fill(folder: Path, n_left: int) -> Path:
    """A file that takes all of the disk but about `n_left` bytes."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file:
        while (n := disk.free_bytes(folder) - n_left) > 0:
            try:
                file.write(bytes(min(n, 1 << 20)))
            except OSError:  # the worker was quicker
                break
    return ballast
