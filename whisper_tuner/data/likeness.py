"""Which clips are the same recording: exactly, or copied, re-encoded, louder, trimmed, a bit noisy.

An acoustic fingerprint after Haitsma and Kalker, "A highly robust audio fingerprinting system"
(ISMIR 2002), with shorter windows: whether the difference of neighbouring bands rises or falls is
one bit, and 16 of them are a word, every 16 ms. Gain changes no bit and MP3 few. Only loud frames
are compared, for in pauses a copy with noise has other bits. Two readings of one sentence by one
speaker differ in a fifth of the bits (single words) or a third, copies in a twentieth.

Pairs to compare are found by words they share: the time grows with the clips, not the pairs.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

WINDOW = 512  # samples, 32 ms
HOP = 256  # samples, 16 ms
N_BANDS = 17
LOWEST_BIN, HIGHEST_BIN = 8, 128  # of the spectrum: 250 … 4,000 Hz, which a telephone carries
SMOOTH, LAG = 4, 4  # frames: the energies of 64 ms are compared with those of 64 ms later
LOUD_DB = 20.0  # below the loudest frame a frame is not compared
MIN_FRAMES = 20  # loud ones; a shorter sound is too little to tell by
MAX_DIFFERENT = 0.18  # share of the bits in which copies may differ
MAX_DIFFERENT_HALF = 0.28  # in either half: a sentence that begins like another is no copy
MAX_DIFFERENT_WORD = 0.15  # the same for clips of a single word,
WORD_FRAMES = 48  # which have fewer loud frames than this
MIN_COMMON = 0.8  # share of the shorter clip's loud frames that both must have
N_PARTS = 4  # of all words, one at a time
N_NEXT = 2  # other clips with the same word may lie between two copies
HOPELESS = 2  # times the limit: not worth looking a little further
SLIP = 2  # frames by which shared words may be misplaced
_HANN = np.hanning(WINDOW // 2).astype(np.float32)
_EDGES = np.unique(np.round(np.geomspace(LOWEST_BIN, HIGHEST_BIN, N_BANDS + 1)).astype(int))
_BIT_VALUES = (1 << np.arange(N_BANDS - 1)).astype(np.uint16)


@dataclass(frozen=True, slots=True, eq=False)
class Print:
    """Words of 16 bits, shape = (n_frames,), and which frames are loud enough to compare."""

    words: np.ndarray  # uint16
    loud: np.ndarray  # bool


def spectra(samples: np.ndarray) -> np.ndarray:
    """Power of overlapping windows up to 4 kHz, float32, shape = (n_frames, 129)."""
    padded = np.pad(samples, (0, max(len(samples) % 2, 4 * WINDOW - len(samples))))
    halved = padded[::2] + padded[1::2]  # 8 kHz: half of the work; copies alias alike
    frames = np.lib.stride_tricks.sliding_window_view(halved, WINDOW // 2)[:: HOP // 2]
    spectrum = np.fft.rfft(frames * _HANN, axis=1)
    return spectrum.real**2 + spectrum.imag**2


def band_energies(power: np.ndarray) -> np.ndarray:
    """float32, shape = (n_frames, 17), from the power that `spectra` gives."""
    return np.add.reduceat(power[:, : _EDGES[-1]], _EDGES[:-1], axis=1)


def fingerprint(energies: np.ndarray) -> Print:
    """`energies`: of 17 bands, shape = (n_frames, 17). Too short a sound has an empty print."""
    if len(energies) <= SMOOTH + LAG:
        return Print(np.zeros(0, np.uint16), np.zeros(0, bool))
    smooth = _sums(np.sqrt(energies))
    slopes = smooth[:, :-1] - smooth[:, 1:]
    words = (slopes[LAG:] > slopes[:-LAG]) @ _BIT_VALUES
    loudness = _sums(energies.sum(axis=1, keepdims=True))[:, 0]
    loudness = np.maximum(loudness[LAG:], loudness[:-LAG])
    return Print(words, loudness > loudness.max() * 10 ** (-LOUD_DB / 10))


def _sums(values: np.ndarray) -> np.ndarray:
    """Over `SMOOTH` frames each, in double precision: a running sum of floats drifts."""
    total = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    return total[SMOOTH:] - total[:-SMOOTH]


def copies(prints: Sequence[Print]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of prints of the same recording; enough of them to link all copies."""
    return [(i, j) for i, j, offset in _alike(prints) if _is_same(prints[i], prints[j], offset)]


