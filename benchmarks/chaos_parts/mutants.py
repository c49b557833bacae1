"""Checkpoints with faults."""

import random
import shutil
from pathlib import Path

from benchmarks.chaos_parts.kit import Tell, trained
from whisper_tuner.runs import checkpoints
from whisper_tuner.runs.folder import Run


def mutants(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """Checkpoints of a real training with one fault each: none may be taken for whole."""
    run = trained(source)
    original = checkpoints.newest(run.checkpoints_dir)
    n_loaded = 0
    for i in range(n):
        folder = run.dir / "mutants" / str(i)
        copy = shutil.copytree(original, folder / original.name)
        if checkpoints.newest(folder) is None:
            raise SystemExit("mutants: the copy without a fault is not taken for whole")
        mutate(copy, draw)
        n_loaded += checkpoints.newest(folder) is not None
        shutil.rmtree(folder)
        tell({"mutants": i + 1, "mutants_loaded": n_loaded})
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
