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
import signal
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks import speech
from benchmarks.chaos_parts.crowd import crowds
from benchmarks.chaos_parts.fills import fills
from benchmarks.chaos_parts.kills import forgeries, hangs, worker_kills
from benchmarks.chaos_parts.mutants import mutants
from benchmarks.chaos_parts.pages import page_kills
from benchmarks.chaos_parts.stops import stops
from benchmarks.turns import QUICK_BASE, race_environment
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import ROOT_VARIABLE, Run

# Each with how many of them make the long form, and a smoke check.
PARTS = {
    worker_kills: ("kills", "of a worker, half of them while it saves", 100, 2),
    mutants: ("mutants", "checkpoints with one fault", 300, 20),
    page_kills: ("page-kills", "of the page, while a worker trains", 30, 0),
    stops: ("stops", "in every phase", 50, 1),
    hangs: ("hangs", "workers halted with SIGSTOP", 10, 0),
    fills: ("fills", "disks that run full, at every point that is written to first", 60, 0),
    crowds: ("crowds", "of twenty who press Start at once", 20, 0),
    forgeries: ("forgeries", "locks that name a stranger's process", 100, 10),
}
MARK = "HF_HOME"  # a folder of this benchmark only, which all that it starts inherit
LAST_BREATH_S = 10.0  # for a process that ends at this moment
TELL_EVERY_S = 30.0


def orphans() -> int:
    """Processes that this benchmark, a page or a worker started and that still work when a part of
    it is over. They are ended.
    """
    deadline = time.monotonic() + LAST_BREATH_S
    while (left := _ours()) and time.monotonic() < deadline:
        time.sleep(0.1)
    for process in left:
        print(f"orphan: {process}", file=sys.stderr)
        with suppress(psutil.Error):
            process.kill()
    return len(left)


def _ours() -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            is_ours = process.environ().get(MARK) == os.environ[MARK]
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            if is_ours and not is_dead and process.pid != os.getpid():
                found.append(process)
    return found


class Results:
    """The figures so far, in a file from the first one on: a measuring of hours may be cut off."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.figures: dict = json.loads(path.read_text()) if path and path.exists() else {}
        self._parts: dict[str, dict] = self.figures.pop("parts", {})
        self._told_s = 0.0

    def begin(self, name: str, seed: int) -> None:
        self._name, self._began_s = name, time.monotonic()
        self._told_s = self._began_s
        self._parts[name] = {"seed": seed, "whole": False}

    def tell(self, figures: dict) -> None:
        self.figures |= figures
        self._write()
        if time.monotonic() - self._told_s > TELL_EVERY_S:
            self._told_s = time.monotonic()
            print(f"{self._told_s - self._began_s:5.0f} s  {json.dumps(figures)}", flush=True)

    def end(self, figures: dict, n_orphans: int) -> None:
        seconds = round(time.monotonic() - self._began_s)
        self._parts[self._name] |= {"whole": True, "seconds": seconds, "orphans": n_orphans}
        self.figures |= figures
        self._write()
        print(f"{self._name}: {seconds} s", flush=True)

    def _write(self) -> None:
        self.figures["orphans"] = sum(part.get("orphans", 0) for part in self._parts.values())
        if self._path:
            text = json.dumps({**self.figures, "parts": self._parts}, indent=1) + "\n"
            temporary = self._path.with_suffix(".tmp")
            temporary.write_text(text)
            temporary.replace(self._path)


def measure(counts: dict[str, int], seed: int, source: Run, results: Results) -> None:
    jobs.WORKER = "benchmarks.eager_worker"
    for part, (name, *_) in PARTS.items():
        if n := counts[name]:
            results.begin(name, seed)
            figures = part(source, n, random.Random(f"{seed} {name}"), results.tell)
            results.end(figures, orphans())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, what, n, _ in PARTS.values():
        parser.add_argument(f"--{name}", type=int, help=f"{what}; default: {n}")
    parser.add_argument("--only", action="store_true", help="leave out what is not named")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one or two of the short ones")
    parser.add_argument(
        "--json",
        type=Path,
        help="written after every fault; figures of an existing file stay where they are not "
        "measured anew, so parts can be measured one by one into the same file",
    )
    options = parser.parse_args()
    counts = {}
    for name, _, n_long, n_quick in PARTS.values():
        asked = getattr(options, name.replace("-", "_"))
        default = n_quick if options.quick else 0 if options.only else n_long
        counts[name] = default if asked is None else asked
    results = Results(options.json)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # nothing is left at work then, either
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        race_environment(QUICK_BASE, True, True, threads=1) as environment,
    ):
        os.environ.update(environment)
        os.environ[ROOT_VARIABLE] = f"{scratch}/runs"
        try:
            measure(counts, options.seed, speech.prepare(Path(scratch), 24, 2), results)
        finally:
            orphans()  # of a part that was cut off
    for name, value in results.figures.items():
        print(f"{name:28} {value}")


if __name__ == "__main__":
    main()
