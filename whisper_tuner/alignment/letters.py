"""What was heard in all windows of a recording, as one row of letters with their times."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from whisper_tuner.alignment.pauses import HOP_S
from whisper_tuner.evaluation.normalize import pieces


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of the recording and what was heard in it; `times` as in `hearing.Heard`."""

    start_s: float
    end_s: float
    text: str
    times: list[tuple[int, float]]


@dataclass(frozen=True)
class Letters:
    """`times_s`: the middle of the token that a letter belongs to, shape (len(letters),), rising.

    A pause is inside the time of one of its two neighbours; whichever it is, the middles of both
    are on the right side of the middle of the pause.
    """

    letters: str
    times_s: np.ndarray


@dataclass(frozen=True, slots=True)
class Followed:
    """Words `first` up to `end` of the text, which a base was told, and when it found them said."""

    first: int
    end: int
    window: Window


def heard_letters(windows: Sequence[Window], speech: np.ndarray, language: str) -> Letters:
    """`speech`: `pauses.is_speech` of the whole recording, by which letters without a time of their
    own are spread over their window.
    """
    letters, times_s = "", [np.zeros(0)]
    for window in windows:
        row, row_times_s = window_letters(window, speech, language)
        times_s.append(row_times_s)
        letters += row
    return Letters(letters, np.maximum.accumulate(np.concatenate(times_s)))


def window_letters(window: Window, speech: np.ndarray, language: str) -> tuple[str, np.ndarray]:
    row, places = _places(window.text, language)
    return row, _times(window, places, speech) if row else np.zeros(0)


def _places(text: str, language: str) -> tuple[str, np.ndarray]:
    """The letters of a text, and where in the text each stands, of its whole length a share."""
    letters, places, at = "", [], 0
    for piece in pieces(text, language):
        width = len(piece.shown.rstrip())
        n = max(1, len(piece.word))
        places += [at + width * (k + 0.5) / n for k in range(len(piece.word))]
        letters, at = letters + piece.word, at + len(piece.shown)
    return letters, np.array(places)


def _times(window: Window, places: np.ndarray, speech: np.ndarray) -> np.ndarray:
    if len(window.times) > 1:
        begins = np.array([n for n, _ in window.times])
        bounds_s = np.array(
            [*(time_s for _, time_s in window.times), window.end_s - window.start_s]
        )
        token = np.searchsorted(begins, places, side="right") - 1
        return window.start_s + (bounds_s[token] + bounds_s[token + 1]) / 2
    first, last = round(window.start_s / HOP_S), round(window.end_s / HOP_S)
    spoken = np.flatnonzero(speech[first:last])
    spoken = spoken if len(spoken) else np.arange(last - first)
    share = (np.arange(len(places)) + 0.5) / len(places)
    return window.start_s + spoken[(share * len(spoken)).astype(int)] * HOP_S
