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
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import psutil

from benchmarks import speech
from benchmarks.turns import QUICK_BASE, REPOSITORY, race_environment
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.events import StateChanged, Step, read_events, without_lost_steps
from whisper_tuner.runs.folder import ROOT_VARIABLE, Run

PATIENCE_S = 300.0
KILLS_OF_A_RUN = 5
STOP_WITHIN_S, ADOPT_WITHIN_S = 30.0, 15.0  # what the product promises
CONFIG = TrainConfig(QUICK_BASE, steps.EXAMPLE_LANGUAGE, "32bit", epochs=10, n_score_clips=0)


def wait_until(condition: Callable[[], object], what: str) -> float:
    """Seconds until it holds. Ends the benchmark when it never does."""
    began_s = time.monotonic()
    while not condition():
        if time.monotonic() - began_s > PATIENCE_S:
            raise SystemExit(f"waited {PATIENCE_S:.0f} s for {what}")
        time.sleep(0.01)
    return time.monotonic() - began_s


def worker_pid(run: Run) -> int:
    """Of the worker that lives or lived last; waits for one that is being started."""
    wait_until(lambda: run.lock_path.stat().st_size, "a worker's number")
    return json.loads(run.lock_path.read_text())["pid"]


def kill_worker(run: Run) -> None:
    with suppress(ProcessLookupError):
        os.killpg(worker_pid(run), signal.SIGKILL)
    wait_until(lambda: not jobs.is_alive(run), "a killed worker's end")


def n_entered(run: Run, state: str) -> int:
    return sum(record.event == StateChanged(state) for record in read_events(run.events_path))


def finish(run: Run) -> None:
    wait_until(lambda: not jobs.is_alive(run), "a run's end")


def weights(run: Run) -> bytes:
    return (run.adapter_dir / "adapter_model.safetensors").read_bytes()


def events_lost(run: Run, n_steps: int) -> int:
    """Numbers missing or twice among the events, and steps missing or twice in what is shown."""
    records = read_events(run.events_path)
    shown = [r.event.step for r in without_lost_steps(records) if isinstance(r.event, Step)]
    wrong = sum(record.seq != i for i, record in enumerate(records, 1))
    return wrong + len(set(range(1, n_steps + 1)) ^ set(shown)) + len(shown) - len(set(shown))


def worker_kills(source: Run, n: int, draw: random.Random) -> dict:
    """Kill and resume, several times a run, half of them while a checkpoint is written."""
    whole = steps.again(source)
    steps.train(whole, CONFIG)
    finish(whole)
    n_steps = sum(isinstance(r.event, Step) for r in read_events(whole.events_path))
    n_killed = n_runs = n_equal = n_unresumable = n_lost = 0
    while n_killed < n:
        run = steps.again(source)
        steps.train(run, CONFIG)
        for _ in range(min(KILLS_OF_A_RUN, n - n_killed)):
            before = n_entered(run, "saving")
            if draw.random() < 0.5:
                wait_until(
                    lambda r=run, b=before: n_entered(r, "saving") > b or not jobs.is_alive(r),
                    "a checkpoint",
                )
                time.sleep(draw.uniform(0, 0.05))
            else:
                time.sleep(draw.uniform(0, 15))
            if not jobs.is_alive(run):
                break
            kill_worker(run)
            n_killed += 1
            if jobs.can_resume(jobs.status(run)):  # else it was killed behind its last event
                steps.resume(run)
        finish(run)
        n_runs += 1
        if jobs.status(run).state != "done":
            n_unresumable += 1
            print("\n".join(jobs.log_tail(run, 20)), file=sys.stderr)
            continue
        n_equal += weights(run) == weights(whole)
        n_lost += events_lost(run, n_steps)
        shutil.rmtree(run.dir)
    return {
        "kills": n_killed,
        "killed_runs": n_runs,
        "unresumable": n_unresumable,
        "bitwise_equal": n_equal / n_runs if n_runs else None,
        "events_lost": n_lost,
    }


