"""Workers and pages killed at random moments: is anything lost, and does everything go on?

    python benchmarks/chaos.py --json FILE

Real processes on a tiny random Whisper and bundled clips. Checkpoints are written after every
second step (`benchmarks/eager_worker.py`), so that about half of the kills fall into one. All
moments are drawn from `--seed`; what the machine makes of them differs from run to run.
"""

import argparse
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks import speech
from benchmarks.chaos_parts.crowd import crowds
from benchmarks.chaos_parts.disks import fills, mutants
from benchmarks.chaos_parts.kills import forgeries, hangs, page_kills, stops, worker_kills
from benchmarks.turns import QUICK_BASE, race_environment
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import ROOT_VARIABLE

# Each with how many of them make the long form, and a smoke check.
PARTS = {
    worker_kills: ("kills", "of a worker, half of them while it saves", 100, 2),
    mutants: ("mutants", "checkpoints with one fault", 300, 20),
    page_kills: ("page-kills", "of the page, while a worker trains", 30, 0),
    stops: ("stops", "at any moment", 50, 1),
    hangs: ("hangs", "workers halted with SIGSTOP", 10, 0),
    fills: ("fills", "disks that run full", 20, 1),
    crowds: ("crowds", "of twenty who press Start at once", 20, 0),
    forgeries: ("forgeries", "locks that name a stranger's process", 100, 10),
}


def orphans(root: Path) -> int:
    """Processes that still work on a run of this benchmark."""
    others = [p for p in psutil.process_iter(["cmdline"]) if p.pid != os.getpid()]
    return sum(str(root) in " ".join(p.info["cmdline"] or []) for p in others)


def measure(counts: dict[str, int], seed: int, folder: Path) -> dict:
    source = speech.prepare(folder, 24, 2)
    jobs.WORKER = "benchmarks.eager_worker"
    result = {"seed": seed}
    for part, (name, *_) in PARTS.items():
        if n := counts[name]:
            began_s = time.monotonic()
            result |= part(source, n, random.Random(f"{seed} {name}"))
            print(f"{name}: {n} in {time.monotonic() - began_s:.0f} s", flush=True)
    return result | {"orphans": orphans(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, what, n, _ in PARTS.values():
        parser.add_argument(f"--{name}", type=int, help=f"{what}; default: {n}")
    parser.add_argument("--only", action="store_true", help="leave out what is not named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one or two of the short ones")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    counts = {}
    for name, _, n_long, n_quick in PARTS.values():
        asked = getattr(options, name.replace("-", "_"))
        default = n_quick if options.quick else 0 if options.only else n_long
        counts[name] = default if asked is None else asked
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        race_environment(QUICK_BASE, True, True, threads=1) as environment,
    ):
        os.environ.update(environment)
        os.environ[ROOT_VARIABLE] = f"{scratch}/runs"
        result = measure(counts, options.seed, Path(scratch))
    for name, value in result.items():
        print(f"{name:28} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
