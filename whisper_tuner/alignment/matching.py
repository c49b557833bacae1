"""What was heard ↔ what stands in the text, letter by letter, however badly it was heard.

Stretches that are the same in both and occur once only are found first, long ones before short
ones (as in a patience diff); what lies between them is aligned by dynamic programming with affine
gaps (O. Gotoh 1982, doi 10.1016/0022-2836(82)90398-9): a paragraph that nobody reads, or speech
that stands nowhere, is one long gap and shifts nothing behind it. Short gaps, a letter or two that
were misheard, cost by length; long ones cost to open, so that no chance likeness parts them.
"""

from bisect import bisect_left
from collections import defaultdict

import numpy as np

MATCH, MISMATCH = 1.0, -0.6  # of two letters
GAPS = ((-1.0, -0.5), (-7.0, -0.02))  # short, long: its first letter, every further one
LENGTHS = (12, 8, 6, 4)  # letters of the stretches that are sought, the surest first
NEAR = 60  # letters; a stretch is believed when others near it tell the same
SLACK = 0.3  # how much faster one may run than the other on the way there, as a share
SMALL = 1_000_000  # cells: aligned at once
MOST = 30_000_000  # cells; larger ones hold nothing that is alike
UNHEARD = -1
DIAGONAL, DOWN, RIGHT = 0, 1, 2  # the latter two of short gaps; of long ones two more
WAY = 7  # the bits that tell which
MORE_DOWN, MORE_RIGHT = 8, 32  # flags: the gap goes on; of long ones twice as much


def match(text: str, heard: str) -> np.ndarray:
    """For every letter of `text` the index of the letter of `heard` that it was aligned with, which
    may be another one; UNHEARD in a gap. Rising; shape = (len(text),), int64.
    """
    found = np.full(len(text), UNHEARD, np.int64)
    _match(text, heard, 0, 0, LENGTHS, found)
    return found


def _match(
    text: str, heard: str, at: int, heard_at: int, lengths: tuple[int, ...], found: np.ndarray
) -> None:
    """Fill `found` for this stretch; `at`, `heard_at`: where it begins in the whole."""
    n_cells = len(text) * len(heard)
    if n_cells == 0:
        return
    if not lengths or n_cells <= SMALL:
        if n_cells <= MOST:
            for i, j in _align(_codes(text), _codes(heard)):
                found[at + i] = heard_at + j
        return
    anchors = _anchors(text, heard, lengths[0])
    i = j = 0
    for k, m in [*anchors, (len(text), len(heard))]:
        if k > i and m > j:
            rest = lengths if anchors and n_cells > 4 * (k - i) * (m - j) else lengths[1:]
            _match(text[i:k], heard[j:m], at + i, heard_at + j, rest, found)
        if k < len(text):
            found[at + k] = heard_at + m
        i, j = k + 1, m + 1


def _anchors(text: str, heard: str, n: int) -> list[tuple[int, int]]:
    """Pairs of indices, both rising, at which the same `n` letters begin that occur only there."""
    here, there = _once(text, n), _once(heard, n)
    pairs = sorted((i, there[letters]) for letters, i in here.items() if letters in there)
    return _believed(_longest_rising(pairs))


def _once(text: str, n: int) -> dict[str, int]:
    places: dict[str, list[int]] = defaultdict(list)
    for i in range(len(text) - n + 1):
        places[text[i : i + n]].append(i)
    return {letters: listed[0] for letters, listed in places.items() if len(listed) == 1}


def _longest_rising(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """The longest series of pairs whose second members rise too."""
    ends: list[int] = []  # the lowest second member that a series of each length ends with
    last: list[int] = []  # which pair that is
    before = []
    for k, (_, j) in enumerate(pairs):
        length = bisect_left(ends, j)
        ends[length : length + 1] = [j]
        last[length : length + 1] = [k]
        before.append(last[length - 1] if length else -1)
    series = []
    k = last[-1] if last else -1
    while k >= 0:
        series.append(pairs[k])
        k = before[k]
    return series[::-1]


def _believed(pairs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Those with two others near them that are about as far away in both."""
    believed = []
    for k, (i, j) in enumerate(pairs):
        others = pairs[max(0, k - 4) : k] + pairs[k + 1 : k + 5]
        agreeing = 0
        for other, m in others:
            far, drift = abs(other - i), abs(abs(other - i) - abs(m - j))
            agreeing += far <= NEAR and drift <= 2 + SLACK * far
        if agreeing >= 2:
            believed.append((i, j))
    return believed


def _codes(text: str) -> np.ndarray:
    return np.frombuffer(text.encode("utf-32-le"), np.uint32)


def _align(text: np.ndarray, heard: np.ndarray) -> list[tuple[int, int]]:
    """The best global alignment of two stretches of letters: pairs of indices, both rising."""
    n = len(heard)
    steps = np.arange(n + 1, dtype=np.float32)
    ways = np.zeros((len(text) + 1, n + 1), np.uint8)
    edges = [first + further * (steps - 1) for first, further in GAPS]
    best = np.maximum(*edges)
    best[0] = 0
    ways[0] = np.where(edges[0] >= edges[1], RIGHT | MORE_RIGHT, (RIGHT + 2) | MORE_RIGHT << 1)
    downs = [np.full(n + 1, -np.inf, np.float32) for _ in GAPS]
    for i, letter in enumerate(text, start=1):
        diagonal = np.full(n + 1, -np.inf, np.float32)
        diagonal[1:] = best[:-1] + np.where(heard == letter, np.float32(MATCH), MISMATCH)
        flags = np.zeros(n + 1, np.uint8)
        for k, (first, further) in enumerate(GAPS):
            opened, on = best + first, downs[k] + further
            flags |= np.where(on > opened, MORE_DOWN << k, 0).astype(np.uint8)
            downs[k] = np.maximum(opened, on)
        row = np.maximum(diagonal, np.maximum(*downs))
        rights = [_to_the_right(row, steps, *costs) for costs in GAPS]
        for k, (first, further) in enumerate(GAPS):
            goes_on = rights[k][:-1] + further > row[:-1] + first
            flags[1:] |= np.where(goes_on, MORE_RIGHT << k, 0).astype(np.uint8)
        choices = np.stack([diagonal, downs[0], rights[0], downs[1], rights[1]])
        ways[i] = choices.argmax(0).astype(np.uint8) | flags
        best = choices.max(0)
    return _way_back(ways)


def _to_the_right(row: np.ndarray, steps: np.ndarray, first: float, further: float) -> np.ndarray:
    """The best that ends in a gap to the right: one from k to j costs first + further * (j-k-1),
    so it is a running maximum.
    """
    begun = np.maximum.accumulate(row - further * steps)
    right = np.full(len(row), -np.inf, np.float32)
    right[1:] = begun[:-1] + further * (steps[1:] - 1) + first
    return right


def _way_back(ways: np.ndarray) -> list[tuple[int, int]]:
    pairs = []
    i, j = ways.shape[0] - 1, ways.shape[1] - 1
    while i and j:
        way = int(ways[i, j]) & WAY
        is_long = way > RIGHT
        if way == DIAGONAL:
            i, j = i - 1, j - 1
            pairs.append((i, j))
        elif way - 2 * is_long == DOWN:
            while i > 1 and ways[i, j] & MORE_DOWN << is_long:
                i -= 1
            i -= 1
        else:
            while j > 1 and ways[i, j] & MORE_RIGHT << is_long:
                j -= 1
            j -= 1
    return pairs[::-1]
