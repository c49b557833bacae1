"""Which clips are trained on and which are kept for the test, without a leak between the two.

A model tested on a sentence it was trained on looks better than it is, and so does one tested on a
voice it was trained on. Sentences never cross; speakers do not where the data allow it.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import replace

from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.errors import InputError

TEST_SHARE = 0.2
MAX_TEST_CLIPS = 500  # more only make the comparison slower: WER is then known to about a point
MIN_SPEAKERS = 5  # with fewer, one speaker is too much of the data to give away
SHARE_BOUNDS = (0.25, 2.0)  # times the wanted number of test clips: what a speaker split may give


def sentence_key(text: str) -> str:
    """What makes two transcripts the same sentence: no case, no punctuation, single spaces."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    kept = ("" if unicodedata.category(char)[0] in "PS" else char for char in plain)
    return " ".join("".join(kept).split())


def shuffle_key(seed: int, content: Hashable) -> str:
    """A key that sorts in an order which depends on the seed and the content, on nothing else."""
    return hashlib.sha256(f"{seed}\n{content}".encode()).hexdigest()


def assign(
    clips: Sequence[Clip],
    seed: int,
    test_share: float = TEST_SHARE,
    max_test: int = MAX_TEST_CLIPS,
) -> tuple[list[Clip], list[Finding]]:
    """The clips in the order given, each with its split, and what had to be left out or said.

    Splits the clips already have are kept when both training and test clips are left by them;
    clips without one then train. A sentence in both is kept for the test and refused for training
    (`sentence_in_both_splits`). Otherwise about `test_share` of the clips, `max_test` at most, are
    drawn: whole sentences, and whole speakers when there are at least five. Where every speaker
    reads the same sentences both cannot hold: then speakers cross (`speakers_in_both_splits`).
    Clips cut from long recordings are drawn in whole recordings, else in one stretch of each
    (`draw_apart`; `recordings_in_both_splits`).

    Raises: InputError too_few_clips when there are fewer than two different sentences.
    """
    n_sentences = len({sentence_key(clip.text) for clip in clips})
    if n_sentences < 2:
        raise InputError("too_few_clips", n_sentences=n_sentences)
    given = _given(clips)
    if given is not None:
        return given
    n_wanted = max(1, min(max_test, round(test_share * len(clips))))
    findings = []
    test: set[int] = set()
    if len({clip.speaker for clip in clips if clip.speaker}) >= MIN_SPEAKERS:
        for ties_of in (_all_ties, sentence_and_speaker):
            test = draw_groups(clips, group_clips(clips, ties_of), n_wanted, seed)
            if is_fair(len(test), n_wanted):
                break
        else:
            test = set()
            findings.append(Finding("speakers_in_both_splits", clip="", refused=False))
    if not test:
        test = draw_apart(clips, n_wanted, seed)
    splits = ("test" if i in test else "train" for i in range(len(clips)))
    divided = [replace(clip, split=s) for clip, s in zip(clips, splits, strict=True)]
    return divided, findings + crossing_recordings(divided)


def crossing_recordings(clips: Sequence[Clip]) -> list[Finding]:
    """What has to be said when pieces of one recording are on both sides."""
    sides = {(clip.recording, clip.split) for clip in clips if clip.recording}
    crossing = [name for name, split in sides if split == "test" and (name, "train") in sides]
    return [Finding("recordings_in_both_splits", clip="", refused=False)] if crossing else []


def draw_apart(
    clips: Sequence[Clip], n_wanted: int, seed: int, at_least_one: bool = True
) -> set[int]:
    """Indices of about `n_wanted` clips: whole sentences, and whole recordings when that gives a
    fair number; else one stretch of neighbouring pieces of each recording, because pieces that
    follow each other are alike.
    """
    if not any(clip.recording for clip in clips):
        return draw_sentences(clips, n_wanted, seed, at_least_one)
    whole = draw_groups(clips, group_clips(clips, _sentence_and_recording), n_wanted, seed)
    if len(whole) < len(clips) and is_fair(len(whole), n_wanted):
        return whole
    drawn = _draw_stretches(clips, n_wanted / len(clips), seed)
    learnt = {sentence_key(clip.text) for i, clip in enumerate(clips) if i not in drawn}
    drawn = {i for i in drawn if sentence_key(clips[i].text) not in learnt}
    return drawn or draw_sentences(clips, n_wanted, seed, at_least_one)


