"""Candidates from any source → a dataset folder, with a finding for all that is wrong with them."""

import shutil
import tempfile
import unicodedata
from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from concurrent.futures import Future
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np

from whisper_tuner.audio import SAMPLE_RATE, write_flac
from whisper_tuner.data.clips import CLIPS_DIR_NAME, Candidate, Clip, Finding, Report, write_dataset
from whisper_tuner.data.doctor import examine, find_copies, group
from whisper_tuner.data.fitting import LONGEST_S, fit, in_clips
from whisper_tuner.data.sound_checks import Sound, measure
from whisper_tuner.data.sounds import write_sounds
from whisper_tuner.data.split import Copies, assign, sentence_key
from whisper_tuner.data.text_checks import N_SHOWN, strip_markup
from whisper_tuner.decoder import N_SIDE_BY_SIDE, Decoders
from whisper_tuner.errors import AudioError, InputError

N_AHEAD = 2 * N_SIDE_BY_SIDE  # recordings that wait to be written, 2 MB each at most
MAX_TOKENS = 448  # positions of Whisper's decoder (openai/whisper, n_text_ctx)
Checked = tuple[np.ndarray, Clip, float]
# Problems of a candidate that is no clip: said, not counted.
NOTES = frozenset(
    {
        "align_dropped",
        "align_no_text",
        "align_not_heard",
        "cue_empty",
        "cue_not_speech",
        "cue_repeated",
        "file_ignored",
        "media_not_needed",
        "point_tiers_ignored",
        "sentences_not_read",
        "sheets_left_out",
        "table_left_out",
        "tiers_chosen",
        "transcript_not_needed",
    }
)
# Zero-width (non-)joiners are spelling in Persian and Indic scripts. All other format characters
# (Unicode category Cf) are invisible: direction marks, soft hyphens, byte order marks.
KEPT_FORMAT_CHARACTERS = frozenset("\u200c\u200d")


def prepare(
    candidates: Iterable[Candidate],
    dataset_dir: Path,
    count_tokens: Callable[[str], int],
    seed: int = 42,
    on_progress: Callable[[int], None] | None = None,
) -> Report:
    """Decode, check and split every candidate and write the dataset, replacing an older one.

    `count_tokens`: tokens of a transcript as the decoder gets it, special tokens included.
    `on_progress` hears how many candidates are done. The folder appears in one step at the end, so
    a crash leaves the older dataset or none. When nothing can be trained on, the report has no
    clips and the finding `no_usable_clips` or `too_few_clips`, and the dataset is empty.

    Raises: InputError when the source as a whole cannot be read.
    """
    dataset_dir.parent.mkdir(parents=True, exist_ok=True)
    work_dir = Path(tempfile.mkdtemp(prefix=f".{dataset_dir.name}-", dir=dataset_dir.parent))
    try:
        (work_dir / CLIPS_DIR_NAME).mkdir()
        report = _fill(work_dir, candidates, count_tokens, seed, on_progress)
        shutil.rmtree(before_dir(dataset_dir), ignore_errors=True)
        put_in_place(dataset_dir, work_dir)
    finally:
        shutil.rmtree(work_dir, ignore_errors=True)
    return report


def before_dir(dataset_dir: Path) -> Path:
    """Where a dataset is kept as it was before its first fix (`fixes.py`)."""
    return dataset_dir.with_name(f"{dataset_dir.name}-before")


def clean_text(text: str) -> str:
    """NFC, single spaces, without control characters and invisible direction marks."""
    shown = (
        " " if unicodedata.category(char) == "Cc" else char
        for char in unicodedata.normalize("NFC", text)
        if not _is_invisible(char)
    )
    return " ".join("".join(shown).split())


def mended(clip: Clip, text: str, cut_s: float) -> list[Finding]:
    """What was changed about a clip: invisible characters that `clean_text` took out of its
    transcript, and seconds of silence that were cut off.
    """
    findings = []
    codes = [f"U+{ord(char):04X}" for char in text if _is_invisible(char)]
    if codes:
        found = ", ".join(sorted(set(codes))[:N_SHOWN])
        findings.append(clip.finding("characters_removed", n=len(codes), found=found))
    if cut_s:
        findings.append(clip.finding("ends_trimmed", seconds=round(cut_s, 1)))
    return findings


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" and char not in KEPT_FORMAT_CHARACTERS


