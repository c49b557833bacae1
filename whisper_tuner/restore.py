"""A run that was lost, out of its private copy. No torch, no gradio."""

import tempfile
from dataclasses import replace
from pathlib import Path

from whisper_tuner.audio import write_flac
from whisper_tuner.data import common_voice
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import InputError
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.narrate import event_sentence
from whisper_tuner.publish import fetch_copy
from whisper_tuner.runs import disk, durable, jobs, locks
from whisper_tuner.runs.delete import HELD_NAME, RESTORE_PREFIX
from whisper_tuner.runs.events import EventWriter, Note, parse
from whisper_tuner.runs.folder import Run, Spec


def restore(root: Path, repo: str, token: str, archive: Path | None = None, owner: str = "") -> Run:
    """A run out of its private copy in the token owner's account, as it was when it was copied.

    It has its old id where that is free, and waits for `resume`. `archive`: where the recordings
    came from, if that was Common Voice; those are in no copy. `owner`: whose it is from now on: who
    it was of on the lost disk, nobody is here.

    Raises PublishError or InputError when the copy is not the user's own, not whole or damaged,
    RunError when the disk is too small. Nothing is left behind then.
    """
    disk.require_disk(root)
    root.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix=RESTORE_PREFIX, dir=root) as folder,
        locks.hold(Path(folder) / HELD_NAME),
    ):
        run = Run(Path(folder) / "run")
        run.dir.mkdir(mode=0o700)
        repo_id, run_id = fetch_copy.fetch(repo, token, run)
        _check_restored(run, owner)
        _add_recordings(run, archive)
        writer = EventWriter(run.events_path)
        writer.append(Note(jobs.RESTORED, {"repo": repo_id}))
        writer.close()
        target = root / run_id
        if target.exists():
            target = Run.create(root).dir  # empty, so it may be replaced
        run.dir.rename(target)
    return Run(target)


def _check_restored(run: Run, owner: str) -> None:
    """Raises TunerError for what the page could not show or a worker could not train."""
    with fetch_copy.damage_named("run.json"):
        spec = Spec.from_json(run.spec_path.read_text(encoding="utf-8"))
    durable.write(run.spec_path, replace(spec, owner=owner).to_json())
    check_language(spec.config.base, spec.config.language)
    with fetch_copy.damage_named("events.jsonl"):
        data = run.events_path.read_bytes() if run.events_path.exists() else b""
        records, n_bytes = parse(data)
        if n_bytes < len(data):
            raise ValueError(data[n_bytes:])
        for record in records:
            event_sentence(record.event)
    if run.comparison_path.exists():
        with fetch_copy.damage_named("comparison.json"):
            run.read_comparison()


def _add_recordings(run: Run, archive: Path | None) -> None:
    missing = {clip.name: clip for clip in fetch_copy.missing_clips(run)}
    if missing and archive is None:
        raise InputError("restore_needs_archive")
    with Decoder() as decoder:
        for name, audio in common_voice.recordings(archive, set(missing)) if missing else ():
            samples = decoder.decode(audio, name)
            write_flac(run.dataset_dir / missing.pop(name).audio, samples)
    if missing:
        raise InputError("restore_other_archive", file=archive.name, n=len(missing))