def is_fair(n_drawn: int, n_wanted: int) -> bool:
    low, high = (bound * n_wanted for bound in SHARE_BOUNDS)
    return low <= n_drawn <= high


def _draw_stretches(clips: Sequence[Clip], share: float, seed: int) -> set[int]:
    """`share` of the pieces of each recording, in their order there, and of the other clips."""
    pieces_of: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        pieces_of[clip.recording].append(i)
    others = pieces_of.pop("", [])
    n_others = round(share * len(others))
    chosen = draw_sentences([clips[i] for i in others], n_others, seed, at_least_one=False)
    drawn = {others[i] for i in chosen}
    for recording, pieces in pieces_of.items():
        n_drawn = round(share * len(pieces))
        n_places = len(pieces) - n_drawn + 1
        first = int(shuffle_key(seed, recording), 16) % n_places
        drawn.update(pieces[first : first + n_drawn])
    return drawn


def draw_sentences(
    clips: Sequence[Clip], n_wanted: int, seed: int, at_least_one: bool = True
) -> set[int]:
    """Indices of about `n_wanted` clips (never more), with all clips of each sentence."""
    return draw_groups(clips, group_clips(clips, _sentence), n_wanted, seed, at_least_one)


def _given(clips: Sequence[Clip]) -> tuple[list[Clip], list[Finding]] | None:
    """The split the user gave, without its leaks; None when it leaves one side empty."""
    held_out = {sentence_key(clip.text) for clip in clips if clip.split == "test"}
    kept, findings = [], []
    for clip in clips:
        if clip.split == "test" or sentence_key(clip.text) not in held_out:
            kept.append(replace(clip, split=clip.split or "train"))
        else:
            findings.append(Finding("sentence_in_both_splits", clip=clip.name, refused=True))
    return (kept, findings) if {clip.split for clip in kept} == {"train", "test"} else None


def _sentence(clip: Clip) -> list[Hashable]:
    return [sentence_key(clip.text)]


def sentence_and_speaker(clip: Clip) -> list[Hashable]:
    speaker = [("speaker", clip.speaker)] if clip.speaker else []
    return [sentence_key(clip.text), *speaker]


def _sentence_and_recording(clip: Clip) -> list[Hashable]:
    recording = [("recording", clip.recording)] if clip.recording else []
    return [sentence_key(clip.text), *recording]


def _all_ties(clip: Clip) -> list[Hashable]:
    return [*sentence_and_speaker(clip), *_sentence_and_recording(clip)[1:]]


def group_clips(
    clips: Sequence[Clip], ties_of: Callable[[Clip], list[Hashable]]
) -> list[list[int]]:
    """Indices of the clips that must stay together: those linked by a tie (union-find)."""
    parent: dict[Hashable, Hashable] = {}

    def root(tie: Hashable) -> Hashable:
        parent.setdefault(tie, tie)
        while parent[tie] != tie:
            parent[tie] = parent[parent[tie]]
            tie = parent[tie]
        return tie

    for clip in clips:
        first, *others = ties_of(clip)
        for tie in others:
            parent[root(tie)] = root(first)
    groups = defaultdict(list)
    for i, clip in enumerate(clips):
        groups[root(ties_of(clip)[0])].append(i)
    return list(groups.values())


def draw_groups(
    clips: Sequence[Clip],
    groups: list[list[int]],
    n_wanted: int,
    seed: int,
    at_least_one: bool = True,
) -> set[int]:
    """Indices of at most `n_wanted` clips in whole groups; the smallest group when none fits, if
    there must be one.
    """

    def key(group: list[int]) -> str:
        return shuffle_key(seed, "\n".join(sorted({sentence_key(clips[i].text) for i in group})))

    shuffled = sorted(groups, key=key)
    drawn: set[int] = set()
    for group in shuffled:
        if len(drawn) + len(group) <= n_wanted:
            drawn.update(group)
    return drawn or (set(min(shuffled, key=len)) if at_least_one else set())
