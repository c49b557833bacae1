"""No sentence and, where it can be, no speaker on both sides; the same split every time."""

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from whisper_tuner.data.clips import Clip
from whisper_tuner.data.split import assign, sentence_key
from whisper_tuner.errors import InputError


def clip(text: str, speaker: str = "", split: str = "", name: str = "") -> Clip:
    return Clip("", "", text, name or text, 1.0, 3, split, speaker)


def sides(clips: list[Clip]) -> dict[str, set[str]]:
    """The sentences of each side."""
    found: dict[str, set[str]] = {"train": set(), "test": set()}
    for one in clips:
        found[one.split].add(sentence_key(one.text))
    return found


MANY = [clip(f"sentence number {i}") for i in range(100)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Hello, world!", "hello world"),
        ("  Hello \n world", "HELLO WORLD"),
        ("L’été", "l'été"),
        ("e\u0301", "é"),
        ("Ｆｕｌｌ　ｗｉｄｔｈ", "full width"),
        ("Straße", "STRASSE"),
        ("今天，天气好。", "今天天气好"),
    ],
)
def test_the_same_sentence(one: str, other: str) -> None:
    assert sentence_key(one) == sentence_key(other)


def test_marks_make_a_difference() -> None:
    assert sentence_key("नमस्ते") == "नमस्ते" and sentence_key("كَتَبَ") != sentence_key("كُتِبَ")


def test_about_a_fifth_is_kept_for_the_test() -> None:
    clips, findings = assign(MANY, seed=1)
    assert Counter(c.split for c in clips) == {"train": 80, "test": 20} and findings == []
    assert [c.text for c in clips] == [c.text for c in MANY]
    assert Counter(c.split for c in assign(MANY, seed=1, max_test=7)[0])["test"] == 7


def test_order_does_not_matter_but_the_seed_does() -> None:
    shuffled = random.Random(5).sample(MANY, len(MANY))
    first, again = (sides(assign(clips, seed=1)[0]) for clips in (MANY, shuffled))
    assert first == again
    assert first != sides(assign(MANY, seed=2)[0])


def test_copies_of_a_sentence_stay_together() -> None:
    copies = [clip(f"Sentence {i // 4}{'!' * (i % 4)}", name=str(i)) for i in range(200)]
    for seed in range(20):
        found = sides(assign(copies, seed)[0])
        assert not found["train"] & found["test"] and all(found.values())


@pytest.mark.parametrize("n", [2, 3, 4])
def test_a_handful_has_one_test_clip(n: int) -> None:
    assert Counter(c.split for c in assign(MANY[:n], seed=3)[0])["test"] == 1


def test_two_sentences_read_many_times() -> None:
    clips, _ = assign([clip("yes"), clip("no")] * 10, seed=3)
    assert Counter(c.split for c in clips) == {"train": 10, "test": 10}


@pytest.mark.parametrize("clips", [[], [clip("only one")], [clip("Same."), clip("same")]])
def test_too_few(clips: list[Clip]) -> None:
    with pytest.raises(InputError) as caught:
        assign(clips, seed=1)
    assert caught.value.code == "too_few_clips"
    assert caught.value.params == {"n_sentences": min(1, len(clips))}


def test_five_speakers_do_not_cross() -> None:
    clips = [clip(f"s {i}", speaker=f"p{i % 6}") for i in range(120)]
    for seed in range(10):
        found, findings = assign(clips, seed)
        speakers = {side: {c.speaker for c in found if c.split == side} for side in sides(found)}
        assert not speakers["train"] & speakers["test"] and findings == []
        assert Counter(c.split for c in found)["test"] == 20


def test_four_speakers_may_cross() -> None:
    clips = [clip(f"s {i}", speaker=f"p{i % 4}") for i in range(100)]
    found, findings = assign(clips, seed=1)
    assert Counter(c.split for c in found)["test"] == 20 and findings == []


def test_everybody_reads_the_same_sentences() -> None:
    clips = [clip(f"s {i % 20}", speaker=f"p{i // 20}", name=str(i)) for i in range(120)]
    found, findings = assign(clips, seed=1)
    both = sides(found)
    assert not both["train"] & both["test"] and all(both.values())
    assert [(f.code, f.refused) for f in findings] == [("speakers_in_both_splits", False)]


def test_a_given_split_is_kept() -> None:
    clips = [clip(f"s {i}", split="test" if i < 50 else "train") for i in range(99)]
    found, findings = assign([*clips, clip("no word")], seed=1)
    assert [c.split for c in found] == ["test"] * 50 + ["train"] * 50 and findings == []


