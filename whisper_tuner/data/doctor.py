"""What is wrong with a dataset, before any GPU time is spent on it.

Every check is a small function of `sound_checks.py` or `text_checks.py`; here they are asked. What
is found is a warning: a clip is refused only where it cannot be used (`prepare.check`) or would
leak into the test (`split.py`). Whether a transcript says what is heard is not judged here: that
needs a model.
"""

from collections import defaultdict
from collections.abc import Sequence

from whisper_tuner.data import sound_checks, text_checks
from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.likeness import copies, link
from whisper_tuner.data.sounds import Sounds
from whisper_tuner.data.split import Copies, sentence_key

# Everything that `examine` may say, worst first: what spoils a training before what is untidy.
CODES = (
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


def find_copies(clips: Sequence[Clip], sounds: Sounds) -> dict[str, str]:
    """By the id of each clip whose recording is there more than once, exactly or nearly: the id of
    the first such clip.
    """
    pairs = list(copies([sounds[clip.id].print for clip in clips]))
    first: dict[str, int] = {}
    for i, clip in enumerate(clips):
        pairs.append((first.setdefault(sounds[clip.id].digest, i), i))
    of = link([pair for pair in pairs if pair[0] != pair[1]])
    return {clips[i].id: clips[j].id for i, j in of.items()}


def examine(clips: Sequence[Clip], sounds: Sounds, alike: Copies) -> list[Finding]:
    """What is worth a look: of each clip, in their order, then of the dataset as a whole.

    `alike`: from `find_copies`.
    """
    by_clip: dict[str, list[Finding]] = defaultdict(list)
    for finding in _beside_others(clips):
        by_clip[finding.clip].append(finding)
    copied = _copied(clips, sounds, alike)
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


def _copied(clips: Sequence[Clip], sounds: Sounds, alike: Copies) -> dict[str, Finding]:
    """By the id of each clip that is a later copy: of which, and whether it says something else."""
    exact: dict[str, Clip] = {}
    first: dict[str, Clip] = {}
    findings: dict[str, Finding] = {}
    for clip in clips:
        same = exact.setdefault(sounds[clip.id].digest, clip)
        near = first.setdefault(alike.get(clip.id, clip.id), clip)
        original = same if same is not clip else near
        if original is clip:
            continue
        code, params = "audio_near_duplicate" if same is clip else "audio_duplicate", {}
        if sentence_key(clip.text) != sentence_key(original.text):
            code, params = "copies_disagree", {"text": clip.text, "other": original.text}
        findings[clip.id] = clip.finding(code, original=original.name, **params)
    return findings
