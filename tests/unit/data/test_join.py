"""New clips beside old ones: what was learnt is never tested, what is tested never learnt."""

from dataclasses import replace
from itertools import pairwise

from whisper_tuner.data.clips import Clip
from whisper_tuner.data.join import join
from whisper_tuner.data.split import sentence_key

SEED = 42


def clip(n: int, text: str, split: str = "", speaker: str = "") -> Clip:
    return Clip(f"{n:06d}", f"clips/{n:06d}.flac", text, f"{n}.wav", 2.0, 6, split, speaker)


OLD = [
    *(clip(n, f"learnt sentence {n}", "train") for n in range(1, 9)),
    *(clip(n, f"held out sentence {n}", "test") for n in (9, 10)),
]


def joined(new: list[Clip], old: list[Clip] = OLD, **heard: set[str]):
    kept, findings = join(old, new, SEED, heard)
    sides = {c.text.casefold(): c.split for c in kept}
    both = [*old, *kept]
    train, test = (
        {sentence_key(c.text) for c in both if c.split == side} for side in ("train", "test")
    )
    assert not train & test
    return sides, [(f.code, f.clip, f.refused) for f in findings]


def test_new_sentences_get_their_own_test_share():
    new = [clip(n, f"new sentence {n}") for n in range(11, 31)]
    sides, findings = joined(new)
    assert list(sides.values()).count("test") == 4
    assert (len(sides), findings) == (20, [])
    assert joined(new) == (sides, findings)


def test_a_clip_follows_its_sentence():
    new = [clip(11, "Learnt sentence 1!"), clip(12, "HELD OUT, sentence 9")]
    sides, findings = joined(new)
    assert sides == {"learnt sentence 1!": "train", "held out, sentence 9": "test"}
    assert findings == []


def test_what_follows_into_the_test_counts_towards_its_share():
    new = [clip(n, "held out sentence 9") for n in range(11, 15)]
    new += [clip(n, f"new {n}") for n in range(15, 31)]
    sides, _ = joined(new)
    assert sides.pop("held out sentence 9") == "test"
    assert set(sides.values()) == {"train"}  # four of twenty are held out already


def test_splits_that_would_leak_are_refused_by_name():
    new = [
        clip(11, "held out sentence 9", "train"),
        clip(12, "learnt sentence 1", "test"),
        clip(13, "new one", "test"),
        clip(14, "New one.", "train"),
        clip(15, "another", "train"),
        clip(16, "without a split"),
        clip(17, "new one"),
    ]
    sides, findings = joined(new)
    assert findings == [
        ("sentence_in_both_splits", "11.wav", True),
        ("sentence_learnt", "12.wav", True),
        ("sentence_in_both_splits", "14.wav", True),
    ]
    assert sides == {"new one": "test", "another": "train", "without a split": "train"}


def test_a_source_only_for_training_holds_nothing_out():
    sides, findings = joined([clip(n, f"new {n}", "train") for n in range(11, 31)])
    assert set(sides.values()) == {"train"} and findings == []


def test_the_sound_of_a_held_out_clip_is_not_learnt_with_other_words():
    new = [clip(11, "corrected words"), clip(12, "more words"), clip(13, "learnt sentence 2")]
    heard = {"000011": {"test"}, "000012": {"train"}, "000013": {"test"}}
    sides, findings = joined(new, **heard)
    assert sides == {"corrected words": "test", "more words": "train"}
    assert findings == [("clip_on_both_sides", "13.wav", True)]


def test_few_new_clips_are_for_training():
    assert joined([clip(11, "one"), clip(12, "two")])[0] == {"one": "train", "two": "train"}


def test_nothing_new_is_nothing():
    assert join(OLD, [], SEED, {}) == ([], [])


def test_one_new_sentence_many_times_is_for_training():
    sides, _ = joined([clip(n, "the same") for n in range(11, 31)])
    assert sides == {"the same": "train"}


def voiced(old_test_voice: str = "ben") -> list[Clip]:
    voices = {"train": "anna", "test": old_test_voice}
    return [clip(int(c.id), c.text, c.split, voices[c.split]) for c in OLD]


def test_voices_that_are_kept_apart_stay_apart():
    new = [clip(n, f"new {n}", speaker=("anna", "ben", "carl")[n % 3]) for n in range(12, 42)]
    new += [clip(n, f"more {n}", speaker=f"v{n}") for n in range(42, 52)]
    kept, findings = join(voiced(), new, SEED, {})
    sides = {}
    for c in kept:
        sides.setdefault(c.speaker, set()).add(c.split)
    assert sides["anna"] == {"train"} and sides["ben"] == {"test"}
    assert all(len(found) == 1 for found in sides.values())
    assert findings == []


def test_more_of_a_held_out_voice_alone_is_learnt_and_told():
    new = [clip(n, f"new {n}", speaker="ben") for n in range(11, 31)]
    sides, findings = joined(new, voiced())
    assert list(sides.values()).count("test") == 4
    assert findings == [("speakers_in_both_splits", "", False)]


def test_a_voice_with_sentences_of_both_sides_is_told():
    new = [
        clip(11, "learnt sentence 1", speaker="eva"),
        clip(12, "held out sentence 9", speaker="eva"),
        clip(13, "new", speaker="eva"),
    ]
    sides, findings = joined(new, voiced())
    assert sides["new"] == "train"
    assert findings == [("speakers_in_both_splits", "", False)]


def test_five_new_voices_are_held_out_whole():
    new = [clip(n, f"new {n}", speaker=f"v{n % 10}") for n in range(11, 61)]
    kept, findings = join(OLD, new, SEED, {})
    sides = {}
    for c in kept:
        sides.setdefault(c.speaker, set()).add(c.split)
    assert sorted(map(sorted, sides.values())) == [["test"]] * 2 + [["train"]] * 8
    assert findings == []


def test_the_test_grows_no_larger_than_it_may():
    old = [clip(n, f"s {n}", "test") for n in range(495)] + [clip(600, "t", "train")]
    new = [clip(n, f"new {n}") for n in range(1000, 1100)]
    sides, _ = joined(new, old)
    assert list(sides.values()).count("test") == 5


def test_of_one_long_recording_a_stretch_is_held_out():
    new = [replace(clip(n, f"new {n}"), recording="talk.mp3") for n in range(11, 61)]
    sides, findings = joined(new)
    splits = list(sides.values())
    assert splits.count("test") == 10 and sum(a != b for a, b in pairwise(splits)) <= 2
    assert findings == [("recordings_in_both_splits", "", False)]
