"""The few functions that the page, the command line and the tests share. No torch, no gradio.

    prepare → train → compare → try → push        restore

Each takes a run folder, does one step of the job, and leaves its result in the folder.
"""

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

from whisper_tuner.audio import decode, write_flac
from whisper_tuner.config import TrainConfig
from whisper_tuner.data import common_voice, upload
from whisper_tuner.data.clips import COMMON_VOICE, Report, read_clips
from whisper_tuner.data.prepare import prepare as prepare_dataset
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.model import planner
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.model.locate import token_counter
from whisper_tuner.narrate import event_sentence
from whisper_tuner.publish import hub, package
from whisper_tuner.publish import restore as restoring
from whisper_tuner.publish.space import find_space
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import Device, find_device
from whisper_tuner.runs.events import EventWriter, Note, read_events
from whisper_tuner.runs.folder import Run, Spec

EXAMPLE_DIR = Path(__file__).resolve().parents[1] / "examples" / "italian-prompts"
EXAMPLE_LANGUAGE = "it"
VERSIONED = ("whisper-tuner", "torch", "transformers", "peft", "bitsandbytes", "accelerate")


def prepare(
    run: Run,
    paths: list[Path],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """Read, check and split recordings into the run's dataset; every problem is in the report."""
    _refuse_started(run)
    candidates = upload.candidates(paths)
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
    _refuse_started(run)
    candidates = common_voice.candidates(archive, n_train, n_test, seed)
    return prepare_dataset(
        candidates, run.dataset_dir, token_counter(), seed, on_progress, COMMON_VOICE
    )


def plan(run: Run, config: TrainConfig, device: Device) -> tuple[TrainConfig, planner.Plan]:
    """The config as it fits the device's memory, and what it will take. Nothing is started.

    Raises InputError when the data, the language or the number of devices cannot be.
    """
    check_language(config.base, config.language)
    if not run.dataset_dir.exists():
        raise InputError("dataset_missing", run=run.id)
    clips = read_clips(run.dataset_dir)
    train_clips = [clip for clip in clips if clip.split == "train"]
    test_clips = [clip for clip in clips if clip.split == "test"]
    if not train_clips or not test_clips:
        raise InputError("dataset_not_usable", run=run.id)
    n, found = config.n_devices, device.n_devices
    if device.kind == "cuda" and n > found:
        raise InputError("setting_invalid", setting="devices", value=n, allowed=f"1 … {found}")
    return planner.plan(config, train_clips, test_clips, device)


def train(run: Run, config: TrainConfig) -> None:
    """Plan, write the specification and start the worker; returns at once. Twice is harmless.

    Raises InputError when something cannot be (`plan`) or the memory is far too small, RunError
    when the run has started or the Space has replicas.
    """
    _refuse_replicas()
    planned, expected = plan(run, config, find_device())
    if expected.hopeless:
        raise InputError("does_not_fit", **expected.gigabytes)
    run.write_spec(Spec(planned, time.time(), _versions()))
    jobs.start(run)


def resume(run: Run) -> bool:
    """Go on with a training that was interrupted, stopped or failed, from its newest checkpoint
    that verifies, else from its beginning; False when a second press found it going on. A
    measuring that was interrupted is begun again.

    Raises RunError when it was never started, has reached its end, or the Space has replicas.
    """
    _refuse_replicas()
    run.read_spec()
    status = jobs.status(run)
    if status.alive:
        return False
    if not jobs.can_resume(status):
        raise RunError("run_has_ended", run=run.id)
    return jobs.start(run, jobs.last_stage(run) if status.state == "interrupted" else "train")


def again(run: Run) -> Run:
    """A new run on the same dataset, for other settings. The clips are hard links."""
    new = Run.create(run.dir.parent)
    shutil.copytree(run.dataset_dir, new.dataset_dir, copy_function=os.link)
    return new


def restore(root: Path, repo: str, token: str, archive: Path | None = None) -> Run:
    """A run out of its private copy in the token owner's account, as it was when it was copied.

    It has its old id where that is free, and waits for `resume`. `archive`: where the recordings
    came from, if that was Common Voice; those are in no copy.

    Raises PublishError or InputError when the copy is not the user's own, not whole or damaged,
    RunError when the disk is too small. Nothing is left behind then.
    """
    root.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".restore-", dir=root) as folder:
        run = Run(Path(folder) / "run")
        run.dir.mkdir(mode=0o700)
        repo_id, run_id = restoring.fetch(repo, token, run)
        _check_restored(run)
        _add_recordings(run, archive)
        writer = EventWriter(run.events_path)
        writer.append(Note(jobs.RESTORED, {"repo": repo_id}))
        writer.close()
        target = root / run_id
        if target.exists():
            target = Run.create(root).dir  # empty, so it may be replaced
        run.dir.rename(target)
    return Run(target)


def _check_restored(run: Run) -> None:
    """Raises TunerError for what the page could not show or a worker could not train."""
    with restoring.damage_named("run.json"):
        config = Spec.from_json(run.spec_path.read_text(encoding="utf-8")).config
    check_language(config.base, config.language)
    with restoring.damage_named("events.jsonl"):
        for record in read_events(run.events_path):
            event_sentence(record.event)
    if run.comparison_path.exists():
        with restoring.damage_named("comparison.json"):
            run.read_comparison()


def _add_recordings(run: Run, archive: Path | None) -> None:
    missing = {clip.name: clip for clip in restoring.missing_clips(run)}
    if missing and archive is None:
        raise InputError("restore_needs_archive")
    for name, audio in common_voice.recordings(archive, set(missing)) if missing else ():
        write_flac(run.dataset_dir / missing.pop(name).audio, decode(audio, name))
    if missing:
        raise InputError("restore_other_archive", file=archive.name, n=len(missing))


def _refuse_replicas() -> None:
    """Each replica has a disk of its own: a run would be known to one of them only."""
    space = find_space()
    if space and (space.n_replicas or 1) > 1:
        raise RunError("space_replicas", n=space.n_replicas)


def _versions() -> dict[str, str]:
    found = {dist.metadata["Name"].lower(): dist.version for dist in metadata.distributions()}
    return {name: found[name] for name in VERSIONED if name in found}


def _refuse_started(run: Run) -> None:
    """Raises RunError when the run's training was started: its data must not change any more."""
    if run.spec_path.exists():
        raise RunError("run_has_started", run=run.id)


def compare(run: Run) -> bool:
    """Start measuring base and tuned on the held-out clips; False when a second press
    found the worker started. Raises RunError when there is no adapter or its worker is busy.
    """
    _require_adapter(run)
    return jobs.start(run, "compare")


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
