"""Training processes that take turns: the side that tells them when. Imports no torch.

Interleaved turns of a few seconds meet the same other load and the same heat of the machine; and
in processes of their own two Trainers share no global state and their memory can be told apart.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import find_device

REPOSITORY = Path(__file__).resolve().parents[1]
QUICK_BASE = "openai/whisper-tiny"  # of a smoke check; by name, with two layers of width 64


@dataclass(frozen=True)
class Task:
    """What one process trains. `role`: "seed", "ours", or "memory": ours on batches in memory."""

    role: str
    dataset_dir: str
    base: str
    language: str
    precision: str
    batch_size: int
    n_warm: int  # steps before the first turn
    n_steps: int  # of one turn
    n_turns: int
    probe_s: float = 1.0
    profile: str = ""  # file for the operations of some steps behind the last turn

    @property
    def n_timed(self) -> int:
        return self.n_warm + self.n_turns * self.n_steps


class Contestant:
    """A waiting training process; `turn()` lets it train and returns what it says of it."""

    def __init__(self, task: Task, environment: dict[str, str]) -> None:
        self.task = task
        self._log = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed by `close`
        self._used_mb = device_mb()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.contestant", json.dumps(asdict(task))],
            env=environment,
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        self.driver_mb = 0.0
        self.turns: list[dict] = []

    def wait_until_warm(self) -> None:
        """Its first steps are done. On CUDA, start one at a time: `driver_mb` is what it took."""
        self._answer()
        self.driver_mb = device_mb() - self._used_mb

    def turn(self) -> None:
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        self.turns.append(self._answer())

    def close(self) -> None:
        """End it; what it has left to do behind its last turn (a profile) is waited for."""
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()
        self._log.close()

    def _answer(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._log.seek(0)
            raise SystemExit(f"{self.task.role} {self.task.precision}:\n{self._log.read()}")
        return json.loads(line)


def device_mb() -> float:
    """What all processes have of the CUDA device, as its driver counts it; 0 without one."""
    if find_device().kind != "cuda":
        return 0.0
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    done = subprocess.run(query, capture_output=True, text=True, check=True)
    return int(done.stdout.split()[0]) * 2**20 / 1e6


@contextmanager
def race_environment(base: str, is_random: bool, is_tiny: bool, threads: int) -> Iterator[dict]:
    """The worker's own environment, with a cache of random weights when asked for."""
    environment = {**jobs.worker_environment(), "OMP_NUM_THREADS": str(threads)}
    environment["PYTHONPATH"] = f"{REPOSITORY}{os.pathsep}{environment['PYTHONPATH']}"
    with tempfile.TemporaryDirectory() as scratch:
        if is_random:
            environment.update(HF_HOME=scratch, HF_HUB_OFFLINE="1")
            command = [sys.executable, "-m", "benchmarks.bases", base, scratch]
            command += ["--tiny"] if is_tiny else []
            done = subprocess.run(
                command,
                env=environment,
                cwd=REPOSITORY,
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(done.stderr)
        yield environment
