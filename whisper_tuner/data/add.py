"""More candidates beside the clips of a dataset, which stay what they are."""

import os
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from whisper_tuner.audio import write_flac
from whisper_tuner.data.checking import NOTES, check_all, mended
from whisper_tuner.data.clips import (
    CLIPS_DIR_NAME,
    SPLITS,
    Candidate,
    Clip,
    Finding,
    Report,
    free_name,
    read_clips,
    read_report,
    write_dataset,
)
from whisper_tuner.data.doctor import SAID_ANEW, examine, find_copies, group
from whisper_tuner.data.join import join
from whisper_tuner.data.long_recordings import Room, Shelf, any_amount, link_long, settle
from whisper_tuner.data.prepare import keep_original, put_in_place, report_of
from whisper_tuner.data.sound_checks import Sound, measure
from whisper_tuner.data.sounds import sounds_of, write_sounds
from whisper_tuner.data.split import Copies, assign, sentence_key
from whisper_tuner.errors import InputError

NOTHING_ADDED = "nothing_added"
TOO_FEW = ("no_usable_clips", "too_few_clips")


def add(
    candidates: Iterable[Candidate],
    dataset_dir: Path,
    count_tokens: Callable[[str], int],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
    room: Room = any_amount,
    cut: Collection[str] = (),
) -> Report:
    """Decode and check every candidate as `prepare.prepare` does, and put the usable ones on the
    side where they may be (`join.join`). Old clips are hard links, so the cost is of the new ones.

    The folder is replaced in one step at the end. The report has the counts and findings of both;
    a candidate with the name of a clip that is there is called "name (2)" in it. The very recording
    with the very sentence of an old clip is refused (`clip_already_there`). When no candidate can
    be used, the report says `nothing_added` and the clips are the old ones.

    `room`: as of `prepare.prepare`. `cut`: names of long recordings of this dataset that the
    candidates were cut from; the clips take their place, which a person may take back as a fix.

    Raises: InputError when the source as a whole cannot be read; then nothing has changed.
    """
    work_dir = Path(tempfile.mkdtemp(prefix=f".{dataset_dir.name}-", dir=dataset_dir.parent))
    try:
        clips = read_clips(dataset_dir)
        sounds = sounds_of(dataset_dir, clips)
        old = _Old(work_dir, clips, sounds, read_report(dataset_dir))
        links = {"copy_function": os.link}
        shutil.copytree(dataset_dir / CLIPS_DIR_NAME, work_dir / CLIPS_DIR_NAME, **links)
        with closing(Shelf(work_dir, room, link_long(dataset_dir, work_dir))) as shelf:
            new = _read(candidates, old, count_tokens, on_progress, shelf)
        report = _write(old, new, seed, cut)
        if cut:
            keep_original(dataset_dir)
        put_in_place(dataset_dir, work_dir)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    return report


def names_known(dataset_dir: Path) -> set[str]:
    """What the clips of a dataset, and the refused ones, are called; none when it is not there."""
    if not dataset_dir.exists():
        return set()
    return _names(read_clips(dataset_dir), read_report(dataset_dir))


def _names(clips: list[Clip], report: Report) -> set[str]:
    return {clip.name for clip in clips} | {finding.clip for finding in report.findings}


@dataclass
class _Old:
    """What a dataset holds. Finds its clips by sound."""

    folder: Path
    clips: list[Clip]
    sounds: dict[str, Sound]
    report: Report

    def __post_init__(self) -> None:
        self.names = _names(self.clips, self.report)
        self.last_id = max((int(clip.id) for clip in self.clips), default=0)
        self.by_digest: dict[str, list[Clip]] = defaultdict(list)
        for clip in self.clips:
            self.by_digest[self.sounds[clip.id].digest].append(clip)


@dataclass
class _New:
    """What a source adds, until it is decided which of it is used."""

    n_found: int = 0
    names: set[str] = field(default_factory=set)
    clips: list[Clip] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    sounds: dict[str, Sound] = field(default_factory=dict)


