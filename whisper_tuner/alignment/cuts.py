"""Where a recording is cut and between which words: by dynamic programming over its pauses.

Each pause is paired with the word boundaries that the aligned letters allow there. A series of such
cuts is chosen that fits the letters, ends sentences, lies in long pauses, and gives clips of a
sensible length; none is longer than the base can hear.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import exp

import numpy as np

from whisper_tuner.alignment.pauses import Pause
from whisper_tuner.alignment.stretches import Stretch, Track
from whisper_tuner.alignment.words import SENTENCE, Word
from whisper_tuner.audio import MAX_CLIP_S
from whisper_tuner.data.pieces import LONG_S, SHORT_S

LEAST_S = 0.8  # a clip
SLACK_S = 0.8  # by which the time of a letter may be off
EDGE_S = 0.25  # of sound in a long pause that a clip keeps at either end
SPREAD = 2.5  # letters by which a place in the text may be off
DOUBT = 0.15  # more for each letter near the pause that was not heard
FARTHEST = 12.0  # cost of a place beyond which a boundary is not considered
UNLIKELY = {
    2: 0.0,
    1: 1.5,
    0: 4.0,
}  # a pause behind a sentence, a clause, a word: -log of how often
UNWANTED = {2: 0.0, 1: 2.0, 0: 6.0}  # half a sentence teaches less than a whole one
GOOD_PAUSE_S = 0.4  # shorter ones cost
PAUSE_COST = 6.0  # a second that a pause is shorter than that
PER_CUT = 1.0
SHORT_COST, LONG_COST = 0.6, 0.15  # a second below SHORT_S, above LONG_S
LOST = 0.4  # a letter of text or sound that no clip has
TOO_LONG = 25.0  # a part that no pause divides


@dataclass(slots=True)
class Cut:
    """In the middle of pause `pause`, before word `word`; `sure`: 0 to 1, against other words."""

    pause: int
    word: int
    cost: float
    sure: float
    total: float = field(default=0.0)
    before: "Cut | None" = field(default=None, repr=False)
    is_lost: bool = False  # what lies between the cut before and this one is no clip


@dataclass(frozen=True, slots=True)
class Span:
    """A clip: words `first` up to `end`, the sound between two times; `sure`: both its cuts."""

    first: int
    end: int
    start_s: float
    end_s: float
    sure: float


def spans(
    stretch: Stretch, found: Track, words: Sequence[Word], starts: np.ndarray, gaps: Sequence[Pause]
) -> list[Span]:
    """The clips of one stretch. `starts`: the first letter of each word and, last, their number."""
    inside = slice(*np.searchsorted(found.places, [stretch.first, stretch.end]))
    places, times_s = found.places[inside], found.times_s[inside]
    if len(places) == 0:
        return []
    middles = [pause.middle_s for pause in gaps]
    first = max(0, bisect_right(middles, float(times_s[0])) - 3)
    end = min(len(gaps), bisect_left(middles, float(times_s[-1])) + 3)
    cuts = [
        cut
        for p in range(first, end)
        if gaps[p].start_s - SLACK_S <= stretch.end_s and gaps[p].end_s + SLACK_S >= stretch.start_s
        for cut in _cuts(
            p, gaps[p], p in (0, len(gaps) - 1), stretch, places, times_s, words, starts
        )
    ]
    return [
        Span(one.word, two.word, *_sound(gaps[one.pause], gaps[two.pause]), min(one.sure, two.sure))
        for one, two in _chosen(cuts, stretch, found, starts, gaps)
    ]


def _sound(one: Pause, two: Pause) -> tuple[float, float]:
    """A clip begins and ends in the middle of its pauses, or `EDGE_S` into long ones."""
    start_s = max(one.middle_s, one.end_s - EDGE_S)
    end_s = min(two.middle_s, two.start_s + EDGE_S)
    over_s = (end_s - start_s - MAX_CLIP_S) / 2
    if over_s > 0:
        start_s, end_s = start_s + over_s, end_s - over_s
    return start_s, end_s


def _cuts(
    p: int,
    pause: Pause,
    is_edge: bool,
    stretch: Stretch,
    places: np.ndarray,
    times_s: np.ndarray,
    words: Sequence[Word],
    starts: np.ndarray,
) -> list[Cut]:
    """The boundaries that may be at this pause, with what each costs."""
    k = int(np.searchsorted(times_s, pause.middle_s))
    low = int(places[k - 1]) + 1 if k else stretch.first
    high = int(places[k]) if k < len(places) else stretch.end
    middle, doubt = (low + high) / 2, SPREAD + DOUBT * (high - low)
    if k in (0, len(places)):
        doubt += SPREAD  # where text or sound has no counterpart
    reach = doubt * FARTHEST**0.5 + (high - low) / 2
    one, two = np.searchsorted(starts, [middle - reach, middle + reach])
    listed = []
    for word in range(int(one), min(int(two) + 1, len(starts))):
        off = max(0.0, low - starts[word], starts[word] - high)
        inside = abs(starts[word] - middle) * 0.3 if off == 0 else 0.0
        place = ((off + inside) / doubt) ** 2
        if place <= FARTHEST:
            ends = SENTENCE if word in (0, len(words)) else words[word - 1].ends
            listed.append((word, place + UNLIKELY[ends], UNWANTED[ends]))
    total = sum(exp(-cost) for _, cost, _ in listed)
    short = 0.0 if is_edge else PAUSE_COST * max(0.0, GOOD_PAUSE_S - pause.length_s)
    return [
        Cut(p, word, cost + unwanted + short + PER_CUT, exp(-cost) / total)
        for word, cost, unwanted in listed
    ]


def _chosen(
    cuts: list[Cut], stretch: Stretch, found: Track, starts: np.ndarray, gaps: Sequence[Pause]
) -> list[tuple[Cut, Cut]]:
    """The series with the least cost, as neighbouring pairs."""
    if not cuts:
        return []
    for i, cut in enumerate(cuts):
        here = gaps[cut.pause]
        before = LOST * _lost(found, starts, stretch.first, stretch.start_s, cut, gaps)
        cut.total, cut.before, cut.is_lost = before + cut.cost, None, False
        nearest = -1
        for other in reversed(cuts[:i]):
            if other.pause == cut.pause or other.word >= cut.word:
                continue
            start_s, end_s = gaps[other.pause].end_s, here.start_s
            too_long = end_s - start_s > MAX_CLIP_S - 0.1
            if too_long and nearest >= 0 and other.pause != nearest:
                break
            if end_s - start_s < LEAST_S:
                continue
            if too_long:
                n = starts[cut.word] - starts[other.word]
                cost = TOO_LONG + LOST * n
            else:
                cost = _length_cost(end_s - start_s)
            nearest = other.pause
            if other.total + cost + cut.cost < cut.total:
                cut.total, cut.before, cut.is_lost = other.total + cost + cut.cost, other, too_long
    end = min(
        cuts,
        key=lambda cut: (
            cut.total
            + LOST
            * (max(0, stretch.end - starts[cut.word]) + _sound_lost(found, cut, stretch, gaps))
        ),
    )
    pairs = []
    while end.before is not None:
        if not end.is_lost:
            pairs.append((end.before, end))
        end = end.before
    return pairs[::-1]


def _length_cost(length_s: float) -> float:
    return SHORT_COST * max(0.0, SHORT_S - length_s) + LONG_COST * max(0.0, length_s - LONG_S)


def _lost(
    found: Track, starts: np.ndarray, first: int, start_s: float, cut: Cut, gaps: Sequence[Pause]
) -> float:
    """Letters of text and of sound before the first cut of a stretch."""
    sound = found.rate * found.speech_between(start_s, max(start_s, gaps[cut.pause].start_s))
    return max(0.0, float(starts[cut.word] - first)) + sound


def _sound_lost(found: Track, cut: Cut, stretch: Stretch, gaps: Sequence[Pause]) -> float:
    end_s = max(stretch.end_s, gaps[cut.pause].end_s)
    return found.rate * found.speech_between(gaps[cut.pause].end_s, end_s)
