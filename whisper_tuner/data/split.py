"""Which clips are trained on and which are kept for the test, without a leak between the two.

A model tested on a sentence it was trained on looks better than it is, and so does one tested on a
recording or a voice that it was trained on. Sentences and copies of a recording never cross;
speakers, and the long recordings that clips were cut from, do not where the data allow it.
"""

import hashlib
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from types import MappingProxyType

from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.errors import InputError

TEST_SHARE = 0.2
MAX_TEST_CLIPS = 500  # more only make the comparison slower: WER is then known to about a point
MIN_SPEAKERS = 5  # with fewer, one speaker is too much of the data to give away
SHARE_BOUNDS = (0.25, 2.0)  # times the wanted number of test clips: what a speaker split may give
VOICES = (("speaker", "recording"), ("speaker",))  # what is kept apart: first choice, second
N_NAMED = 3  # of the speakers that a finding names

Copies = Mapping[str, str]  # by the id of each clip of which there are copies, what these share
NO_COPIES: Copies = MappingProxyType({})


@lru_cache(maxsize=1 << 12)  # asked for the same texts by split, doctor and page
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
    copies: Copies = NO_COPIES,
) -> tuple[list[Clip], list[Finding]]:
    """The clips in the order given, each with its split, and what had to be left out or said.

    Splits the clips already have are kept when both training and test clips are left by them;
    clips without one then train. A sentence or a recording in both is kept for the test and refused
    for training (`sentence_in_both_splits`, `copy_in_both_splits`). Otherwise about `test_share` of
    the clips, `max_test` at most, are drawn: whole sentences with all copies of their recordings,
    and whole speakers when there are at least five. Where every speaker reads the same sentences
    both cannot hold: then speakers cross (`speakers_in_both_splits`). Clips cut from long
    recordings are drawn in whole recordings, else in one stretch of each (`draw_apart`;
    `recordings_in_both_splits`).

    Raises: InputError too_few_clips when there are fewer than two different sentences.
    """
    n_sentences = len({sentence_key(clip.text) for clip in clips})
    if n_sentences < 2:
        raise InputError("too_few_clips", n_sentences=n_sentences)
    given = _given(clips, copies)
    if given is not None:
        return given
    n_wanted = max(1, min(max_test, round(test_share * len(clips))))
    test, findings = _draw(clips, n_wanted, seed, copies)
    splits = ("test" if i in test else "train" for i in range(len(clips)))
    divided = [replace(clip, split=s) for clip, s in zip(clips, splits, strict=True)]
    return divided, findings + crossing_recordings(divided)


def _draw(
    clips: Sequence[Clip], n_wanted: int, seed: int, copies: Copies
) -> tuple[set[int], list[Finding]]:
    """Indices of the clips that are held out, and what has to be said about them."""
    findings = []
    if has_voices(clips):
        for kinds in VOICES:
            test = draw_groups(clips, group_clips(clips, ties(copies, kinds)), n_wanted, seed)
            if is_fair(len(test), n_wanted):
                return test, []
        findings.append(Finding("speakers_in_both_splits", clip="", refused=False))
    test = draw_apart(clips, n_wanted, seed, copies=copies)
    if len(test) == len(clips):  # every recording overlaps with the next
        test = draw_apart(clips, n_wanted, seed)
        findings.append(Finding("copies_in_both_splits", clip="", refused=False))
    elif copies and not is_fair(len(test), n_wanted):
        params = {"n_test": len(test)}
        findings.append(Finding("copies_shape_test", clip="", refused=False, params=params))
    return test, findings


def crossing_recordings(clips: Sequence[Clip]) -> list[Finding]:
    """What has to be said when pieces of one recording are on both sides."""
    sides = {(clip.recording, clip.split) for clip in clips if clip.recording}
    crossing = [name for name, split in sides if split == "test" and (name, "train") in sides]
    return [Finding("recordings_in_both_splits", clip="", refused=False)] if crossing else []


