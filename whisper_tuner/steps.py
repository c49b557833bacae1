"""The few functions that the page, the command line and the tests share. No torch, no gradio.

    prepare → train → compare → try → push        restore, delete

Each takes a run folder, does one step of the job, and leaves its result in the folder.
"""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from whisper_tuner.config import TrainConfig
from whisper_tuner.data import common_voice, fixes, upload
from whisper_tuner.data.add import add as add_to_dataset
from whisper_tuner.data.add import names_known
from whisper_tuner.data.clips import (
    MANIFEST_NAME,
    REPORT_NAME,
    Candidate,
    Report,
    read_clips,
    read_report,
)
from whisper_tuner.data.prepare import prepare as prepare_dataset
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.model import planner
from whisper_tuner.model.catalogue import base_model, check_language
from whisper_tuner.model.locate import token_counter
from whisper_tuner.publish import hub, package, recordings
from whisper_tuner.publish.space import find_space
from whisper_tuner.restore import restore as restore
from whisper_tuner.runs import disk, jobs, locks, queue, start
from whisper_tuner.runs.delete import delete as delete_folder
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.sources import Source

tiers = upload.tiers  # what the tier of a `Reading` can be; empty: nothing to choose
EXAMPLE_DIR = Path(__file__).resolve().parents[1] / "examples" / "italian-prompts"
EXAMPLE_LANGUAGE = "it"
DATA_LOCK_NAME = "dataset.lock"  # held while recordings are added or changed
VERSIONED = ("whisper-tuner", "torch", "transformers", "peft", "bitsandbytes", "accelerate")


@dataclass(frozen=True)
class Deleted:
    """What a deletion took away: recordings, and megabytes of disk that are free now."""

    run: str
    n_clips: int
    megabytes: float


def prepare(
    run: Run,
    paths: list[Path],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    reading: Reading | None = None,
) -> Report:
    """Read, check and split recordings into the run's dataset; every problem is in the report.

    `reading`: how a person says that their table is to be read.
    """
    _refuse_new_data(run)
    candidates = upload.candidates(paths, reading=reading)
    return prepare_dataset(candidates, run.dataset_dir, token_counter(), seed, on_progress)


