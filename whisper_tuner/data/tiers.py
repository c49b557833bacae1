"""Which tiers of an annotation hold what is spoken; when the file does not tell, the user does."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from whisper_tuner.data.cues import Cue, Tier, TimedText
from whisper_tuner.data.matching import parts_of
from whisper_tuner.data.split import sentence_key
from whisper_tuner.errors import InputError

SPOKEN_NAMES = (
    "text txt tx words word transcription transcriptions transcript transcr trans orthography"
    " orthographic ortho orth ort utterance utterances utt sentence sentences phrase speech"
    " verbatim default 转写 文本 文字"
)
OTHER_NAMES = (
    "translation free gloss glosses morph morphemes pos phones phone phonemes phonetic ipa notes"
    " note comment comments gesture gaze 翻译 注释"
)
SPOKEN, NOT_SPOKEN = frozenset(SPOKEN_NAMES.split()), frozenset(OTHER_NAMES.split())
MAX_LISTED = 12  # tiers in one sentence
MAX_SHOWN = 60  # characters of a tier's first text


@dataclass(frozen=True, slots=True)
class Choice:
    """What can be asked for: a tier, or all of a kind. `text`: the first that is said on it.

    `n_tiers` is 1 for a tier; the kind "*" is that of all tiers.
    """

    name: str
    n_tiers: int
    n_cues: int
    text: str


def choose(timed: TimedText, wanted: str, file: str) -> list[Tier]:
    """The tiers to be used: the wanted one, else all of the wanted kind, else the only plausible.

    Raises: InputError tier_needed, or tier_unknown when `wanted` is none of them.
    """
    tiers = _with_text(timed)
    if len(tiers) < 2:
        return tiers
    key = parts_of(wanted)
    chosen = [tier for tier in tiers if key and parts_of(tier.name) == key]
    chosen = chosen or [tier for tier in tiers if key in map(parts_of, tier.kinds)]
    if not chosen:
        chosen = [tier for tier in tiers if _sounds_spoken(tier)]
        if len(chosen) != 1:
            listed = describe(choices(timed))
            if wanted:
                raise InputError("tier_unknown", file=file, tier=wanted, tiers=listed)
            raise InputError("tier_needed", file=file, tiers=listed)
    return chosen


def choices(timed: TimedText) -> list[Choice]:
    """Every tier with text, and before them the kinds that several of them share."""
    tiers = _with_text(timed)
    cues: dict[str, list[Cue]] = {tier.name: [] for tier in tiers}
    for cue in timed.cues:
        if cue.tier in cues and sentence_key(cue.text):
            cues[cue.tier].append(cue)
    shared: dict[tuple[Tier, ...], str] = {}
    for kind in dict.fromkeys(kind for tier in tiers for kind in tier.kinds):
        group = tuple(tier for tier in tiers if kind in tier.kinds)
        if len(group) > 1:
            shared.setdefault(group, kind)
    found = []
    for name, group in [
        *((kind, group) for group, kind in shared.items()),
        *((tier.name, [tier]) for tier in tiers),
    ]:
        said = [cue for tier in group for cue in cues[tier.name]]
        text = " ".join(said[0].text.split())[:MAX_SHOWN]
        found.append(Choice(name, len(group), len(said), text))
    return found


def describe(found: Sequence[Choice]) -> str:
    """Names and numbers of cues, for a sentence."""
    listed = [f"{choice.name} ({choice.n_cues})" for choice in found[:MAX_LISTED]]
    return ", ".join(listed + ["…"] * (len(found) > MAX_LISTED))


def _with_text(timed: TimedText) -> list[Tier]:
    named = {cue.tier for cue in timed.cues if sentence_key(cue.text)}
    return [tier for tier in timed.tiers if tier.name in named]


def _sounds_spoken(tier: Tier) -> bool:
    """Whether its name, without the speaker's, is one that people give to what is spoken."""
    name = tier.name.replace(tier.speaker, " ") if tier.speaker else tier.name
    words = set(re.findall(r"[^\W\d_]+", name.casefold()))
    return bool(words & SPOKEN) and not words & NOT_SPOKEN
