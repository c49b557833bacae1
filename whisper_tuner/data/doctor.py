"""What is wrong with a dataset, before any GPU time is spent on it.

Every check is a small function of `sound_checks.py` or `text_checks.py`; here they are asked. What
is found is a warning: a clip is refused only where it cannot be used (`checking.py`) or would
leak into the test (`split.py`). Whether a transcript says what is heard is not judged here: that
needs a model (`evaluation/doubts.py`).
"""

from collections import defaultdict
from collections.abc import Sequence

from whisper_tuner.data import sound_checks, text_checks
from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.likeness import copies
from whisper_tuner.data.sounds import Sounds
from whisper_tuner.data.split import Copies, sentence_key

SAME_LENGTH = 0.75  # share of the longer one's sound; a shorter copy is a part of it
Pairs = list[tuple[str, str]]

# What a model that listened may say (`listened.py`): it stays where the rest is said anew.
HEARD = ("text_of_another", "text_not_heard", "heard_no_speech", "heard_language")
# That, and everything that `examine` may say, worst first: what spoils a training before what is
# untidy.
CODES = (
    *HEARD,
    "copies_disagree",
    "characters_garbled",
    "characters_lost",
    "audio_no_speech",
    "speech_rate_odd",
    "speech_rate_slow",
    "script_unlike",
    "scripts_mixed",
    "transcript_markup",
    "audio_duplicate",
    "audio_near_duplicate",
    "audio_overlaps",
    "audio_noisy",
    "audio_clipped",
    "audio_quiet",
    "audio_very_short",
    "audio_silent_ends",
    "characters_odd",
    "casing_upper",
    "casing_lower",
    "casing_sentence",
    "punctuation_open",
    "punctuation_stopped",
    "numbers_digits",
    "numbers_words",
    "quotes_curly",
    "quotes_straight",
    "texts_repeat",
)
SAID_ANEW = frozenset(CODES) - frozenset(HEARD)


def find_copies(clips: Sequence[Clip], sounds: Sounds) -> Pairs:
    """Ids (earlier, later) of clips with the same recording, exactly or nearly, or with one that
    contains the other's; enough pairs to link all of them.
    """
    pairs = copies([sounds[clip.id].print for clip in clips])
    first: dict[str, int] = {}
    for i, clip in enumerate(clips):
        same = first.setdefault(sounds[clip.id].digest, i)
        if same != i:
            pairs.append((same, i))
    return [(clips[i].id, clips[j].id) for i, j in pairs]


def group(pairs: Pairs) -> Copies:
    """By the id of each clip that is in a pair: what it shares with all that it is linked to."""
    first: dict[str, str] = {}

    def root(clip_id: str) -> str:
        while first.setdefault(clip_id, clip_id) != clip_id:
            first[clip_id] = first[first[clip_id]]
            clip_id = first[clip_id]
        return clip_id

    for one, other in pairs:
        first[root(other)] = root(one)
    return {clip_id: root(clip_id) for clip_id in first}


def examine(clips: Sequence[Clip], sounds: Sounds, pairs: Pairs) -> list[Finding]:
    """What is worth a look: of each clip, in their order, then of the dataset as a whole.

    `pairs`: from `find_copies`; a clip in them may be none of the clips.
    """
    by_clip: dict[str, list[Finding]] = defaultdict(list)
    for finding in _beside_others(clips):
        by_clip[finding.clip].append(finding)
    copied = _copied(clips, sounds, pairs)
    findings = []
    for clip in clips:
        found = [check(clip, sounds[clip.id]) for check in sound_checks.CHECKS]
        found.append(text_checks.speech_rate(clip, sounds[clip.id]))
        found += [check(clip) for check in text_checks.CHECKS]
        found.append(copied.get(clip.id))
        findings += [finding for finding in found if finding]
        findings += by_clip.pop(clip.name, [])
    return findings + text_checks.repeated_texts(clips, sentence_key)


def _beside_others(clips: Sequence[Clip]) -> list[Finding]:
    findings = text_checks.other_script(clips)
    for habit_of in text_checks.HABITS:
        findings += text_checks.unlike_others(clips, habit_of)
    return findings


def _copied(clips: Sequence[Clip], sounds: Sounds, pairs: Pairs) -> dict[str, Finding]:
    """By the id of each clip that is a later copy: of which, and whether it says something else."""
    by_id = {clip.id: clip for clip in clips}
    findings: dict[str, Finding] = {}
    for one, other in sorted(pairs):
        if one in by_id and other in by_id:
            told = _of_pair(by_id[one], by_id[other], sounds)
            known = findings.get(other)
            if not known or CODES.index(told.code) < CODES.index(known.code):
                findings[other] = told
    return findings


def _of_pair(one: Clip, other: Clip, sounds: Sounds) -> Finding:
    n_frames = [int(sounds[clip.id].print.loud.sum()) for clip in (one, other)]
    if min(n_frames) < SAME_LENGTH * max(n_frames):
        return other.finding("audio_overlaps", original=one.name)
    if sentence_key(one.text) != sentence_key(other.text):
        texts = {"text": other.text, "other": one.text}
        return other.finding("copies_disagree", original=one.name, **texts)
    is_exact = sounds[one.id].digest == sounds[other.id].digest
    code = "audio_duplicate" if is_exact else "audio_near_duplicate"
    return other.finding(code, original=one.name)
