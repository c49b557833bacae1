"""Hostile files, given to a subject (`subject.py`) in batches, and what became of it."""

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz_parts import bombs

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = ("runs", "tmp", "home", "uploads", "outside")
BATCH = {"archives": 500, "sounds": 1000}
LIMITS = (signal.SIGXCPU, signal.SIGKILL)  # what ends a child that takes too long
SILENT_S = 300.0  # a subject that says nothing for so long hangs
MAX_BOMB_S, MAX_BOMB_MB = 2.0, 300.0


@dataclass
class Tally:
    """Of the files of one kind so far."""

    n: int = 0
    crashes: int = 0  # of the subject: it died or hung
    tracebacks: int = 0
    escapes: int = 0  # written outside, or left behind
    decoder_faults: int = 0  # children that died by a fault of their own, and not of a limit
    decoder_limits: int = 0
    slowest_s: float = 0.0
    peak_rss_mb: float = 0.0
    outcomes: dict[str, int] = field(default_factory=dict)
    strange: list[str] = field(default_factory=list)  # what to look at, ten at most

    def add(self, result: dict, kind: str, seed: int) -> None:
        self.n += 1
        outcome = result["outcome"]
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        self.slowest_s = max(self.slowest_s, result["s"])
        self.peak_rss_mb = max(self.peak_rss_mb, result["rss_mb"])
        ended = result.get("ended")
        self.tracebacks += outcome in ("traceback", "not a sound")
        self.escapes += bool(result["outside"] or result["left"])
        if ended is not None:
            is_limit = ended in [-limit for limit in LIMITS]
            self.decoder_limits += is_limit
            self.decoder_faults += not is_limit
        if "traceback" in result or result["outside"] or result["left"] or ended is not None:
            self.note(f"{kind} {seed} {result['i']}: {json.dumps(result)}")

    def note(self, what: str) -> None:
        if len(self.strange) < 10:
            self.strange.append(what[:2000])
            print(what, file=sys.stderr)


def snapshot(jail: Path) -> set[str]:
    """All files around the run's folder, and how large they are."""
    paths = [path for path in jail.rglob("*") if "home" not in path.relative_to(jail).parts]
    return {f"{path} {path.lstat().st_size}" for path in paths if not path.is_dir()}


def give(kind: str, n: int, seed: int, tally: Tally, first: int | None = None) -> None:
    """`n` more files of this kind, numbered from `first` on, else from those given before. A
    subject that dies is followed by another.

    Raises: RuntimeError when three die one after the other without a word.
    """
    first = tally.n if first is None else first
    last, n_dumb = first + n, 0
    while first < last:
        with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
            jail = Path(folder)
            for name in FOLDERS:
                (jail / name).mkdir()
            if kind == "bombs":
                bombs.write(list(bombs.BOMBS)[first], jail / "uploads")
            before, n_before = snapshot(jail), tally.n
            ending = _run(kind, seed, range(first, last), jail, tally)
            n_given = tally.n - n_before
            n_dumb = 0 if n_given else n_dumb + 1
            if n_dumb == 3:
                raise RuntimeError(f"no subject works: {ending}")
            first += n_given
            if ending:
                tally.n, first = tally.n + 1, first + 1
                tally.crashes += 1
                tally.note(f"{kind} {seed} {first - 1}: the subject ended with {ending}")
            elif changed := snapshot(jail) - before:
                tally.escapes += len(changed)
                tally.note(f"{kind} {seed} before {first}: {sorted(changed)[:5]}")


def _run(kind: str, seed: int, batch: range, jail: Path, tally: Tally) -> str:
    """Why the subject ended before it was done; "" when it was done."""
    arguments = [kind, str(seed), str(batch.start), str(batch.stop), str(jail)]
    environment = {
        **os.environ,
        "HOME": str(jail / "home"),
        "TMPDIR": str(jail / "tmp"),
        "WHISPER_TUNER_RUNS": str(jail / "runs"),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.fuzz_parts.subject", *arguments],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    is_done = False
    with process:
        for result in _lines(process):
            if "children_rss_mb" in result:
                is_done = True
                tally.peak_rss_mb = max(tally.peak_rss_mb, result["children_rss_mb"])
            else:
                tally.add(result, kind, seed)
    return "" if is_done and process.returncode == 0 else f"code {process.returncode}"


def _lines(process: subprocess.Popen) -> Iterator[dict]:
    """What the subject says. One that is silent for too long is ended."""
    signal.signal(signal.SIGALRM, lambda *_: process.kill())
    signal.setitimer(signal.ITIMER_REAL, SILENT_S)
    for line in process.stdout:
        signal.setitimer(signal.ITIMER_REAL, SILENT_S)
        yield json.loads(line)
    signal.setitimer(signal.ITIMER_REAL, 0)


def defuse(seed: int) -> dict:
    """Every bomb in a subject of its own: is it refused in time and memory?"""
    rows = {}
    for i, name in enumerate(bombs.BOMBS):
        tally = Tally()
        give("bombs", 1, seed, tally, first=i)
        outcome = next(iter(tally.outcomes), "crash")
        rows[name] = {"refused_as": outcome, "s": tally.slowest_s, "rss_mb": tally.peak_rss_mb}
        rows[name]["in_bounds"] = (
            not (tally.crashes or tally.tracebacks or tally.escapes or outcome == "read")
            and tally.slowest_s <= MAX_BOMB_S
            and tally.peak_rss_mb <= MAX_BOMB_MB
        )
    return {
        "bombs": len(rows),
        "bombs_refused_in_bounds": sum(row["in_bounds"] for row in rows.values()),
        "slowest_bomb_s": max(row["s"] for row in rows.values()),
        "bomb_peak_rss_mb": max(row["rss_mb"] for row in rows.values()),
        "bomb_rows": rows,
    }
