"""Bytes that were damaged on the way, or by somebody who means it."""

from random import Random

LIES = (0, 1, 2, 0x7F, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)


def flip(data: bytes, rng: Random) -> bytes:
    out = bytearray(data)
    for _ in range(rng.choice((1, 1, 3, 20, 200))):
        out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
    return bytes(out)


def cut(data: bytes, rng: Random) -> bytes:
    return data[: rng.randrange(len(data))]


def drop(data: bytes, rng: Random) -> bytes:
    start, n = _stretch(data, rng)
    return data[:start] + data[start + n :]


def repeat(data: bytes, rng: Random) -> bytes:
    start, n = _stretch(data, rng)
    return data[: start + n] * rng.choice((1, 1, 3)) + data[start:]


def insert(data: bytes, rng: Random) -> bytes:
    start, n = _stretch(data, rng)
    return data[:start] + rng.randbytes(n) + data[start:]


def overwrite(data: bytes, rng: Random) -> bytes:
    start, n = _stretch(data, rng)
    filling = rng.choice((bytes(n), b"\xff" * n, rng.randbytes(n)))
    return data[:start] + filling + data[start + n :]


def swap(data: bytes, rng: Random) -> bytes:
    (a, n), b = _stretch(data, rng), rng.randrange(len(data))
    return data[:a] + data[b : b + n] + data[a + n :]


def lie_in_header(data: bytes, rng: Random) -> bytes:
    """A number of 16, 32 or 64 bits near the beginning says something else."""
    return lie(data, rng.randrange(min(len(data), 256)), rng)


def lie(data: bytes, place: int, rng: Random) -> bytes:
    n = rng.choice((2, 4, 4, 8))
    value = rng.choice((*LIES, rng.getrandbits(8 * n))) & ((1 << 8 * n) - 1)
    return data[:place] + value.to_bytes(n, rng.choice(("little", "big"))) + data[place + n :]


def _stretch(data: bytes, rng: Random) -> tuple[int, int]:
    return rng.randrange(len(data)), 1 + rng.randrange(rng.choice((4, 64, 1024, 16384)))


WAYS = (flip, cut, drop, repeat, insert, overwrite, swap, lie_in_header)


def damaged(data: bytes, rng: Random) -> bytes:
    """One to three damages, at least one byte left."""
    for _ in range(rng.choice((1, 1, 2, 3))):
        data = rng.choice(WAYS)(data, rng) or b"\0"
    return data
