"""Disks that fill up: at every point that a run writes to, at any moment, and when it is killed."""

import json
import random
import shutil
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.chaos_parts.kit import (
    CONFIG,
    MAX_DRAWS,
    Tell,
    ended_as,
    events_lost,
    finish,
    forget,
    kill_worker,
    n_entered,
    n_steps_of,
    trained,
    wait_until,
    weights,
)
from benchmarks.chaos_parts.write_points import Counting, Filling, Watch, fill
from benchmarks.eager_worker import FAULTS_NAME
from whisper_tuner import steps
from whisper_tuner.errors import TunerError
from whisper_tuner.runs import checkpoints, disk, jobs
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run

DISK_MB = 128
FLOOR_BYTES = 16_000_000  # what counts as full here: more than a checkpoint, as the product's is
SHORT = replace(CONFIG, epochs=4)
MET_WITHIN_S, ENDS_WITHIN_S, LOOK_EVERY_S = 30.0, 120.0, 1.0
TOO_LATE = "too late"
KILLED, ANY_MOMENT = "exit.json", "any moment"
# What surely is written, in this order; what else a run writes to follows.
FIRST = (
    "checkpoints/*/adapter_model.safetensors",
    "events.jsonl",
    ANY_MOMENT,
    "checkpoints/*/optimizer.pt",
    "*adapter*/adapter_model.safetensors",
    "comparison*",
    KILLED,
    "checkpoints/*/manifest.json",
    "output.log",
    "worker.lock",
)
# Of the process that presses Start: whoever pressed is told, and presses again.
AT_START = ("run.json", "worker.lock", "heartbeat", "output.log")


@dataclass
class Small:
    """A small disk with a training on it that nobody disturbed."""

    folder: Path
    source: Run
    whole: Run
    seconds: float  # it took
    counts: dict[str, int]  # how often its worker passed each point
    at_start: list[str]

    @property
    def ballast(self) -> Path:
        return self.folder / "ballast"

    def new_run(self) -> Run:
        """A run that has to write all by itself: what earlier ones heard of the base is gone."""
        shutil.rmtree(self.folder / "runs" / "cache", ignore_errors=True)
        run = Run.create(self.folder / "runs")
        shutil.copytree(self.source.dataset_dir, run.dataset_dir)
        return run

    def plan(self, n: int) -> list[tuple[str, bool]]:
        """Points, and whether it is the pressing of Start that writes there; one after the other,
        then any moment. Ends the benchmark when what surely is written was not seen.
        """
        points = [(point, False) for point in (*self.counts, KILLED, ANY_MOMENT)]
        points += [(point, True) for point in self.at_start]
        for pattern in FIRST:
            if not any(fnmatch(point, pattern) for point, _ in points):
                raise SystemExit(f"fills: nothing was seen to be written to {pattern}")
        points.sort(key=lambda row: (_rank(row[0]), row))
        return (points + [(ANY_MOMENT, False)] * n)[:n]


def _rank(point: str) -> int:
    return next((i for i, name in enumerate(FIRST) if fnmatch(point, name)), len(FIRST))


def fills(source: Run, n: int, draw: random.Random, tell: Tell) -> dict:
    """A disk that is full from one moment on, and emptied again: the run says so, waits, and goes
    on by itself.
    """
    with tempfile.TemporaryDirectory() as scratch:
        if not _mount(Path(scratch)):
            print("fills: left out, this user may not mount a tmpfs")
            return {"fills": 0}
        try:
            with _floor():
                return _fills(_watched(source, Path(scratch)), n, draw, tell)
        finally:
            subprocess.run(["umount", "--lazy", scratch], check=False)


def _mount(folder: Path) -> bool:
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MB}m", "tmpfs", str(folder)]
    return not subprocess.run(command, capture_output=True, check=False).returncode


@contextmanager
def _floor() -> Iterator[None]:
    """What counts as full in this process; the disk is too small for the real one."""
    before = disk.FLOOR_BYTES, disk.SPARE_BYTES
    disk.FLOOR_BYTES, disk.SPARE_BYTES = FLOOR_BYTES, 0
    try:
        yield
    finally:
        disk.FLOOR_BYTES, disk.SPARE_BYTES = before


def _ask(run: Run, **faults: object) -> None:
    (run.dir / FAULTS_NAME).write_text(json.dumps({"floor_bytes": FLOOR_BYTES, **faults}))


def _watched(source: Run, folder: Path) -> Small:
    """Train once and see what is written to, by the worker and by who starts it."""
    small = Small(folder, source, trained(source, SHORT), 0.0, {}, [])
    run, points, counting = small.new_run(), folder / "points.json", Counting()
    _ask(run, points=str(points))
    watch, began_s = Watch(run, counting), time.monotonic()
    steps.train(run, SHORT)
    watch.is_on = False
    finish(run)
    small.seconds = time.monotonic() - began_s
    wait_until(points.exists, "the points of a run")
    small.counts = json.loads(points.read_text())
    small.at_start = [point for point in AT_START if counting.counts[point]]
    if weights(run) != weights(small.whole):
        raise SystemExit(f"fills: two trainings that nobody disturbed differ: {ended_as(run)}")
    forget(run)
    return small