def free_name(name: str, taken: Container[str]) -> str:
    """`name`, or with a number when another file is called so: findings tell clips by name."""
    n, free = 1, name
    while free in taken:
        n += 1
        free = f"{name} ({n})"
    return free


def _fill(
    work_dir: Path,
    candidates: Iterable[Candidate],
    count_tokens: Callable[[str], int],
    seed: int,
    on_progress: Callable[[int], None] | None,
) -> Report:
    clips: list[Clip] = []
    findings: list[Finding] = []
    sounds: dict[str, Sound] = {}
    names: set[str] = set()
    n_found = 0
    with closing(check_all(candidates, count_tokens)) as all_checked:
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
    kept, more = _split(clips, group(pairs), n_found, work_dir, seed)
    findings += examine(kept or clips, sounds, pairs)
    report = report_of(n_found, kept, findings + more)
    write_dataset(work_dir, kept, report)
    write_sounds(work_dir, {clip.id: sounds[clip.id] for clip in kept})
    return report


def check_all(
    candidates: Iterable[Candidate], count_tokens: Callable[[str], int]
) -> Iterator[tuple[Candidate, Checked | Finding]]:
    """Every candidate, in order, with its sound, its clip, still without id and path, and how many
    seconds of silence were cut off to make it fit; or with the reason why it is refused. The next
    ones are decoded meanwhile.
    """
    waiting: deque[tuple[Candidate, Clip | Finding, Future | None]] = deque()
    with Decoders() as decoders:
        for candidate in candidates:
            clip = _check_text(candidate, count_tokens)
            is_refused = isinstance(clip, Finding)
            sound = (
                None if is_refused else decoders.submit(candidate.audio, candidate.name, LONGEST_S)
            )
            waiting.append((candidate, clip, sound))
            if len(waiting) > N_AHEAD:
                yield _decoded(*waiting.popleft())
        while waiting:
            yield _decoded(*waiting.popleft())


def _decoded(
    candidate: Candidate, clip: Clip | Finding, sound: Future | None
) -> tuple[Candidate, Checked | Finding]:
    if sound is None:
        return candidate, clip
    try:
        samples, cut_s = fit(sound.result(), candidate.name)
    except AudioError as error:
        return candidate, Finding(error.code, candidate.name, True, candidate.row, in_clips(error))
    clip = replace(clip, duration_s=round(len(samples) / SAMPLE_RATE, 3))
    return candidate, (samples, clip, cut_s)


def _check_text(candidate: Candidate, count_tokens: Callable[[str], int]) -> Clip | Finding:
    """All that can be checked before the sound is decoded."""

    def refusal(code: str, **params: object) -> Finding:
        return Finding(code, candidate.name, True, candidate.row, params)

    if candidate.problem:
        found = refusal(candidate.problem, **candidate.params)
        return replace(found, refused=candidate.problem not in NOTES)
    if candidate.audio is None:
        return refusal("audio_missing")
    if candidate.text is None:
        return refusal("transcript_missing")
    text = clean_text(candidate.text)
    if not sentence_key(text):
        return refusal("transcript_empty")
    if not sentence_key(strip_markup(text)):
        return refusal("transcript_only_markup", text=text)
    n_tokens = count_tokens(text)
    if n_tokens > MAX_TOKENS:
        return refusal("transcript_too_long", n_tokens=n_tokens, limit=MAX_TOKENS)
    return Clip(
        id="",
        audio="",
        text=text,
        name=candidate.name,
        duration_s=0.0,
        n_tokens=n_tokens,
        split=candidate.split,
        speaker=candidate.speaker,
        source=candidate.source,
        recording=candidate.recording,
        row=candidate.row,
    )


def _split(
    clips: list[Clip], alike: Copies, n_found: int, work_dir: Path, seed: int
) -> tuple[list[Clip], list[Finding]]:
    """The clips with their splits; the sound of those that are not kept is removed."""
    kept: list[Clip] = []
    if clips:
        try:
            kept, findings = assign(clips, seed, copies=alike)
        except InputError as error:
            findings = [Finding(error.code, clip="", refused=False, params=error.params)]
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