def difference(one: Print, other: Print, offset: int) -> float:
    """Share of different bits where both are loud; frame t of `one` is `t + offset` of `other`.

    That of the worse half when it is alike in one half only; 1.0 with too little in common there.
    """
    start, end = max(0, -offset), min(len(one.words), len(other.words) - offset)
    if end <= start:
        return 1.0
    here, there = slice(start, end), slice(start + offset, end + offset)
    both = one.loud[here] & other.loud[there]
    n_common, n_needed = both.sum(), min(one.loud.sum(), other.loud.sum()) * MIN_COMMON
    if n_common < max(MIN_FRAMES, n_needed):
        return 1.0
    different = np.bitwise_count(one.words[here][both] ^ other.words[there][both])
    share = float(different.mean() / (N_BANDS - 1))
    halves = (different[: n_common // 2], different[n_common // 2 :])
    worse = max(float(half.mean()) for half in halves) / (N_BANDS - 1)
    return share if worse <= MAX_DIFFERENT_HALF else worse


def _is_same(one: Print, other: Print, offset: int) -> bool:
    is_word = min(one.loud.sum(), other.loud.sum()) < WORD_FRAMES
    limit = MAX_DIFFERENT_WORD if is_word else MAX_DIFFERENT
    here = difference(one, other, offset)
    if here <= limit:
        return True
    slips = [slip for slip in range(-SLIP, SLIP + 1) if slip]
    is_near = here <= HOPELESS * limit
    return is_near and any(difference(one, other, offset + slip) <= limit for slip in slips)


def _alike(prints: Sequence[Print]) -> list[list[int]]:
    """Pairs that share words, with the offset at which most of these lie. Each shared word links a
    clip with the next few that have it: copies share many, so a chain of links reaches them all.
    """
    pairs = np.concatenate([_links(*_landmarks(prints, part)) for part in range(N_PARTS)])
    if not len(pairs):
        return []
    found, n_votes = np.unique(pairs, axis=0, return_counts=True)
    by_pair = np.lexsort((-n_votes, found[:, 1], found[:, 0]))
    found = found[by_pair]
    is_new = np.append(True, (found[1:, :2] != found[:-1, :2]).any(axis=1))
    return found[is_new].tolist()


def _links(keys: np.ndarray, owners: np.ndarray, places: np.ndarray) -> np.ndarray:
    """Owner, other owner and the offset of each two places with the same key, shape = (n, 3)."""
    order = np.argsort(keys, kind="stable")
    keys, owners, places = keys[order], owners[order], places[order]
    links = []
    for n in range(1, N_NEXT + 1):
        linked = (keys[n:] == keys[:-n]) & (owners[n:] != owners[:-n])
        first, second = owners[:-n][linked], owners[n:][linked]  # stable: the first is the earlier
        links.append(np.stack([first, second, places[n:][linked] - places[:-n][linked]], axis=1))
    return np.concatenate(links)


def _landmarks(prints: Sequence[Print], part: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of all loud frames: word and the word 64 ms later as one key, whose it is, and where. Only
    the keys of one part, to need little memory at a time.
    """
    keys, owners, places = [np.zeros(0, np.uint32)], [np.zeros(0, np.int32)], []
    for i, one in enumerate(prints):
        words = one.words.astype(np.uint32)
        both = (words[:-LAG] << 16) | words[LAG:]
        is_used = one.loud[:-LAG] & one.loud[LAG:] & (both != 0) & (both % N_PARTS == part)
        where = np.flatnonzero(is_used).astype(np.int32)
        keys.append(both[where])
        owners.append(np.full(len(where), i, np.int32))
        places.append(where)
    places.append(np.zeros(0, np.int32))
    return np.concatenate(keys), np.concatenate(owners), np.concatenate(places)
