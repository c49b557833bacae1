"""One click repairs all clips with one finding, or leaves them out; another takes everything back.

What the dataset was before the first fix stays beside it, as hard links, in `dataset-before`. The
folder is replaced in one step, and every clip that was changed or left out is in the report.
"""

import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from whisper_tuner.audio import SAMPLE_RATE, read_flac, write_flac
from whisper_tuner.data import text_checks
from whisper_tuner.data.checking import MAX_TOKENS
from whisper_tuner.data.clips import (
    CLIPS_DIR_NAME,
    Clip,
    Finding,
    Report,
    read_clips,
    read_report,
    write_dataset,
)
from whisper_tuner.data.doctor import HEARD, SAID_ANEW, examine, find_copies, group
from whisper_tuner.data.long_recordings import KEPT, link_long
from whisper_tuner.data.prepare import before_dir, keep_original, put_in_place, report_of
from whisper_tuner.data.sound_checks import Sound, measure
from whisper_tuner.data.sounds import sounds_of, write_sounds
from whisper_tuner.data.split import assign, sentence_key
from whisper_tuner.errors import InputError

KEPT_SILENCE_S = 0.3  # at each end of a clip that is trimmed

DROP, TRIM = "drop", "trim"
CUT = "cut"  # at pauses, by a worker (`steps.align_long`)
# By what was found: how it is put right. Whatever is not here only a person can put right.
FIXES: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *HEARD,
            "copies_disagree",
            "characters_lost",
            "audio_no_speech",
            "speech_rate_odd",
            "speech_rate_slow",
            "script_unlike",
            "scripts_mixed",
            "audio_duplicate",
            "audio_near_duplicate",
            "audio_noisy",
            "audio_clipped",
            "audio_quiet",
            "audio_very_short",
        ),
        DROP,
    ),
    KEPT: CUT,
    "audio_silent_ends": TRIM,
    "transcript_markup": "markup",
    "characters_odd": "characters",
    "characters_garbled": "encoding",
    "casing_upper": "casing",
    "casing_lower": "casing",
    "casing_sentence": "casing",
    "punctuation_open": "stop",
    "punctuation_stopped": "no_stop",
    "quotes_curly": "quotes",
}
TEXT_FIXES: Mapping[str, Callable[[str, str], str]] = {  # of a text, and of the habit of most
    "markup": lambda text, usual: text_checks.strip_markup(text),
    "characters": lambda text, usual: text_checks.normalise_characters(text),
    "encoding": lambda text, usual: text_checks.ungarble(text),
    "casing": text_checks.recase,
    "stop": lambda text, usual: text_checks.add_stop(text),
    "no_stop": lambda text, usual: text_checks.remove_stop(text),
    "quotes": lambda text, usual: text.translate(text_checks.QUOTES),
}
# What the split says anew after a fix; that the user's own split has a speaker on both sides was
# said before, or the split is not the user's.
SAID_BEFORE = frozenset({"given_speakers_cross", "given_recordings_cross"})


@dataclass
class _Work:
    """A dataset on its way: `folder` is the new one, its clips still hard links of the old."""

    folder: Path
    clips: list[Clip]
    sounds: dict[str, Sound]
    left_out: list[Finding]
    changes: list[Finding]
    count_tokens: Callable[[str], int]


def fix(dataset_dir: Path, code: str, count_tokens: Callable[[str], int], seed: int = 42) -> Report:
    """Put right, or leave out, all clips that have a finding of this code.

    Clips stay on their side of the test; one that would now leak into it is refused. Raises:
    InputError fix_unknown, fix_cuts, nothing_to_fix, fix_leaves_too_few; then nothing has changed.
    """
    if code not in FIXES:
        raise InputError("fix_unknown", problem=code)
    if FIXES[code] == CUT:
        raise InputError("fix_cuts")
    report = read_report(dataset_dir)
    found = {finding.clip: finding for finding in report.findings if finding.code == code}
    if not found:
        raise InputError("nothing_to_fix", problem=code)
    clips = read_clips(dataset_dir)
    sounds = sounds_of(dataset_dir, clips)
    work_dir = Path(tempfile.mkdtemp(prefix=f".{dataset_dir.name}-", dir=dataset_dir.parent))
    try:
        links = {"copy_function": os.link}
        shutil.copytree(dataset_dir / CLIPS_DIR_NAME, work_dir / CLIPS_DIR_NAME, **links)
        link_long(dataset_dir, work_dir)
        work = _Work(work_dir, clips, sounds, [], list(report.changes), count_tokens)
        _apply(work, found, FIXES[code])
        fixed = _write(work, report, seed)
        keep_original(dataset_dir)
        put_in_place(dataset_dir, work_dir)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    return fixed


