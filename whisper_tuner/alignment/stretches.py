"""Which parts of text and recording belong together, and what is only in one of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from whisper_tuner.alignment.letters import Letters
from whisper_tuner.alignment.matching import UNHEARD
from whisper_tuner.alignment.pauses import HOP_S
from whisper_tuner.audio import MAX_CLIP_S

FREE = 40  # letters: so few may be missing without being called unspoken
DIGIT = 6  # letters, when it is spoken
TIMES = 2.0  # as many letters as fit into the time, or fewer than half
NEIGHBOURS = 12  # letters on either side of one
UNHEARD_LETTERS = 12  # in a row: as many may be misheard in any window
KNOWN = 3  # words
FAR_S = 1.5  # of speech between two letters
LEAST_RUN = 15  # letters that are aligned without such a gap
LEAST_SAME = 0.3  # of the letters around one that is believed


@dataclass(frozen=True, slots=True)
class Stretch:
    """Letters `first` up to `end` of the text, heard from `start_s` to `end_s`.

    Only in the text: `start_s` is `end_s`; only in the recording: `first` is `end`.
    """

    first: int
    end: int
    start_s: float
    end_s: float

    @property
    def is_both(self) -> bool:
        return self.end > self.first and self.end_s > self.start_s


@dataclass(frozen=True)
class Track:
    """The aligned letters in their order: place in the text, and time; with what the recording is
    like: `spoken_s`, seconds of speech before each level, and `rate`, letters a second of it.
    """

    places: np.ndarray
    times_s: np.ndarray
    same: np.ndarray
    spoken_s: np.ndarray
    rate: float
    digits: np.ndarray  # how many of the text's letters before each are digits

    def speech_between(self, start_s: float, end_s: float) -> float:
        at = np.clip([start_s / HOP_S, end_s / HOP_S], 0, len(self.spoken_s) - 1)
        before, behind = self.spoken_s[at.astype(int)]
        return float(behind - before)


def track(matched: np.ndarray, text: str, heard: Letters, speech: np.ndarray) -> Track:
    """`matched`: of `matching.match`; what stands alone among what does not agree is left out."""
    spoken_s = np.concatenate([[0.0], np.cumsum(speech) * HOP_S])
    rate = len(heard.letters) / max(1.0, float(spoken_s[-1]))
    places = np.flatnonzero(matched != UNHEARD)
    digits = np.cumsum([0, *(letter.isdigit() for letter in text)])
    if len(places) == 0:
        return Track(places, np.zeros(0), np.zeros(0, bool), spoken_s, rate, digits)
    others = matched[places]
    pairs = zip(places, others, strict=True)
    same = np.array([text[i] == heard.letters[j] for i, j in pairs], dtype=bool)
    kernel = np.ones(2 * NEIGHBOURS + 1)
    n_near = np.convolve(np.ones(len(same)), kernel)[NEIGHBOURS : NEIGHBOURS + len(same)]
    n_same = np.convolve(same, kernel)[NEIGHBOURS : NEIGHBOURS + len(same)]
    kept = n_same >= LEAST_SAME * n_near
    found = Track(places[kept], heard.times_s[others[kept]], same[kept], spoken_s, rate, digits)
    alone = _alone(found)
    return replace(
        found, places=found.places[~alone], times_s=found.times_s[~alone], same=found.same[~alone]
    )


def _alone(found: Track) -> np.ndarray:
    """Which aligned letters are chance likenesses: few in a row, with long gaps around them."""
    at = np.clip(found.times_s / HOP_S, 0, len(found.spoken_s) - 1).astype(int)
    is_far = (np.diff(found.places) > UNHEARD_LETTERS) | (np.diff(found.spoken_s[at]) > FAR_S)
    run = np.concatenate([[0], np.cumsum(is_far)]) if len(at) else np.zeros(0, int)
    return np.bincount(run, minlength=1)[run] < LEAST_RUN


def unheard(found: Track, starts: np.ndarray) -> Iterator[tuple[int, int, float, float]]:
    """Words that seem to be said and were not heard, with `KNOWN` words on either side that were:
    first and end word, and from when to when. `starts`: the first letter of each word and, last,
    their number.
    """
    n_words, duration_s = len(starts) - 1, (len(found.spoken_s) - 1) * HOP_S
    places = np.concatenate([[-1], found.places, [starts[-1]]])
    times_s = np.concatenate([[0.0], found.times_s, [duration_s]])
    for k in np.flatnonzero(np.diff(places) > UNHEARD_LETTERS):
        n_text = places[k + 1] - places[k]
        n_sound = found.rate * found.speech_between(times_s[k], times_s[k + 1])
        if n_text > TIMES * n_sound + FREE or n_sound > TIMES * n_text + FREE:
            continue
        first = max(0, int(np.searchsorted(starts, places[k])) - KNOWN)
        end = min(n_words, int(np.searchsorted(starts, places[k + 1])) + KNOWN)
        one, two = np.searchsorted(places, [starts[first], starts[end]])
        start_s = times_s[one] if first else 0.0
        end_s = times_s[two - 1] if end < n_words else duration_s
        if end_s - start_s < MAX_CLIP_S - 1:
            yield first, end, float(start_s), float(end_s)


def taught(found: Track, starts: np.ndarray, followed: list[tuple[int, int, np.ndarray]]) -> Track:
    """The same where words were followed, as what they are: not heard, but known in time.

    `followed`: first and end word, and the time of each of their letters.
    """
    for first, end, letters_s in followed:
        one, two = np.searchsorted(found.places, [starts[first], starts[end]])
        inside = found.places[one:two]
        same = np.zeros(len(letters_s), bool)
        same[inside - starts[first]] = found.same[one:two]
        rows = (
            (found.places, np.arange(starts[first], starts[end])),
            (found.times_s, letters_s),
            (found.same, same),
        )
        merged = [np.concatenate([old[:one], new, old[two:]]) for old, new in rows]
        times_s = np.maximum.accumulate(merged[1])
        found = replace(found, places=merged[0], times_s=times_s, same=merged[2])
    return found


def stretches(found: Track, n_letters: int, duration_s: float) -> Iterator[Stretch]:
    """All of the text and of the recording, in order."""
    first, start_s = 0, 0.0
    place, time_s = 0, 0.0
    for next_place, next_s in [
        *zip(found.places.tolist(), found.times_s.tolist(), strict=True),
        (n_letters, duration_s),
    ]:
        n_text = next_place - place + (DIGIT - 1) * (found.digits[next_place] - found.digits[place])
        n_sound = found.rate * found.speech_between(time_s, next_s)
        only_text = n_text > TIMES * n_sound + FREE
        only_sound = n_sound > TIMES * n_text + FREE
        if only_text or only_sound:
            if place > first:
                yield Stretch(first, place, start_s, time_s)
            yield (
                Stretch(place, next_place, time_s, time_s)
                if only_text
                else Stretch(place, next_place, time_s, next_s)
            )
            first, start_s = next_place, (time_s if only_text else next_s)
        place, time_s = next_place + 1, next_s
    if n_letters > first:
        yield Stretch(first, n_letters, start_s, duration_s)
