"""One training on several GPUs: the worker starts `accelerate launch` and waits for it.

Every process runs the same `training.stage` on its share of each step (DDP: the largest Whisper
fits on one GPU). The first one writes the run's events; the worker keeps the run's lock, passes
Stop on and tells what went wrong.
"""

import errno
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import suppress

import psutil

from whisper_tuner.errors import TrainingError
from whisper_tuner.model.batches import MAX_HALVINGS
from whisper_tuner.runs import disk
from whisper_tuner.runs.context import RANK_FAILURE_NAME, WorkerContext
from whisper_tuner.runs.events import (
    TERMINAL_STATES,
    EventWriter,
    Failed,
    Note,
    last_state,
    read_events,
)
from whisper_tuner.runs.jobs import sigterm_blocked
from whisper_tuner.runs.locks import die_with_parent

POLL_S = 0.2


def train(context: WorkerContext) -> None:
    """Train with one process for each device, steps in more parts when their memory is too small.

    Raises TrainingError with the reason of the process that failed first, OSError when the disk is
    full.
    """
    n_parts = 1
    for halving in range(MAX_HALVINGS + 1):
        context.check_stop()
        reason = _launch(context, n_parts)
        context.writer = EventWriter(context.run.events_path)  # the first process wrote meanwhile
        if reason is None:
            return
        if reason.code == "disk_full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        if reason.code != "out_of_memory_gpu" or halving == MAX_HALVINGS:
            raise TrainingError(reason.code, **reason.params)
        n_parts *= 2
        context.emit(Note("note_halved", {"n_parts": n_parts}))


def command(context: WorkerContext, n_parts: int) -> list[str]:
    n_devices = context.run.read_spec().config.n_devices
    return [
        *(sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu"),
        *("--num_machines", "1", "--num_processes", str(n_devices)),
        *("--main_process_port", str(_free_port())),
        *("--mixed_precision", "no", "--dynamo_backend", "no"),  # the Trainer's arguments say it
        *("-m", "whisper_tuner.worker", str(context.run.dir), "rank", "--parts", str(n_parts)),
    ]


def _launch(context: WorkerContext, n_parts: int) -> Failed | None:
    """Run all processes to their end; why they failed, or None."""
    failure_path = context.run.dir / RANK_FAILURE_NAME
    failure_path.unlink(missing_ok=True)
    context.writer.close()
    with sigterm_blocked():  # until each process is ready to obey it
        launcher = subprocess.Popen(command(context, n_parts), preexec_fn=die_with_parent)
    _wait(context, launcher)
    if last_state(read_events(context.run.events_path)) in TERMINAL_STATES:
        return None
    if failure_path.exists():
        return Failed(**json.loads(failure_path.read_text()))
    if disk.is_full(context.run.dir):  # it could not even write why
        return Failed("disk_full")
    return Failed("worker_crashed", {"code": abs(launcher.returncode)})


def _wait(context: WorkerContext, launcher: subprocess.Popen) -> None:
    """Wait for the launcher. Stop goes past it, to the processes: it would only kill them.

    They move as long as the first one writes events, and while it loads.
    """
    told: set[int] = set()
    events_path, n_bytes, is_loading = context.run.events_path, 0, True
    while launcher.poll() is None:
        has_grown = events_path.stat().st_size != n_bytes
        if has_grown:
            n_bytes = events_path.stat().st_size
            is_loading = last_state(read_events(events_path)) in ("queued", "preparing")
        if has_grown or is_loading:
            context.moved()
        if context.stop_asked:
            for process in psutil.Process(launcher.pid).children():
                if process.pid not in told:
                    with suppress(psutil.NoSuchProcess):
                        process.terminate()
                    told.add(process.pid)
        time.sleep(POLL_S)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]
