"""Which clips are the same recording: exactly, or copied, re-encoded, louder, trimmed, a bit noisy.

An acoustic fingerprint after Haitsma and Kalker, "A highly robust audio fingerprinting system"
(ISMIR 2002), with shorter windows: whether the difference of neighbouring bands rises or falls is
one bit, and 16 of them are a word, every 16 ms. Gain changes no bit and MP3 few. Only loud frames
are compared, for in pauses a copy with noise has other bits. Two readings of one sentence by one
speaker differ in a fifth of the bits (single words) or a third, copies in a twentieth.

Pairs to compare are found by words they share: the time grows with the clips, not the pairs.
"""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from whisper_tuner.config import TEMP_PREFIX

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
BLOCK = 1 << 16  # frames, 17 minutes of speech, whose links are looked at at a time
MAX_PARTS = 256  # files
OFFSET_BITS = 16  # of a link; 30 seconds are 1,875 frames
N_NEXT = 2  # other clips with the same word may lie between two copies
HOPELESS = 2  # times the limit: not worth looking a little further
SLIP = 2  # frames by which shared words may be misplaced
_HANN = np.hanning(WINDOW // 2).astype(np.float32)
_EDGES = np.unique(np.round(np.geomspace(LOWEST_BIN, HIGHEST_BIN, N_BANDS + 1)).astype(int))
_BIT_VALUES = (1 << np.arange(N_BANDS - 1)).astype(np.uint16)


@dataclass(frozen=True, slots=True)
class Print:
    """Words of 16 bits, one for each frame, and which frames are loud enough to compare."""

    packed: bytes  # the words, then one bit for each frame: a dataset has thousands of prints

    @classmethod
    def of(cls, words: np.ndarray, loud: np.ndarray) -> "Print":
        """`words`: uint16, `loud`: bool, both of shape = (n_frames,)."""
        return cls(words.tobytes() + np.packbits(loud).tobytes())

    def __len__(self) -> int:
        return len(self.packed) * 8 // 17

    @property
    def words(self) -> np.ndarray:
        return np.frombuffer(self.packed, np.uint16, len(self))

    @property
    def loud(self) -> np.ndarray:
        bits = np.frombuffer(self.packed, np.uint8, offset=2 * len(self))
        return np.unpackbits(bits, count=len(self)).astype(bool)


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
        return Print(b"")
    smooth = _sums(np.sqrt(energies))
    slopes = smooth[:, :-1] - smooth[:, 1:]
    words = (slopes[LAG:] > slopes[:-LAG]) @ _BIT_VALUES
    loudness = _sums(energies.sum(axis=1, keepdims=True))[:, 0]
    loudness = np.maximum(loudness[LAG:], loudness[:-LAG])
    return Print.of(words, loudness > loudness.max() * 10 ** (-LOUD_DB / 10))


def _sums(values: np.ndarray) -> np.ndarray:
    """Over `SMOOTH` frames each, in double precision: a running sum of floats drifts."""
    total = np.cumsum(np.pad(values, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    return total[SMOOTH:] - total[:-SMOOTH]


def copies(prints: Sequence[Print]) -> list[tuple[int, int]]:
    """Pairs (earlier, later) of prints of the same recording; enough of them to link all copies.

    Two that others link already are not compared. Every later copy is the later one of a pair.
    """
    first = list(range(len(prints)))

    def root(i: int) -> int:
        while first[i] != i:
            first[i] = first[first[i]]
            i = first[i]
        return i

    pairs = []
    for i, j, offset in _alike(prints):
        one, other = root(i), root(j)
        if one != other and _is_same(prints[i], prints[j], offset):
            first[other] = one
            pairs.append((i, j))
    return pairs


def difference(one: Print, other: Print, offset: int) -> float:
    """Share of different bits where both are loud; frame t of `one` is `t + offset` of `other`.

    That of the worse half when it is alike in one half only; 1.0 with too little in common there.
    """
    start, end = max(0, -offset), min(len(one), len(other) - offset)
    if end <= start:
        return 1.0
    here, there = slice(start, end), slice(start + offset, end + offset)
    one_loud, other_loud = one.loud, other.loud
    both = one_loud[here] & other_loud[there]
    n_common, n_needed = both.sum(), min(one_loud.sum(), other_loud.sum()) * MIN_COMMON
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


def _alike(prints: Sequence[Print]) -> Iterator[tuple[int, int, int]]:
    """Pairs that share words, in order, with the offset at which most of these lie. Each shared
    word links a clip with the next few that have it: copies share many, so a chain of links reaches
    them all. Only the links of some clips are there at a time, and the places by their keys are in
    files: the search needs no more memory for more clips.
    """
    starts = np.cumsum([0, *map(len, prints)])
    wanted = np.append(np.arange(0, starts[-1], BLOCK), starts[-1])
    blocks = list(pairwise(np.unique(np.searchsorted(starts, wanted)).tolist()))  # of whole clips
    with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
        parts = _by_key(prints, starts, blocks, Path(folder))
        for first, end in blocks:
            places = starts[first], starts[end]
            found = [_links(np.fromfile(part, np.int64), starts, *places) for part in parts]
            links, n_votes = np.unique(np.concatenate(found), return_counts=True)
            pairs = links >> OFFSET_BITS
            best = np.lexsort((-n_votes, pairs))  # stable: of the offsets with as many the lowest
            best = best[np.diff(pairs[best], prepend=-1) != 0]
            firsts, seconds = divmod(pairs[best], len(prints))
            offsets = (links[best] & (1 << OFFSET_BITS) - 1) - (1 << OFFSET_BITS - 1)
            for i, j, offset in zip(firsts, seconds, offsets, strict=True):
                yield int(i), int(j), int(offset)


def _by_key(
    prints: Sequence[Print], starts: np.ndarray, blocks: list[tuple[int, int]], folder: Path
) -> list[Path]:
    """Files that have all places with the same key beside each other, in their order: a sorted
    int64 for each, the key in its upper half and the place in its lower.
    """
    parts = [folder / str(i) for i in range(min(len(blocks), MAX_PARTS))]
    for first, end in blocks:
        keyed = np.concatenate([_keyed(prints[i], starts[i]) for i in range(first, end)])
        part_of = (keyed >> 48) % len(parts)
        for i, part in enumerate(parts):
            with part.open("ab") as file:
                file.write(keyed[part_of == i])  # `tofile` does not say that a disk is full
    for part in parts:
        part.write_bytes(np.sort(np.fromfile(part, np.int64)))
    return parts


def _keyed(one: Print, start: int) -> np.ndarray:
    """The places that are used, with their keys: a word and the word 64 ms later, both loud and of
    this clip, that say something.
    """
    words, loud = one.words.astype(np.int64), one.loud
    keys = words[:-LAG] << 16 | words[LAG:]
    places = np.flatnonzero(loud[:-LAG] & loud[LAG:] & (keys != 0))
    return keys[places] << 32 | places + start


def _links(keyed: np.ndarray, starts: np.ndarray, start: int, end: int) -> np.ndarray:
    """Of each place from `start` to `end` with each of the next places that have its key in another
    clip: the two clips and the offset, as one number.
    """
    links = [np.zeros(0, np.int64)]
    n_clips = len(starts) - 1
    places = keyed & 0xFFFFFFFF
    within = np.flatnonzero((places >= start) & (places < end))
    for n in range(1, N_NEXT + 1):
        within = within[within < len(keyed) - n]
        is_same = keyed[within] >> 32 == keyed[within + n] >> 32
        here, there = places[within[is_same]], places[within[is_same] + n]
        first, second = (np.searchsorted(starts, at, side="right") - 1 for at in (here, there))
        offset = (there - starts[second]) - (here - starts[first])
        link = first * n_clips + second << OFFSET_BITS | offset + (1 << OFFSET_BITS - 1)
        links.append(link[first != second])
    return np.concatenate(links)
