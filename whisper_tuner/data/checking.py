"""Candidates → clips with their sound, or the reason why one is none."""

import unicodedata
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import BinaryIO

import numpy as np

from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.clips import COMMON_VOICE, Candidate, Clip, Finding
from whisper_tuner.data.fitting import LONGEST_S, TOO_LONG, fit, in_clips
from whisper_tuner.data.long_recordings import Shelf
from whisper_tuner.data.split import sentence_key
from whisper_tuner.data.text_checks import N_SHOWN, strip_markup
from whisper_tuner.decoder import N_SIDE_BY_SIDE, Decoders
from whisper_tuner.errors import AudioError

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


@dataclass
class _Waiting:
    """A candidate whose sound is being decoded; `file`: to be read again if it is a long one."""

    candidate: Candidate
    clip: Clip | Finding
    sound: Future | None = None
    file: BinaryIO | None = None

    def close(self) -> None:
        if self.file is not None:
            self.file.close()


def check_all(
    candidates: Iterable[Candidate],
    count_tokens: Callable[[str], int],
    shelf: Shelf | None = None,
) -> Iterator[tuple[Candidate, Checked | Finding]]:
    """Every candidate, in order, with its sound, its clip, still without id and path, and how many
    seconds of silence were cut off to make it fit; or with the reason why it is refused. The next
    ones are decoded meanwhile. What lasts too long is put on the `shelf`, if there is one.
    """
    waiting: deque[_Waiting] = deque()
    with Decoders() as decoders:
        try:
            for candidate in candidates:
                waiting.append(_begun(candidate, count_tokens, decoders, shelf))
                if len(waiting) > N_AHEAD:
                    yield _checked(waiting[0], shelf)
                    waiting.popleft().close()
            while waiting:
                yield _checked(waiting[0], shelf)
                waiting.popleft().close()
        finally:
            for one in waiting:
                one.close()


def _begun(
    candidate: Candidate,
    count_tokens: Callable[[str], int],
    decoders: Decoders,
    shelf: Shelf | None,
) -> _Waiting:
    clip = _check_text(candidate, count_tokens)
    if isinstance(clip, Finding):
        return _Waiting(candidate, clip)
    # Those of Common Voice may not be kept beyond the training, nor be found again in an archive.
    can_be_kept = shelf is not None and candidate.source != COMMON_VOICE
    if clip.n_tokens > MAX_TOKENS and not can_be_kept:
        return _Waiting(candidate, _too_many_tokens(clip))
    sound = decoders.submit(candidate.audio, candidate.name, LONGEST_S)
    return _Waiting(candidate, clip, sound, candidate.audio.open("rb") if can_be_kept else None)


def _checked(one: _Waiting, shelf: Shelf | None) -> tuple[Candidate, Checked | Finding]:
    candidate, clip = one.candidate, one.clip
    if one.sound is None:
        return candidate, clip
    try:
        try:
            samples, cut_s = fit(one.sound.result(), candidate.name)
        except AudioError as error:
            if error.code != TOO_LONG or one.file is None:
                raise
            long = replace(clip, text=_clean_lines(candidate.text))
            return candidate, shelf.keep(long, one.file, error.params["seconds"])
    except AudioError as error:
        return candidate, Finding(error.code, candidate.name, True, candidate.row, in_clips(error))
    if clip.n_tokens > MAX_TOKENS:
        return candidate, _too_many_tokens(clip)
    clip = replace(clip, duration_s=round(len(samples) / SAMPLE_RATE, 3))
    return candidate, (samples, clip, cut_s)


def _too_many_tokens(clip: Clip) -> Finding:
    params = {"n_tokens": clip.n_tokens, "limit": MAX_TOKENS}
    return Finding("transcript_too_long", clip.name, True, clip.row, params)


def _clean_lines(text: str) -> str:
    """`clean_text` of each line: paragraphs tell where sentences end."""
    return "\n".join(clean_text(line) for line in text.splitlines())


def _check_text(candidate: Candidate, count_tokens: Callable[[str], int]) -> Clip | Finding:
    """All that can be checked before the sound is decoded, but for the number of tokens."""

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
    return Clip(
        id="",
        audio="",
        text=text,
        name=candidate.name,
        duration_s=0.0,
        n_tokens=count_tokens(text),
        split=candidate.split,
        speaker=candidate.speaker,
        source=candidate.source,
        recording=candidate.recording,
        row=candidate.row,
    )
