"""Timed text that is damaged or hostile: cues or one sentence, and soon."""

import random
import time
from contextlib import suppress

import pytest

from tests.timed_files import WRITERS
from whisper_tuner.data.cues import Cue
from whisper_tuner.data.pieces import pieces
from whisper_tuner.data.timed_text import read_timed_text
from whisper_tuner.errors import InputError


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\n" + "<v " * 200_000),
        (".vtt", "WEBVTT\n\n00:00.000 --> 00:01.000\n<v" + " " * 200_000),
        (".srt", "1\n00:00:00,000 --> 00:00:01,000\n" + "♪ (" * 200_000),
        (".srt", "1\n00:00:00,000 --> 00:00:01,000\n" + "(a) * " * 100_000 + "x"),
        (".srt", "00:00:00,000 --> " * 100_000),
        (".TextGrid", 'File type = "ooTextFile"\nObject class = "TextGrid"\n' + '"' * 400_001),
        (".TextGrid", '"ooTextFile"\n"TextGrid"\n' + "9" * 400_000 + "x"),
        (".txt", "0\t1\t" + "\t" * 400_000 + "\n" + "1" * 400_000),
        (".json", "[" * 400_000),
        (".json", '{"segments": [{"start": ' + "9" * 400_000 + ', "end": 2, "text": "x"}]}'),
    ],
    ids=range(10),
)
def test_nothing_takes_long(suffix, text):
    began_s = time.process_time()
    with suppress(InputError):
        list(pieces(read_timed_text(text.encode(), f"a{suffix}").cues, "a.wav", 5.0, f"a{suffix}"))
    assert time.process_time() - began_s < 2


def mutated(data: bytes, rng: random.Random) -> bytes:
    """As transfers, editors and enemies do it: cut, doubled, moved, other bytes and numbers."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 6)):
        a, b = sorted(rng.randrange(len(changed) + 1) for _ in range(2))
        match rng.randrange(6):
            case 0:
                del changed[a:b]
            case 1:
                changed[a:a] = changed[a : min(b, a + 200)]
            case 2:
                changed[a : a + 1] = bytes([rng.randrange(256)])
            case 3:
                changed[a:a] = rng.choice([b"-->", b'"', b"<", b"{", b"[", b"\n\n", b"\t", b"&x;"])
            case 4:
                numbers = [b"-1", b"1e999", b"NaN", b"9" * 400, b"00:00:00,000", b"Infinity", b"\0"]
                changed[a : a + 3] = rng.choice(numbers)
            case 5:
                changed = changed[:b] or bytearray(b"x")
    return bytes(changed)


@pytest.mark.parametrize("name", WRITERS)
def test_whatever_is_in_a_file_no_other_error_comes_out(name):
    """300 mutations of each: cues that `pieces` can take, or one sentence."""
    suffix, write = WRITERS[name]
    rng = random.Random(name)
    data = write([Cue(i, i + 0.9, f"riga {i} è", i, "ab"[i % 2]) for i in range(6)]).encode()
    n_read = 0
    for _ in range(300):
        try:
            timed = read_timed_text(mutated(data, rng), f"a{suffix}")
            for piece in pieces(timed.cues, "a.wav", 5.0, f"a{suffix}"):
                assert piece.problem or 0 <= piece.start_s < piece.end_s <= 5.0
                assert piece.problem or piece.end_s - piece.start_s <= 30.0
            n_read += 1
        except InputError as error:
            assert error.sentence("en") and error.sentence("zh")
    assert n_read > 5