def _read(
    candidates: Iterable[Candidate],
    old: _Old,
    count_tokens: Callable[[str], int],
    on_progress: Callable[[int], None] | None,
    shelf: Shelf,
) -> _New:
    new = _New()
    named = (replace(one, name=free_name(one.name, old.names)) for one in candidates)
    with closing(check_all(named, count_tokens, shelf)) as all_checked:
        for n_done, (candidate, checked) in enumerate(all_checked, start=1):
            new.n_found += candidate.problem not in NOTES
            if isinstance(checked, Finding):
                new.findings.append(checked)
            else:
                samples, clip, cut_s = checked
                clip_id = f"{old.last_id + n_done:06d}"
                name = free_name(clip.name, new.names)
                new.names.add(name)
                audio = f"{CLIPS_DIR_NAME}/{clip_id}.flac"
                clip = replace(clip, id=clip_id, audio=audio, name=name)
                new.findings += mended(clip, candidate.text or "", cut_s)
                _take(old, new, samples, clip)
            if on_progress is not None:
                on_progress(n_done)
    return new


def _take(old: _Old, new: _New, samples: np.ndarray, clip: Clip) -> None:
    """Keep a new clip, unless it is an old one."""
    sound = measure(samples)
    key = sentence_key(clip.text)
    twins = (twin for twin in old.by_digest[sound.digest] if sentence_key(twin.text) == key)
    same = next(twins, None)
    if same:
        params = {"original": same.name}
        new.findings.append(Finding("clip_already_there", clip.name, True, clip.row, params))
        return
    write_flac(old.folder / clip.audio, samples)
    new.clips.append(clip)
    new.sounds[clip.id] = sound


def _write(old: _Old, new: _New, seed: int, cut: Collection[str]) -> Report:
    sounds = old.sounds | new.sounds
    pairs = find_copies(old.clips + new.clips, sounds)
    alike = group(pairs)
    kept, joined, more = _divided(old, new, seed, alike)
    used = {clip.id for clip in kept + joined}
    for clip in old.clips + new.clips:
        if clip.id not in used:
            (old.folder / clip.audio).unlink()
    if not joined:
        params = {"n_found": new.n_found}
        more.append(Finding(NOTHING_ADDED, clip="", refused=False, params=params))
    known = {NOTHING_ADDED, *SAID_ANEW, *(TOO_FEW if joined else ())}  # what is said anew
    before = [finding for finding in old.report.findings if finding.code not in known]
    before = settle(old.folder, joined, before, cut)
    more = [finding for finding in more if finding.clip or finding not in before]
    clips = kept + joined
    more = [*examine(clips, sounds, pairs), *more]
    n_cut = len({clip.recording for clip in joined} & set(cut))
    n_found = old.report.n_found + new.n_found - n_cut
    report = report_of(n_found, clips, before + new.findings + more)
    write_dataset(old.folder, clips, report)
    write_sounds(old.folder, {clip.id: sounds[clip.id] for clip in clips})
    return report


def _divided(
    old: _Old, new: _New, seed: int, alike: Copies
) -> tuple[list[Clip], list[Clip], list[Finding]]:
    """The old clips and those of the new ones that are used, with their splits, and what had to be
    said. Old ones that were too few to be held out from are divided with the new.
    """
    if {clip.split for clip in old.clips} >= set(SPLITS):
        heard = _heard(old.clips, new.clips, alike)
        return old.clips, *join(old.clips, new.clips, seed, heard, alike)
    try:
        divided, more = assign(old.clips + new.clips, seed, copies=alike)
    except InputError as error:
        found = [Finding(error.code, clip="", refused=False, params=error.params)]
        return old.clips, [], found
    before = {clip.id for clip in old.clips}
    kept = [clip for clip in divided if clip.id in before]
    return kept, [clip for clip in divided if clip.id not in before], more


def _heard(old: list[Clip], new: list[Clip], alike: Copies) -> dict[str, set[str]]:
    """By a new clip's id, the splits of old clips with the same sound, exactly or nearly."""
    sides: dict[str, set[str]] = defaultdict(set)
    for clip in old:
        if clip.id in alike:
            sides[alike[clip.id]].add(clip.split)
    return {clip.id: sides[alike[clip.id]] for clip in new if clip.id in alike}