def prepare_common_voice(
    run: Run,
    archive: Path,
    n_train: int,
    n_test: int,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from an official Common Voice archive (tar.gz), as many clips as asked for."""
    _refuse_new_data(run)
    candidates = common_voice.candidates(archive, n_train, n_test, seed)
    return prepare_dataset(candidates, run.dataset_dir, token_counter(), seed, on_progress)


def prepare_from(
    run: Run,
    source: Source,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from a source that is read while it is downloaded. A run that goes on from another
    keeps its recordings and gets these beside them.
    """
    if run.start_dir.exists():
        with source.open(run, names_known(run.dataset_dir)) as candidates:
            return _add(run, candidates, seed, on_progress)
    _refuse_new_data(run)
    with source.open(run, ()) as candidates:
        count_tokens = token_counter()
        return prepare_dataset(candidates, run.dataset_dir, count_tokens, seed, on_progress)


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
    _require_dataset(run)
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
    _refuse_place(run, token)
    _refuse_started(run)
    planned, expected = plan(run, config, find_device())
    if expected.hopeless:
        raise InputError("does_not_fit", **expected.gigabytes)
    origin = start.read_origin(run)
    whence = origin.run if origin else ""
    with disk.told_when_full(), queue.place(run, owner) as now_s:
        if locks.is_held(run.dir / DATA_LOCK_NAME):
            raise RunError("data_being_added")
        run.write_spec(Spec(planned, now_s, _versions(), owner, expected.total_s, whence))
        jobs.start(run)


def resume(run: Run, token: str | None = None) -> bool:
    """Go on with a training that was interrupted, stopped or failed, from its newest checkpoint
    that verifies, else from its beginning; False when a second press found it going on. A
    measuring that was interrupted is begun again.

    Raises RunError when it was never started, has reached its end, its owner has another training
    waiting, or the Space has replicas.
    """
    _refuse_place(run, token)
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
    _require_dataset(run)
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
    _require_adapter(run)
    _require_dataset(run)
    new = Run.create(run.dir.parent)
    train_clips = read_clips(run.dataset_dir, "train")
    start.begin(new, run, [clip.id for clip in train_clips])
    shutil.copytree(run.dataset_dir, new.dataset_dir, copy_function=os.link)
    return new


def add(
    run: Run,
    paths: list[Path],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    reading: Reading | None = None,
) -> Report:
    """Check more recordings and put them beside those that the run has (`data/join.py`)."""
    return _add(run, upload.candidates(paths, reading=reading), seed, on_progress)


def add_common_voice(
    run: Run,
    archive: Path,
    n_train: int,
    n_test: int,
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """The same from an official Common Voice archive (tar.gz): clips that are not there yet."""
    _require_dataset(run)
    known = names_known(run.dataset_dir)
    candidates = common_voice.candidates(archive, n_train, n_test, seed, known=known)
    return _add(run, candidates, seed, on_progress)


def _add(
    run: Run,
    candidates: Iterator[Candidate],
    seed: int,
    on_progress: Callable[[int], None] | None,
) -> Report:
    with _changing_data(run):
        return add_to_dataset(candidates, run.dataset_dir, token_counter(), seed, on_progress)


def fix(run: Run, code: str) -> Report:
    """Put right, or leave out, all clips with a finding of this code (`data/fixes.py`).

    Raises: RunError when the run was started or goes on from another, InputError when there is
    nothing to fix, or too few clips would be left.
    """
    with _changing_data(run):
        _refuse_new_data(run)
        return fixes.fix(run.dataset_dir, code, token_counter())


def undo_fixes(run: Run) -> Report:
    """The dataset as it was before its first fix. Raises as `fix` does."""
    with _changing_data(run):
        _refuse_new_data(run)
        return fixes.undo(run.dataset_dir)


def export_dataset(run: Run, target: Path | None = None) -> recordings.Exported:
    """The checked recordings and their table as one ZIP; those of Common Voice stay here."""
    return recordings.zip_recordings(run, target)


@contextmanager
def _changing_data(run: Run) -> Iterator[None]:
    """Nobody else changes the dataset meanwhile, and no training starts on it.

    Raises: RunError when the run was started, or its data are being changed at this moment.
    """
    lock = locks.acquire(run.dir / DATA_LOCK_NAME)
    if lock is None:
        raise RunError("data_being_added")
    try:
        _refuse_started(run)
        _require_dataset(run)
        yield
    finally:
        os.close(lock)


def has_dataset(run: Run) -> bool:
    """Whether it has recordings that were checked. They may be deleted at any time."""
    return all((run.dataset_dir / name).exists() for name in (MANIFEST_NAME, REPORT_NAME))


def _require_dataset(run: Run) -> None:
    if not has_dataset(run):
        raise InputError("dataset_missing", run=run.id)


def _refuse_place(run: Run, token: str | None) -> None:
    """Runs need a disk. Each replica has one of its own: a run would be known to one only."""
    disk.require_disk(run.dir.parent)
    space = find_space(token)
    if space and (space.n_replicas or 1) > 1:
        raise RunError("space_replicas", n=space.n_replicas)


def _versions() -> dict[str, str]:
    found = {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions()}
    return {name: found[name] for name in VERSIONED if name in found}


def _refuse_new_data(run: Run) -> None:
    """Raises RunError when the run's recordings are there to stay. Those of a run that goes on from
    another can be added to: its adapter knows what they are.
    """
    if run.start_dir.exists():
        raise RunError("run_goes_on", run=run.id)
    _refuse_started(run)


def _refuse_started(run: Run) -> None:
    """Raises RunError when the run's training was started: neither it nor its data may change."""
    if run.spec_path.exists():
        raise RunError("run_has_started", run=run.id)


def compare(run: Run) -> bool:
    """Start measuring base and tuned on the held-out clips; False when a second press
    found the worker started. Raises RunError when there is no adapter, its worker is busy, or the
    adapter is of an earlier stop.
    """
    _require_adapter(run)
    if not jobs.can_compare(run, jobs.status(run)):
        raise RunError("compare_resume_first")
    with disk.told_when_full(), queue.place(run, "") as now_s:
        return jobs.start(run, "compare", ticket_s=now_s)


def delete(run: Run) -> Deleted:
    """Delete a run with its recordings and all that was made of them. What is on Hugging Face
    stays there; what the base heard is kept for a while (`evaluation/base_cache.py`).

    Raises RunError when its worker is alive, or recordings are being added to it.
    """
    if locks.is_held(run.dir / DATA_LOCK_NAME):
        raise RunError("data_being_added")
    n_clips = read_report(run.dataset_dir).n_clips if has_dataset(run) else 0
    return Deleted(run.id, n_clips, delete_folder(run) / 1e6)


def push(run: Run, token: str, repo_name: str, private: bool = True) -> hub.PushResult:
    """Put the adapter, with its card, into the token owner's own account."""
    _require_adapter(run)
    return hub.push(run, token, repo_name, private)


def download(run: Run) -> Path:
    """The adapter with its card as one ZIP."""
    _require_adapter(run)
    return package.zip_adapter(run)


def _require_adapter(run: Run) -> None:
    if not run.has_adapter:
        raise RunError("adapter_missing", run=run.id)
    if jobs.is_alive(run):
        raise RunError("run_busy", run=run.id)
