"""Letters of a text ↔ letters that were heard."""

import random
import time

from whisper_tuner.alignment.matching import UNHEARD, match


def letters(n: int, seed: int) -> str:
    return "".join(random.Random(seed).choices("abcdefghijklmnopqrstuvwxyz", k=n))


def test_the_same_letters_are_matched_one_by_one():
    text = letters(5000, 1)
    assert match(text, text).tolist() == list(range(5000))


def test_a_gap_in_either_is_one_gap_and_shifts_nothing():
    one, two, three = letters(400, 1), letters(150, 2), letters(400, 3)
    found = match(one + two + three, one + three).tolist()
    assert found[:395] == [*range(395)] and found[555:] == [*range(405, 800)]
    assert found.count(UNHEARD) == 150
    found = match(one + three, one + two + three).tolist()
    assert found[:395] == [*range(395)] and found[405:] == [*range(555, 950)]


def test_half_of_the_letters_wrong():
    draw = random.Random(4)
    text = letters(3000, 5)
    heard = "".join(a if draw.random() < 0.5 else draw.choice("xyzw") for a in text)
    found = match(text, heard).tolist()
    assert all(abs(i - j) <= 5 for i, j in enumerate(found) if j != UNHEARD)
    assert sum(i == j for i, j in enumerate(found)) > 0.75 * len(text)


def test_nothing_to_match():
    assert match("", "abc").tolist() == []
    assert match("abc", "").tolist() == [UNHEARD] * 3


def test_the_pairs_rise_whatever_repeats():
    text, heard = "la" * 3000, "la" * 2900 + "lu" * 50
    found = [j for j in match(text, heard).tolist() if j != UNHEARD]
    assert found == sorted(set(found))


def test_twelve_hours_of_letters_take_seconds():
    text = letters(600_000, 8)
    heard = text[:200_000] + letters(20_000, 9) + text[230_000:]
    began_s = time.process_time()
    found = match(text, heard)
    assert time.process_time() - began_s < 30
    assert found[100] == 100 and found[-1] == len(heard) - 1