def test_a_sentence_given_to_both_is_refused_for_training() -> None:
    given = [clip("One.", split="test"), clip("one", split="train", name="b"), clip("two")]
    found, findings = assign([*given, clip("one", name="c"), clip("three", split="train")], seed=1)
    assert [(c.text, c.split) for c in found] == [
        ("One.", "test"),
        ("two", "train"),
        ("three", "train"),
    ]
    expected = [("sentence_in_both_splits", name, True) for name in ("b", "c")]
    assert [(f.code, f.clip, f.refused) for f in findings] == expected


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_split_with_one_side_is_no_split(split: str) -> None:
    found, _ = assign([clip(c.text, split=split) for c in MANY], seed=1)
    assert sides(found) == sides(assign(MANY, seed=1)[0])


def test_a_split_whose_training_side_is_all_leaks_is_no_split() -> None:
    clips = [clip("a", split="test"), clip("A", split="train"), clip("b", split="test")]
    found, findings = assign(clips, seed=1)
    assert findings == [] and all(sides(found).values()) and len(found) == 3


def pieces_of(recording: str, n: int, speaker: str = "") -> list[Clip]:
    """The clips of a long recording, in their order."""
    clips = [clip(f"{recording} says {i}", speaker) for i in range(n)]
    return [replace(one, recording=recording) for one in clips]


def test_whole_recordings_are_held_out_where_there_are_some() -> None:
    clips = [piece for name in "abcdefg" for piece in pieces_of(name, 20)]
    divided, findings = assign(clips, seed=3)
    sides = {(c.recording, c.split) for c in divided}
    assert findings == [] and len(sides) == 7
    assert 1 <= sum(split == "test" for _, split in sides) <= 2


@pytest.mark.parametrize("names", ["a", "ab"])
@pytest.mark.parametrize("seed", range(5))
def test_of_few_recordings_a_stretch_of_each_is_held_out(names: str, seed: int) -> None:
    clips = [piece for name in names for piece in pieces_of(name, 55)]
    clips[3::6] = [replace(piece, text="Yes.") for piece in clips[3::6]]
    divided, findings = assign(clips, seed)
    assert [finding.code for finding in findings] == ["recordings_in_both_splits"]
    assert divided == assign(clips, seed)[0]
    for name in names:
        splits = [c.split for c in divided if c.recording == name and c.text != "Yes."]
        assert 8 <= splits.count("test") <= 10
        assert sum(a != b for a, b in pairwise(splits)) <= 2  # one stretch
    found = sides(divided)
    assert not found["train"] & found["test"]


def test_places_of_the_stretch_depend_on_the_seed() -> None:
    clips = pieces_of("a", 100)
    firsts = {[c.split for c in assign(clips, seed)[0]].index("test") for seed in range(9)}
    assert len(firsts) > 5


def test_speakers_keep_their_recordings_together() -> None:
    clips = [p for i in range(12) for p in pieces_of(f"r{i}", 10, speaker=f"s{i // 2}")]
    divided, findings = assign(clips, seed=1)
    assert findings == [] and len({(c.speaker, c.split) for c in divided}) == 6
    guest = [p for i in range(10) for p in pieces_of(f"r{i}", 10, speaker=f"s{i}")]
    host = [replace(p, text=f"host {p.text}", speaker="host") for p in guest]
    divided, findings = assign(guest + host, seed=1)
    assert [finding.code for finding in findings] == ["recordings_in_both_splits"]
    assert len({(c.speaker, c.split) for c in divided}) == 11  # voices are still apart


def test_clips_beside_a_long_recording() -> None:
    clips = pieces_of("a", 30) + MANY
    divided, findings = assign(clips, seed=1)
    assert findings == [] and {c.split for c in divided if c.recording} == {"train"}
    clips = pieces_of("a", 90) + MANY[:10]
    divided, _ = assign(clips, seed=1)
    counted = Counter((bool(c.recording), c.split) for c in divided)
    assert counted[False, "test"] in range(1, 11) and counted[True, "train"] >= 70


@pytest.mark.parametrize("n", range(2, 12))
def test_neither_side_of_one_short_recording_is_empty(n: int) -> None:
    divided, _ = assign(pieces_of("a", n), seed=n)
    assert {c.split for c in divided} == {"train", "test"}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("names", ["ab", "abcdefg"])
def test_copies_in_long_recordings_stay_on_one_side(names: str, seed: int) -> None:
    pieces = [p for name in names for p in pieces_of(name, 40)] + MANY[:20]
    clips = [replace(one, id=str(i)) for i, one in enumerate(pieces)]
    copies = {str(i): f"jingle {i % 4}" for i in range(0, len(clips), 9)}
    divided, _ = assign(clips, seed, copies=copies)
    sides_of = {(copies[c.id], c.split) for c in divided if c.id in copies}
    assert len(sides_of) == 4 and {c.split for c in divided} == {"train", "test"}
    without = assign(clips, seed)[0]
    assert len({(copies[c.id], c.split) for c in without if c.id in copies}) > 4