def undo(dataset_dir: Path) -> Report:
    """The dataset as it was before the first fix. Raises InputError nothing_to_undo."""
    if not can_undo(dataset_dir):
        raise InputError("nothing_to_undo")
    put_in_place(dataset_dir, before_dir(dataset_dir))
    return read_report(dataset_dir)


def can_undo(dataset_dir: Path) -> bool:
    return before_dir(dataset_dir).exists()


def _apply(work: _Work, found: Mapping[str, Finding], kind: str) -> None:
    kept = []
    for clip in work.clips:
        finding = found.get(clip.name)
        fixed: Clip | None = clip
        if finding and kind == DROP:
            fixed = None
        elif finding and kind == TRIM:
            fixed = _trimmed(work, clip)
        elif finding:
            fixed = _reworded(work, clip, TEXT_FIXES[kind], finding)
        if fixed:
            kept.append(fixed)
        elif finding:
            why = {"why": finding.code, "evidence": finding.params}
            work.left_out.append(Finding("left_out", clip.name, True, clip.row, why))
    work.clips = kept


def _trimmed(work: _Work, clip: Clip) -> Clip:
    path = work.folder / clip.audio
    samples, sound = read_flac(path), work.sounds[clip.id]
    lead, tail = (
        round(max(0.0, silence_s - KEPT_SILENCE_S) * SAMPLE_RATE)
        for silence_s in (sound.lead_s, sound.tail_s)
    )
    shorter = samples[lead : len(samples) - tail]
    path.unlink()  # a hard link: writing into it would change the original
    write_flac(path, shorter)
    work.sounds[clip.id] = measure(shorter)
    seconds = round(len(shorter) / SAMPLE_RATE, 3)
    cut_s = round(clip.duration_s - seconds, 1)
    work.changes.append(clip.finding("ends_trimmed", seconds=cut_s))
    return replace(clip, duration_s=seconds)


def _reworded(
    work: _Work, clip: Clip, change: Callable[[str, str], str], finding: Finding
) -> Clip | None:
    """None when no word is left, or too many tokens are."""
    text = change(clip.text, finding.params.get("usual", ""))
    if text == clip.text:
        return clip
    n_tokens = work.count_tokens(text)
    if not sentence_key(text) or n_tokens > MAX_TOKENS:
        return None
    work.changes.append(clip.finding("text_changed", before=clip.text, after=text))
    return replace(clip, text=text, n_tokens=n_tokens)


def _write(work: _Work, report: Report, seed: int) -> Report:
    pairs = find_copies(work.clips, work.sounds)
    try:
        clips, more = assign(work.clips, seed, copies=group(pairs))
    except InputError as error:
        raise InputError("fix_leaves_too_few") from error
    used = {clip.id for clip in clips}
    for path in (work.folder / CLIPS_DIR_NAME).iterdir():
        if path.stem not in used:
            path.unlink()
    names = {clip.name for clip in clips}
    before = [
        finding
        for finding in report.findings
        if finding.code not in SAID_ANEW and (finding.code not in HEARD or finding.clip in names)
    ]
    more = [finding for finding in more if finding.code not in SAID_BEFORE]
    found = examine(clips, work.sounds, pairs)
    fixed = report_of(report.n_found, clips, [*before, *work.left_out, *found, *more])
    fixed = replace(fixed, changes=work.changes)
    write_dataset(work.folder, clips, fixed)
    write_sounds(work.folder, {clip.id: work.sounds[clip.id] for clip in clips})
    return fixed
