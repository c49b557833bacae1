"""From a checked dataset to an adapter, and on from there."""

import importlib.util
import os
import shutil
from importlib import metadata

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.model import planner
from whisper_tuner.model.catalogue import base_model, check_language
from whisper_tuner.publish.space import find_space
from whisper_tuner.runs import disk, jobs, listening, locks, queue, start
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.steps.checks import (
    DATA_LOCK_NAME,
    refuse_listening,
    refuse_started,
    require_adapter,
    require_dataset,
    require_recordings,
)

VERSIONED = ("whisper-tuner", "torch", "transformers", "peft", "bitsandbytes", "accelerate")


def plan(run: Run, config: TrainConfig, device: Device) -> tuple[TrainConfig, planner.Plan]:
    """The config as it fits the device's memory, and what it will take. Nothing is started.

    Raises InputError when the data, the language or the number of devices cannot be, or the disk
    is too small.
    """
    check_language(config.base, config.language)
    if config.metrics != "none" and importlib.util.find_spec(config.metrics) is None:
        raise InputError("metrics_not_installed", package=config.metrics)
    origin = start.read_origin(run)
    if origin:
        start.require_fit(origin, config)
    require_dataset(run)
    clips = read_clips(run.dataset_dir)
    train_clips = [clip for clip in clips if clip.split == "train"]
    test_clips = [clip for clip in clips if clip.split == "test"]
    if not train_clips or not test_clips:
        raise InputError("dataset_not_usable", run=run.id)
    n, found = config.n_devices, device.n_devices
    if device.kind == "cuda" and n > found:
        raise InputError("setting_invalid", setting="devices", value=n, allowed=f"1 … {found}")
    checkpoint_bytes = base_model(config.base).checkpoint_bytes(config.lora)
    disk.require_room(run.dir, checkpoint_bytes, run.dataset_dir)
    return planner.plan(config, train_clips, test_clips, device)


def train(run: Run, config: TrainConfig, owner: str = "", token: str | None = None) -> None:
    """Plan, write the specification and start the worker; returns at once. Twice is harmless.

    `owner`: whoever presses Start on a page; may have one training waiting. `token`: theirs, only
    to ask for facts of a private Space.

    Raises InputError when something cannot be (`plan`), the memory is far too small or the runs do
    not lie on a disk, RunError when the run has started, the owner has another one waiting, or the
    Space has replicas.
    """
    refuse_place(run, token)
    refuse_started(run)
    refuse_listening(run)
    planned, expected = plan(run, config, find_device())
    if expected.hopeless:
        raise InputError("does_not_fit", **expected.gigabytes)
    origin = start.read_origin(run)
    whence = origin.run if origin else ""
    with disk.told_when_full(), queue.place(run, owner) as now_s:
        if locks.is_held(run.dir / DATA_LOCK_NAME):
            raise RunError("data_being_added")
        run.write_spec(Spec(planned, now_s, versions(), owner, expected.total_s, whence))
        listening.Listening(run.dir).spec_path.unlink(missing_ok=True)  # nobody resumes it now
        jobs.start(run)


def resume(run: Run, token: str | None = None) -> bool:
    """Go on with a training that was interrupted, stopped or failed, from its newest checkpoint
    that verifies, else from its beginning; False when a second press found it going on. A
    measuring that was interrupted is begun again.

    Raises RunError when it was never started, has reached its end, its owner has another training
    waiting, or the Space has replicas.
    """
    refuse_place(run, token)
    owner = run.read_spec().owner
    status = jobs.status(run)
    if status.alive:
        return False
    if not jobs.can_resume(status):
        raise RunError("run_has_ended", run=run.id)
    stage = jobs.last_stage(run) if status.state == "interrupted" else "train"
    with disk.told_when_full(), queue.place(run, owner) as now_s:
        return jobs.start(run, stage, ticket_s=now_s)


def again(run: Run) -> Run:
    """A new run on the same dataset, for other settings. The clips are hard links.

    One that went on from an earlier run begins with that run's adapter again. Raises InputError
    when the recordings are gone.
    """
    require_recordings(run)
    new = Run.create(run.dir.parent)
    if run.start_dir.exists():
        shutil.copytree(run.start_dir, new.start_dir, copy_function=os.link)
    shutil.copytree(run.dataset_dir, new.dataset_dir, copy_function=os.link)
    return new


def further(run: Run) -> Run:
    """A new run that goes on from this one's adapter, on its recordings, to which more can be
    added before it is started. Adapter and clips are hard links: either run may be deleted.

    Raises RunError when there is no adapter, or its worker is busy, InputError when the recordings
    are gone.
    """
    require_adapter(run)
    require_recordings(run)
    new = Run.create(run.dir.parent)
    train_clips = read_clips(run.dataset_dir, "train")
    start.begin(new, run, [clip.id for clip in train_clips])
    shutil.copytree(run.dataset_dir, new.dataset_dir, copy_function=os.link)
    return new


def compare(run: Run) -> bool:
    """Start measuring base and tuned on the held-out clips; False when a second press
    found the worker started. Raises RunError when there is no adapter, its worker is busy, or the
    adapter is of an earlier stop.
    """
    require_adapter(run)
    require_recordings(run)
    if not jobs.can_compare(run, jobs.status(run)):
        raise RunError("compare_resume_first")
    with disk.told_when_full(), queue.place(run, "") as now_s:
        return jobs.start(run, "compare", ticket_s=now_s)


def refuse_place(run: Run, token: str | None) -> None:
    """Runs need a disk. Each replica has one of its own: a run would be known to one only."""
    disk.require_disk(run.dir.parent)
    space = find_space(token)
    if space and (space.n_replicas or 1) > 1:
        raise RunError("space_replicas", n=space.n_replicas)


def versions() -> dict[str, str]:
    found = {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions()}
    return {name: found[name] for name in VERSIONED if name in found}
