"""The process that does the long work of one run: `python -m whisper_tuner.worker RUN_DIR STAGE`.

Waits for its turn on this device without importing torch, runs one stage, and leaves what happened
in the run folder. The page and the command line only ever read that folder.
"""

import argparse
import gc
import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from whisper_tuner.data.clips import is_complete
from whisper_tuner.errors import RunError, TunerError
from whisper_tuner.runs import disk, listening, locks, queue, worker_row
from whisper_tuner.runs.aligning import Aligning
from whisper_tuner.runs.context import RANK_FAILURE_NAME, Stopped, WorkerContext
from whisper_tuner.runs.events import EventWriter, Failed, Note
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.heartbeat import Pulse

STAGES = {
    "train": "whisper_tuner.training.stage:train",
    "train_devices": "whisper_tuner.training.devices:train",
    "compare": "whisper_tuner.evaluation.stage:compare",
    "listen": "whisper_tuner.evaluation.listen:listen",
    "align": "whisper_tuner.alignment.stage:align",
    "tryout": "whisper_tuner.evaluation.tryout:serve",
}
RANK = "rank"  # what `accelerate launch` is given for a stage
RESUMED = "note_resumed_by_itself"
DEVICE_LOCK_NAME = "device.lock"
TURN_POLL_S = 0.5


def load_stage(name: str) -> Callable:
    """Import a stage only now: torch must not be loaded while waiting in the queue.

    Without the search for garbage, which would go through all modules so far again and again and
    find next to nothing: a fifth of the time. What is loaded stays, and is not searched later.
    """
    module, function = STAGES[name].split(":")
    gc.disable()
    try:
        return getattr(importlib.import_module(module), function)
    finally:
        gc.freeze()
        gc.enable()


def wait_for_turn(context: WorkerContext) -> int:
    """Wait until no earlier run is alive; returns the descriptor that holds the device's lock."""
    device_lock = context.run.dir.parent / DEVICE_LOCK_NAME
    while True:
        context.check_stop()
        if not queue.runs_ahead(context.run):
            lock = locks.acquire(device_lock)
            if lock is not None:
                return lock
        time.sleep(TURN_POLL_S)


def failure(error: BaseException, run: Run) -> Failed:
    """The sentence for whatever ended a stage of this run."""
    if isinstance(error, TunerError):
        return Failed(error.code, error.params)
    if type(error).__name__ == "OutOfMemoryError":  # torch's, which may not have been imported
        return Failed("out_of_memory_gpu")
    if isinstance(error, MemoryError):
        return Failed("out_of_memory_host")
    if isinstance(error, OSError) and disk.is_no_room(error):
        return Failed("disk_full")
    has_dataset = run.spec_path.exists() and not isinstance(run, Aligning)
    if has_dataset and not is_complete(run.dataset_dir):
        return Failed("dataset_vanished")
    return Failed("worker_failed")


def stage_of(run: Run, stage: str) -> str:
    """The stage to load: a training on several devices is one of processes, started by this one."""
    if stage == "train" and run.read_spec().config.n_devices > 1:
        return "train_devices"
    keep_one_gpu()
    return stage


def keep_one_gpu() -> None:
    """Show torch the first GPU only: the Trainer would put a copy of the model on every one."""
    shown = os.environ.get("CUDA_VISIBLE_DEVICES", "0")
    os.environ["CUDA_VISIBLE_DEVICES"] = shown.split(",")[0]


def tell_why(context: WorkerContext) -> None:
    """Why the worker before this one broke off, and whether a person asked for this one."""
    row = worker_row.read(context.run)
    if row.because:
        context.emit(Note(*row.because))
    if row.n_resumes:
        context.emit(Note(RESUMED))


def run_stage(run: Run, stage: str) -> int:
    """Queue, run one stage, record how it ended; returns the process's exit code."""
    context = WorkerContext(run, EventWriter(run.events_path), Pulse(run))
    context.obey_sigterm()
    try:
        context.enter("queued")
        tell_why(context)
        wait_for_turn(context)
        run_when_there_is_room(load_stage(stage_of(run, stage)), context)
    except Stopped:
        context.enter("stopped")
    except Exception as error:  # the process's last line: the person must be told, whatever it was
        with suppress(OSError):  # the log and the events may be on a full disk
            traceback.print_exc()
            context.emit(failure(error, run))
            context.enter("failed")
        return 1
    return 0


def run_when_there_is_room(stage: Callable, context: WorkerContext) -> None:
    """Begin the stage again, from what it saved, when it met a full disk and there is room now."""
    while True:
        try:
            return stage(context)
        except OSError as error:
            is_full = disk.is_no_room(error) and disk.is_full(context.run.dir)
            if not is_full or context.stop_asked:
                raise
        context.pause_while_disk_is_full("queued")


def run_rank(run: Run, n_parts: int) -> int:
    """One of the processes that train a run together; `devices.train` in the worker started it.

    What ended it goes to the worker in a file: the first process may not be the one that failed.
    """
    locks.die_with_parent()
    writer = EventWriter(run.events_path) if os.environ["RANK"] == "0" else None
    context = WorkerContext(run, writer)
    context.obey_sigterm()
    try:
        load_stage("train")(context, n_parts)
    except Stopped:
        context.enter("stopped")
    except Exception as error:  # as in run_stage
        traceback.print_exc()
        reason = failure(error, run)
        path = run.dir / RANK_FAILURE_NAME
        with suppress(OSError):  # on a full disk; the worker sees that it is full
            path.write_text(json.dumps({"code": reason.code, "params": reason.params}))
        return 1
    return 0


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m whisper_tuner.worker", description=__doc__)
    parser.add_argument("run_dir", type=Path)
    parser.add_argument("stage", choices=[*STAGES, RANK])
    parser.add_argument("lock_fd", type=int, nargs="?", help="descriptor of the held run lock")
    parser.add_argument("--parts", type=int, default=1, help="rank: parts of a step")
    options = parser.parse_args(arguments)
    run = listening.seen_by(options.run_dir, options.stage)
    if options.stage == RANK:
        return run_rank(run, options.parts)
    if options.stage == "tryout":
        keep_one_gpu()
        load_stage("tryout")(run)
        return 0
    lock = locks.acquire(run.lock_path) if options.lock_fd is None else options.lock_fd
    if lock is None:
        raise SystemExit(RunError("run_busy", run=run.id).sentence())
    worker_row.sign(run, lock, os.getpid())
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return run_stage(run, options.stage)


if __name__ == "__main__":
    sys.exit(main())