def draw_apart(
    clips: Sequence[Clip],
    n_wanted: int,
    seed: int,
    at_least_one: bool = True,
    copies: Copies = NO_COPIES,
) -> set[int]:
    """Indices of about `n_wanted` clips: whole sentences with their copies, and whole recordings
    when that gives a fair number; else one stretch of neighbouring pieces of each recording,
    because pieces that follow each other are alike.
    """
    if not any(clip.recording for clip in clips):
        return draw_sentences(clips, n_wanted, seed, at_least_one, copies)
    whole = draw_groups(clips, group_clips(clips, ties(copies, ("recording",))), n_wanted, seed)
    if len(whole) < len(clips) and is_fair(len(whole), n_wanted):
        return whole
    drawn = _draw_stretches(clips, n_wanted / len(clips), seed, copies)
    groups = group_clips(clips, ties(copies))
    drawn = {i for group in groups if drawn.issuperset(group) for i in group}
    return drawn or draw_sentences(clips, n_wanted, seed, at_least_one, copies)


def is_fair(n_drawn: int, n_wanted: int) -> bool:
    low, high = (bound * n_wanted for bound in SHARE_BOUNDS)
    return low <= n_drawn <= high


def _draw_stretches(clips: Sequence[Clip], share: float, seed: int, copies: Copies) -> set[int]:
    """`share` of the pieces of each recording, in their order there, and of the other clips."""
    pieces_of: dict[str, list[int]] = defaultdict(list)
    for i, clip in enumerate(clips):
        pieces_of[clip.recording].append(i)
    others = pieces_of.pop("", [])
    n_others = round(share * len(others))
    chosen = draw_sentences(
        [clips[i] for i in others], n_others, seed, at_least_one=False, copies=copies
    )
    drawn = {others[i] for i in chosen}
    for recording, pieces in pieces_of.items():
        n_drawn = round(share * len(pieces))
        n_places = len(pieces) - n_drawn + 1
        first = int(shuffle_key(seed, recording), 16) % n_places
        drawn.update(pieces[first : first + n_drawn])
    return drawn


def has_voices(clips: Sequence[Clip]) -> bool:
    """Whether there are enough speakers to hold some of them out."""
    return len({clip.speaker for clip in clips if clip.speaker}) >= MIN_SPEAKERS


def draw_sentences(
    clips: Sequence[Clip],
    n_wanted: int,
    seed: int,
    at_least_one: bool = True,
    copies: Copies = NO_COPIES,
) -> set[int]:
    """Indices of about `n_wanted` clips (never more), with all clips of each sentence and copy."""
    groups = group_clips(clips, ties(copies))
    return draw_groups(clips, groups, n_wanted, seed, at_least_one)


def _given(clips: Sequence[Clip], copies: Copies) -> tuple[list[Clip], list[Finding]] | None:
    """The split the user gave, without its leaks; None when it leaves one side empty."""
    tests = [clip for clip in clips if clip.split == "test"]
    held_out = {sentence_key(clip.text) for clip in tests}
    heard = {copies[clip.id]: clip.name for clip in reversed(tests) if clip.id in copies}
    kept, findings = [], []
    for clip in clips:
        original = heard.get(copies.get(clip.id, ""))
        if clip.split == "test" or (sentence_key(clip.text) not in held_out and not original):
            kept.append(replace(clip, split=clip.split or "train"))
        elif sentence_key(clip.text) in held_out:
            findings.append(Finding("sentence_in_both_splits", clip.name, True, clip.row))
        else:
            params = {"original": original}
            findings.append(Finding("copy_in_both_splits", clip.name, True, clip.row, params))
    if {clip.split for clip in kept} != {"train", "test"}:
        return None
    return kept, findings + _crossing(kept)


def _crossing(clips: Sequence[Clip]) -> list[Finding]:
    """Which speakers and long recordings the user's own split has on both sides."""
    findings = []
    for kind in ("speaker", "recording"):
        sides = defaultdict(set)
        for clip in clips:
            sides[getattr(clip, kind)].add(clip.split)
        both = sorted(name for name, splits in sides.items() if name and len(splits) > 1)
        if both:
            params = {"n": len(both), "names": ", ".join(both[:N_NAMED])}
            findings.append(Finding(f"given_{kind}s_cross", "", refused=False, params=params))
    return findings


def ties(copies: Copies, kinds: Sequence[str] = ()) -> Callable[[Clip], list[Hashable]]:
    """What ties a clip to others: its sentence, its copies, and whichever are asked for of its
    speaker and the recording that it was cut from.
    """

    def ties_of(clip: Clip) -> list[Hashable]:
        named = [
            ("copy", copies.get(clip.id, "")),
            *((kind, getattr(clip, kind)) for kind in kinds),
        ]
        return [sentence_key(clip.text), *(tie for tie in named if tie[1])]

    return ties_of


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