def mutants(source: Run, n: int, draw: random.Random) -> dict:
    """Checkpoints of a real training with one fault each: none may be taken for whole."""
    run = steps.again(source)
    steps.train(run, CONFIG)
    finish(run)
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


class PageProcess:
    """`python app.py` on a free port, killed at the end of its block."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        environment = {**os.environ, "GRADIO_SERVER_PORT": str(self.port)}
        self._process = subprocess.Popen(
            [sys.executable, "app.py"],
            env=environment,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "the page")

    def _answers(self) -> bool:
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}", timeout=5).status == 200
        return False

    def __enter__(self) -> "PageProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()


def page_kills(source: Run, n: int, draw: random.Random) -> dict:
    """Kill the page while a worker trains, open another one, and kill the worker: a page that has
    adopted the run resumes it. The worker must not notice the first kill.
    """
    n_adopted, slowest_s = 0, 0.0
    for _ in range(n):
        run = steps.again(source)
        with PageProcess():
            steps.train(run, CONFIG)
            time.sleep(draw.uniform(0, 8))
        undisturbed = jobs.is_alive(run)
        with PageProcess():
            pid = worker_pid(run)
            kill_worker(run)
            began_s = time.monotonic()
            while jobs.status(run).state == "interrupted":
                if time.monotonic() - began_s > PATIENCE_S:
                    break
                time.sleep(0.05)
            waited_s = time.monotonic() - began_s
            slowest_s = max(slowest_s, waited_s)
            n_adopted += undisturbed and waited_s <= ADOPT_WITHIN_S and worker_pid(run) != pid
            finish(run)
        shutil.rmtree(run.dir)
    return {"page_kills": n, "adopted": n_adopted, "slowest_adoption_s": slowest_s}


def stops(source: Run, n: int, draw: random.Random) -> dict:
    """Stop at any moment: does the worker end in time, in a state that says so?"""
    n_in_time, slowest_s = 0, 0.0
    for _ in range(n):
        run = steps.again(source)
        steps.train(run, CONFIG)
        time.sleep(draw.uniform(0, 25))
        if jobs.is_alive(run):
            with suppress(steps.RunError):  # it ended that very moment
                jobs.stop(run)
        waited_s = wait_until(lambda r=run: not jobs.is_alive(r), "a stopped worker's end")
        slowest_s = max(slowest_s, waited_s)
        n_in_time += waited_s <= STOP_WITHIN_S and jobs.status(run).state in ("stopped", "done")
        shutil.rmtree(run.dir)
    return {"stops": n, "stopped_in_time": n_in_time, "slowest_stop_s": slowest_s}


def orphans(root: Path) -> int:
    """Processes that still work on a run of this benchmark."""
    return sum(str(root) in " ".join(p.info["cmdline"] or []) for p in _processes())


def _processes() -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["cmdline"]) if p.pid != os.getpid()]


def measure(options: argparse.Namespace, folder: Path) -> dict:
    draw = random.Random(options.seed)
    source = speech.prepare(folder, 24, 2)
    jobs.WORKER = "benchmarks.eager_worker"
    result = {"seed": options.seed}
    for part, n in (
        (worker_kills, options.kills),
        (mutants, options.mutants),
        (page_kills, options.page_kills),
        (stops, options.stops),
    ):
        began_s = time.monotonic()
        result |= part(source, n, draw)
        print(f"{part.__name__}: {n} in {time.monotonic() - began_s:.0f} s", flush=True)
    return result | {"orphans": orphans(folder)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100, help="of a worker")
    parser.add_argument("--mutants", type=int, default=300, help="checkpoints with one fault")
    parser.add_argument("--page-kills", type=int, default=30)
    parser.add_argument("--stops", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="one or two of each")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.kills, options.mutants, options.page_kills, options.stops = 2, 20, 0, 1
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        race_environment(QUICK_BASE, True, True, threads=1) as environment,
    ):
        os.environ.update(environment)
        os.environ[ROOT_VARIABLE] = f"{scratch}/runs"
        result = measure(options, Path(scratch))
    for name, value in result.items():
        print(f"{name:20} {value}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
