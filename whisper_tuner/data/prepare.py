"""Candidates from any source → a dataset folder, with a finding for all that is wrong with them."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from whisper_tuner.audio import write_flac
from whisper_tuner.data.checking import NOTES, check_all, mended
from whisper_tuner.data.clips import (
    CLIPS_DIR_NAME,
    Candidate,
    Clip,
    Finding,
    Report,
    free_name,
    write_dataset,
)
from whisper_tuner.data.doctor import examine, find_copies, group
from whisper_tuner.data.long_recordings import Room, Shelf, any_amount
from whisper_tuner.data.sound_checks import Sound, measure
from whisper_tuner.data.sounds import write_sounds
from whisper_tuner.data.split import Copies, assign
from whisper_tuner.errors import InputError


def prepare(
    candidates: Iterable[Candidate],
    dataset_dir: Path,
    count_tokens: Callable[[str], int],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    room: Room = any_amount,
) -> Report:
    """Decode, check and split every candidate and write the dataset, replacing an older one.

    `count_tokens`: tokens of a transcript as the decoder gets it, special tokens included.
    `on_progress` hears how many candidates are done. `room`: bytes that there are for recordings
    too long for a clip, which are kept to be cut (`long_recordings.py`). The folder appears in one
    step at the end, so a crash leaves the older dataset or none. When nothing can be trained on,
    the report has the finding `no_usable_clips` or `too_few_clips`, and the dataset no clips, or
    too few where long recordings may bring more.

    Raises: InputError when the source as a whole cannot be read.
    """
    dataset_dir.parent.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix=f".{dataset_dir.name}-", dir=dataset_dir.parent))
    try:
        (work_dir / CLIPS_DIR_NAME).mkdir()
        report = _fill(work_dir, candidates, count_tokens, seed, on_progress, room)
        shutil.rmtree(before_dir(dataset_dir), ignore_errors=True)
        put_in_place(dataset_dir, work_dir)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    return report


def before_dir(dataset_dir: Path) -> Path:
    """Where a dataset is kept as it was before its first fix (`fixes.py`)."""
    return dataset_dir.with_name(f"{dataset_dir.name}-before")


def keep_original(dataset_dir: Path) -> None:
    """Let `before_dir` be what the dataset is, as hard links, unless a fix was made already. It
    appears in one step, so what is there is whole.
    """
    if before_dir(dataset_dir).exists():
        return
    parent, name = dataset_dir.parent, f".{dataset_dir.name}-"
    with tempfile.TemporaryDirectory(prefix=name, dir=parent) as temp:
        copy = Path(temp) / "copy"
        shutil.copytree(dataset_dir, copy, copy_function=os.link)
        copy.rename(before_dir(dataset_dir))


def _fill(
    work_dir: Path,
    candidates: Iterable[Candidate],
    count_tokens: Callable[[str], int],
    seed: int,
    on_progress: Callable[[int], None] | None,
    room: Room,
) -> Report:
    shelf = Shelf(work_dir, room)
    clips: list[Clip] = []
    findings: list[Finding] = []
    sounds: dict[str, Sound] = {}
    names: set[str] = set()
    n_found = 0
    with closing(shelf), closing(check_all(candidates, count_tokens, shelf)) as all_checked:
        for n_done, (candidate, checked) in enumerate(all_checked, start=1):
            n_found += candidate.problem not in NOTES
            if isinstance(checked, Finding):
                findings.append(checked)
            else:
                samples, clip, cut_s = checked
                name = free_name(clip.name, names)
                names.add(name)
                clip = replace(clip, id=f"{len(clips) + 1:06d}", name=name)
                clip = replace(clip, audio=f"{CLIPS_DIR_NAME}/{clip.id}.flac")
                write_flac(work_dir / clip.audio, samples)
                clips.append(clip)
                sounds[clip.id] = measure(samples)
                findings += mended(clip, candidate.text or "", cut_s)
            if on_progress is not None:
                on_progress(n_done)
    pairs = find_copies(clips, sounds)
    kept, more = _split(clips, group(pairs), n_found, work_dir, seed, bool(shelf.clips))
    findings += examine(kept or clips, sounds, pairs)
    report = report_of(n_found, kept, findings + more)
    write_dataset(work_dir, kept, report)
    write_sounds(work_dir, {clip.id: sounds[clip.id] for clip in kept})
    return report


def _split(
    clips: list[Clip],
    alike: Copies,
    n_found: int,
    work_dir: Path,
    seed: int,
    are_more_to_come: bool,
) -> tuple[list[Clip], list[Finding]]:
    """The clips with their splits; the sound of those that are not kept is removed. Too few are
    kept, for the training, where `are_more_to_come`.
    """
    kept: list[Clip] = []
    if clips:
        try:
            kept, findings = assign(clips, seed, copies=alike)
        except InputError as error:
            findings = [Finding(error.code, clip="", refused=False, params=error.params)]
            if are_more_to_come:
                kept = [replace(clip, split="train") for clip in clips]
    else:
        params = {"n_found": n_found}
        findings = [Finding("no_usable_clips", clip="", refused=False, params=params)]
    kept_ids = {clip.id for clip in kept}
    for clip in clips:
        if clip.id not in kept_ids:
            (work_dir / clip.audio).unlink()
    return kept, findings


def report_of(n_found: int, clips: list[Clip], findings: list[Finding]) -> Report:
    train = [clip.duration_s for clip in clips if clip.split == "train"]
    test = [clip.duration_s for clip in clips if clip.split == "test"]
    return Report(
        n_found=n_found,
        n_train=len(train),
        n_test=len(test),
        train_s=round(sum(train), 3),
        test_s=round(sum(test), 3),
        findings=findings,
    )


def put_in_place(dataset_dir: Path, work_dir: Path) -> None:
    """Put the new folder in the place of the old one; the old one goes the way of `work_dir`."""
    if dataset_dir.exists():
        old_dir = work_dir.with_name(f"{work_dir.name}-old")
        shutil.rmtree(old_dir, ignore_errors=True)  # a kill left it behind, and there is another
        dataset_dir.rename(old_dir)
        work_dir.rename(dataset_dir)
        shutil.rmtree(old_dir)
    else:
        work_dir.rename(dataset_dir)