def _fills(small: Small, n: int, draw: random.Random, tell: Tell) -> dict:
    outcomes: Counter[str] = Counter()
    failed_at: list[str] = []
    figures: dict = {
        "fills": 0,
        "fills_met": 0,
        "fills_too_late": 0,
        "fills_with_a_good_checkpoint": 0,
        "fills_finished": 0,
        "fills_bitwise_equal": 0,
        "fills_events_lost": 0,
        "fill_points": len(small.counts) + len(small.at_start) + 1,
    }
    for point, is_start in small.plan(n):
        for _ in range(MAX_DRAWS):
            run = small.new_run()
            met = (_fill_at_start if is_start else _fill_worker)(small, run, point, draw)
            if met != TOO_LATE:
                break
            figures["fills_too_late"] += 1
            small.ballast.unlink(missing_ok=True)
            forget(run)
        else:
            raise SystemExit(f"fills: {MAX_DRAWS} times too late at {point}")
        newest = checkpoints.newest(run.checkpoints_dir)
        is_good = newest is not None or not checkpoints.by_step(run.checkpoints_dir)
        small.ballast.unlink()
        end = _await_end(run, may_press=is_start)
        is_equal = end == "done" and weights(run) == weights(small.whole)
        figures["fills"] += 1
        figures["fills_met"] += met in ("paused", "disk_full")
        figures["fills_with_a_good_checkpoint"] += is_good
        figures["fills_finished"] += end == "done"
        figures["fills_bitwise_equal"] += is_equal
        figures["fills_events_lost"] += events_lost(run, n_steps_of(small.whole))
        outcomes[f"{met}, then {end}"] += 1
        if met not in ("paused", "disk_full") or not is_equal:
            who = "Start" if is_start else "worker"
            failed_at.append(f"{point} ({who}): {met}, then {end}")
        figures |= {"fills_outcomes": dict(outcomes), "fills_failed_at": failed_at}
        tell(figures)
        forget(run)
    return figures


def _fill_worker(small: Small, run: Run, point: str, draw: random.Random) -> str:
    """Start a training whose disk is filled at this point of its worker; how it met that."""
    at = {"point": point, "ballast": str(small.ballast)}
    is_outside = point in (KILLED, ANY_MOMENT)
    _ask(run, fill=None if is_outside else {**at, "nth": draw.randint(1, small.counts[point])})
    steps.train(run, SHORT)
    if is_outside:
        if point == KILLED:
            wait_until(lambda: n_steps_of(run) or not jobs.is_alive(run), "a step")
        time.sleep(draw.uniform(0, small.seconds / (4 if point == KILLED else 1)))
        if not jobs.is_alive(run):
            return TOO_LATE
        fill(small.ballast)
        if point == KILLED:
            kill_worker(run)
    wait_until(lambda: small.ballast.exists() or not jobs.is_alive(run), "a full disk")
    return _how_it_is_met(run) if small.ballast.exists() else _over(run)


def _fill_at_start(small: Small, run: Run, point: str, draw: random.Random) -> str:
    """Press Start where that is what finds the disk full; how it met that."""
    _ask(run)
    watch = Watch(run, Filling(point, 1, small.ballast))
    told = ""
    try:
        steps.train(run, SHORT)
    except TunerError as error:
        told = error.code
    except OSError as error:  # not a sentence, but what the page shows next may be one
        print(f"Start at {point}: {error!r}")
    finally:
        watch.is_on = False
    return told or _how_it_is_met(run)


def _how_it_is_met(run: Run) -> str:
    """`paused` when its events or its status say so, the reason when it has one; else what is
    wrong with it: it goes on as if nothing were, or has ended.
    """
    began_s = time.monotonic()
    while time.monotonic() - began_s < MET_WITHIN_S:
        status = jobs.status(run)
        if n_entered(run, "paused") or status.state == "paused":
            return "paused"
        if status.reason == "disk_full":
            return "disk_full"
        if not status.alive:
            return _over(run)
        time.sleep(0.1)
    return f"silent in {jobs.status(run).state}"


def _over(run: Run) -> str:
    """How a run has ended that met no full disk."""
    end = ended_as(run)
    return TOO_LATE if end == "done" else end


def _await_end(run: Run, may_press: bool) -> str:
    """How it ends when there is room again. A caretaker looks after it, as on a page; where Start
    was refused, somebody presses again.
    """
    if may_press and not jobs.is_alive(run):
        with suppress(TunerError, ValueError):
            if run.spec_path.exists():
                steps.resume(run)
            else:
                steps.train(run, SHORT)
    began_s = time.monotonic()
    while jobs.is_alive(run) or jobs.status(run).goes_on:
        if time.monotonic() - began_s > ENDS_WITHIN_S:
            state = jobs.status(run).state
            kill_worker(run)
            return f"still {state} behind {len(read_events(run.events_path))} events"
        look_after(run)
        time.sleep(LOOK_EVERY_S)
    return ended_as(run)
