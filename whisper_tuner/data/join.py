"""On which side new clips go, beside those of a dataset that a model has learnt from already.

What was trained on stays in the training and what was held out stays held out: else the test would
be of sentences that the model knows. So a new clip follows its sentence, and its sound, where they
are known; only the others are split, by the rules of `split.py`.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.split import (
    MAX_TEST_CLIPS,
    NO_COPIES,
    SHARE_BOUNDS,
    TEST_SHARE,
    VOICES,
    Copies,
    crossing_recordings,
    draw_apart,
    draw_groups,
    group_clips,
    has_voices,
    sentence_key,
    ties,
)

Sides = Mapping[str, set[str]]  # of a clip's id or a speaker: the splits it is in


def join(
    old: Sequence[Clip],
    new: Sequence[Clip],
    seed: int,
    heard: Sides,
    copies: Copies = NO_COPIES,
) -> tuple[list[Clip], list[Finding]]:
    """The new clips that are kept, in their order, each with its split, and what had to be said.

    `heard`: by a new clip's id, the splits of old clips with the same sound, exactly or nearly.
    `copies`: of the new clips.

    Splits that the new clips bring are kept when no sentence crosses by it: a training clip whose
    sentence is held out is refused (`sentence_in_both_splits`), a test clip whose sentence was
    trained on too (`sentence_learnt`). When they bring none, about a fifth is held out.
    """
    bound, refused = _bound(old, new, heard, copies)
    kept = [clip for clip in new if clip.id not in refused]
    n_test = sum(clip.split == "test" for clip in old)
    n_bound = sum(split == "test" for split in bound.values())
    n_wanted = min(MAX_TEST_CLIPS - n_test, round(TEST_SHARE * len(kept))) - n_bound
    drawn, more = _draw(old, kept, bound, max(0, n_wanted), seed, copies)
    joined = [replace(clip, split=bound.get(clip.id) or drawn[clip.id]) for clip in kept]
    return joined, [*refused.values(), *more, *crossing_recordings(joined)]


def _bound(
    old: Sequence[Clip], new: Sequence[Clip], heard: Sides, copies: Copies
) -> tuple[dict[str, str], dict[str, Finding]]:
    """By id, the splits that follow from sentence, sound, or the source; and what is refused."""
    sides = {sentence_key(clip.text): {clip.split} for clip in old}
    brings_splits = any(clip.split for clip in new)
    brought = {sentence_key(c.text) for c in new if c.split == "test"} - sides.keys()
    bound: dict[str, str] = {}
    refused: dict[str, Finding] = {}
    shared: dict[str, set[str]] = defaultdict(set)
    for clip in new:
        if clip.id in copies:
            known = sides.get(sentence_key(clip.text), set()) | heard.get(clip.id, set())
            shared[copies[clip.id]] |= known
    for clip in new:
        key = sentence_key(clip.text)
        known = sides.get(key, set()) | heard.get(clip.id, set())
        known |= shared.get(copies.get(clip.id, ""), set())
        if not known and key in brought:
            known = {"test"}
        if len(known) > 1:
            refused[clip.id] = Finding("clip_on_both_sides", clip.name, refused=True)
        elif clip.split == "train" and "test" in known:
            refused[clip.id] = Finding("sentence_in_both_splits", clip.name, refused=True)
        elif clip.split == "test" and "train" in known:
            refused[clip.id] = Finding("sentence_learnt", clip.name, refused=True)
        elif known:
            bound[clip.id] = next(iter(known))
        elif brings_splits:
            bound[clip.id] = clip.split or "train"
    return bound, refused


def _draw(
    old: Sequence[Clip],
    new: Sequence[Clip],
    bound: Mapping[str, str],
    n_wanted: int,
    seed: int,
    copies: Copies,
) -> tuple[dict[str, str], list[Finding]]:
    """By id, the splits of the clips that nothing binds: whole sentences, and whole speakers where
    the old clips keep them apart or there are enough new ones.
    """
    free = [clip for clip in new if clip.id not in bound]
    voices = _voices(old)
    apart = _are_apart(voices)
    findings = []
    if apart or has_voices(free):
        low, high = (times * n_wanted for times in SHARE_BOUNDS)
        if apart:  # voices that are held out bring more: but new clips are there to be learnt from
            low, high = 0, len(free) / 2
        for kinds in VOICES:
            groups = group_clips(new, ties(copies, kinds))
            linked = voices if apart else {}
            splits, crosses = _by_speaker(new, groups, bound, linked, n_wanted, seed)
            is_fair = low <= sum(split == "test" for split in splits.values()) <= high
            if is_fair and not crosses:
                return splits, []
        findings.append(Finding("speakers_in_both_splits", clip="", refused=False))
        if is_fair:
            return splits, findings
    test = draw_apart(free, n_wanted, seed, at_least_one=False, copies=copies)
    return {c.id: "test" if i in test else "train" for i, c in enumerate(free)}, findings


def _by_speaker(
    new: Sequence[Clip],
    groups: list[list[int]],
    bound: Mapping[str, str],
    voices: Sides,
    n_wanted: int,
    seed: int,
) -> tuple[dict[str, str], bool]:
    """The same in whole speakers, and whether one is on both sides all the same.

    Clips linked to a side, by a speaker of `voices` or by a bound clip, follow it; a group that is
    linked to both is trained on.
    """
    splits: dict[str, str] = {}
    unlinked: list[list[int]] = []
    crosses = False
    for group in groups:
        clips = [new[i] for i in group]
        linked = {bound[clip.id] for clip in clips if clip.id in bound}
        linked |= {side for clip in clips for side in voices.get(clip.speaker, ())}
        crosses |= len(linked) > 1
        if linked:
            side = "test" if linked == {"test"} else "train"
            splits |= {clip.id: side for clip in clips if clip.id not in bound}
        else:
            unlinked.append(group)
    drawn = draw_groups(new, unlinked, n_wanted, seed, at_least_one=False)
    for group in unlinked:
        splits |= {new[i].id: "test" if i in drawn else "train" for i in group}
    return splits, crosses


def _voices(clips: Sequence[Clip]) -> dict[str, set[str]]:
    """The splits in which each speaker is heard."""
    voices = defaultdict(set)
    for clip in clips:
        if clip.speaker:
            voices[clip.speaker].add(clip.split)
    return dict(voices)


def _are_apart(voices: Sides) -> bool:
    sides = list(voices.values())
    return {"train"} in sides and {"test"} in sides and {"train", "test"} not in sides
