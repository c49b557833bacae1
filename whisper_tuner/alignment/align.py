"""What was heard and the full text → clips with a confidence each, and what is in one of them only.

No torch: the hearing is done (`hearing.py`), this is what follows from it, in seconds.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from whisper_tuner.alignment.cuts import Span, spans
from whisper_tuner.alignment.letters import (
    Followed,
    Letters,
    Window,
    heard_letters,
    window_letters,
)
from whisper_tuner.alignment.matching import match
from whisper_tuner.alignment.pauses import Pause, pauses, windows
from whisper_tuner.alignment.stretches import TIMES, Track, stretches, taught, track, unheard
from whisper_tuner.alignment.words import Word, joined, words
from whisper_tuner.audio import MAX_CLIP_S

LEAST_SPEECH_S = 1.0  # what nobody wrote down is listed from here on
USUAL_SHARE = 0.85  # of the recording's usual agreement; a clip with less is doubtful
CHANCE, FAIR = (
    0.38,
    0.48,
)  # agreement of unrelated texts; what tells that text and sound are related


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of the recording with its words. Without sound (`start_s` is `end_s`) it is text
    that was not heard, without text sound that stands nowhere.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float  # 0 to 1

    @property
    def is_sound(self) -> bool:
        return self.end_s > self.start_s


@dataclass(frozen=True)
class Matched:
    """A text and a recording after they were matched letter by letter."""

    words: list[Word]
    starts: np.ndarray  # the first letter of each word and, last, how many letters there are
    said: Letters
    track: Track
    speech: np.ndarray
    language: str


def matched(text: str, heard: Sequence[Window], speech: np.ndarray, language: str) -> Matched:
    """`speech`: `pauses.is_speech` of the recording."""
    listed = words(text, language)
    starts = np.cumsum([0, *(len(word.letters) for word in listed)])
    letters = "".join(word.letters for word in listed)
    said = heard_letters(heard, speech, language)
    found = track(match(letters, said.letters), letters, said, speech)
    return Matched(listed, starts, said, found, speech, language)


def doubtful(found: Matched) -> list[Followed]:
    """Words that seem to be said and were not heard, to be followed with the text in hand: windows
    with the text that a base is to be told, still without times.
    """
    return [
        Followed(first, end, Window(start_s, end_s, joined(found.words[first:end]), []))
        for first, end, start_s, end_s in unheard(found.track, found.starts)
    ]


def align(found: Matched, duration_s: float, followed: Sequence[Followed] = ()) -> list[Piece]:
    """The pieces in the order of the text. `followed`: what `doubtful` named, with times."""
    listed, starts, said = found.words, found.starts, found.said
    told = [
        (part.first, part.end, window_letters(part.window, found.speech, found.language)[1])
        for part in followed
        if part.window.times
    ]
    whole = [row for row in told if len(row[2]) == starts[row[1]] - starts[row[0]]]
    track_found = taught(found.track, starts, whole)
    speech = found.speech
    n_letters = int(starts[-1])
    gaps = pauses(speech)
    clips = [
        clip
        for stretch in stretches(track_found, n_letters, duration_s)
        if stretch.is_both
        for clip in spans(stretch, track_found, listed, starts, gaps)
    ]
    agreements = [_agreement(clip, track_found, starts, said) for clip in clips]
    usual = float(np.median(agreements)) if agreements else 0.0
    ends = Span(0, 0, 0.0, 0.0, 1.0), Span(len(listed), 0, duration_s, 0.0, 1.0)
    pieces: list[Piece] = []
    for i, (before, clip) in enumerate(pairwise([ends[0], *clips, ends[1]])):
        pieces += _between(before, clip, listed, starts, track_found, gaps)
        if i < len(clips):
            confidence = _confidence(clip.sure, agreements[i], usual)
            piece_text = joined(listed[clip.first : clip.end])
            pieces.append(Piece(clip.start_s, clip.end_s, piece_text, confidence))
    return pieces


def _agreement(clip: Span, found: Track, starts: np.ndarray, said: Letters) -> float:
    """The share of letters, of the text and of what was heard in the clip, that are the same."""
    one, two = np.searchsorted(found.places, starts[[clip.first, clip.end]])
    inside = (found.times_s[one:two] >= clip.start_s) & (found.times_s[one:two] <= clip.end_s)
    n_heard = int(np.diff(np.searchsorted(said.times_s, [clip.start_s, clip.end_s]))[0])
    n_text = int(starts[clip.end] - starts[clip.first])
    return 2 * int((found.same[one:two] & inside).sum()) / max(1, n_text + n_heard)


def _confidence(sure: float, agreement: float, usual: float) -> float:
    """How sure the cuts are, lowered where less agrees than is usual in this recording: a base that
    hardly knows the language hears every clip badly, and cuts well all the same.
    """
    as_usual = min(1.0, agreement / (USUAL_SHARE * usual)) if usual else 0.0
    related = min(1.0, max(0.0, (usual - CHANCE) / (FAIR - CHANCE)))
    return round(sure * as_usual * related, 3)


def _between(
    before: Span,
    behind: Span,
    listed: Sequence[Word],
    starts: np.ndarray,
    found: Track,
    gaps: list[Pause],
) -> Iterator[Piece]:
    """What no clip has between two of them: text, sound, or both where no cut was sure enough."""
    text = joined(list(listed[before.end : behind.first]))
    n_letters = int(starts[behind.first] - starts[before.end])
    start_s, end_s = before.end_s, behind.start_s
    spoken_s = found.speech_between(start_s, max(start_s, end_s))
    has_sound = spoken_s >= LEAST_SPEECH_S
    fits = n_letters / TIMES <= found.rate * spoken_s <= n_letters * TIMES
    if text and has_sound and fits and end_s - start_s <= MAX_CLIP_S:
        yield Piece(start_s, end_s, text, 0.0)
        return
    if text:
        yield Piece(start_s, start_s, text, 0.0)
    if has_sound:
        inside = [
            Pause(p.start_s - start_s, p.end_s - start_s)
            for p in gaps
            if start_s < p.start_s < end_s
        ]
        for first_s, last_s in windows(inside, end_s - start_s, MAX_CLIP_S / 2, MAX_CLIP_S - 1):
            yield Piece(start_s + first_s, start_s + last_s, "", 0.0)
