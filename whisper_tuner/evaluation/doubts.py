"""Which clips are not what their transcripts say, judged by what the base heard in all of them.

A base hears most of a language that it hardly knows wrong, so no fixed error rate tells a wrong
transcript. Each clip is compared with strangers instead: transcripts of other clips, about as long
as its own. A clip is doubted when it is an outlier among the clips of its own dataset (median and
MAD, with the limit 3.5: Iglewicz & Hoaglin 1993, How to Detect and Handle Outliers), and what was
heard is no nearer to its own transcript than to strangers' (score normalisation by a cohort,
"T-norm": Auckenthaler, Carey & Lloyd-Thomas 2000, Digital Signal Processing 10) or much nearer to
another clip's. Where so much is heard wrong that nothing could be an outlier, nobody is accused,
and that is said. What language a clip is in, and whether anybody speaks, is judged beside the other
clips too.
"""

import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.text_checks import speech_length, strip_markup
from whisper_tuner.evaluation.normalize import normalize

MIN_JUDGED = 20  # clips; with fewer there is no distribution to be unlike
MIN_LENGTH = 8  # letters of an alphabet (`speech_length`); a shorter text is nearly anything
N_STRANGERS = 50
OWN_FROM = 2.0  # standard deviations nearer than strangers: one stranger in 44 is as near
OUTLIER = 3.5 * 1.4826  # MADs above the median; 1.4826 MADs are a standard deviation
LEAST_LIMIT, LAST_LIMIT = 0.4, 0.9  # of the strangers' distance; a limit above accuses nobody
SWAPPED = 0.5  # of the distance to the own transcript: that to another one is at most this
LOOPS_FROM = 2.4  # openai/whisper, transcribe.py: compression_ratio_threshold
LOOP_ROOM = 1.2  # of the transcript's letters: so many are kept of a text that repeats itself
N_SHOWN = 200  # characters of what was heard
NO_SPEECH = 0.6  # openai/whisper, transcribe.py: no_speech_threshold
HARDLY = 0.1  # of the letters a second that are heard in half of the clips
USUAL_SHARE = 0.25  # of the clips: a language that so many are taken for is usual here
UNUSUAL, SURE = 0.1, 0.8  # probability of all usual ones, and of the likeliest
AGREED = 0.6  # share of clips whose language is likely a usual one
LANGUAGE_FROM_S = 2.0  # a word or two sound like many languages


@dataclass(frozen=True)
class Heard:
    """`languages`: probabilities by code, of the likeliest only. `no_speech`: that of no speech."""

    text: str
    languages: dict[str, float]
    no_speech: float


@dataclass(frozen=True)
class Nearness:
    """Of a clip: the distance of what was heard to its own transcript, as a share of characters;
    that over the mean distance to strangers' (1: as far as these); and how many standard
    deviations of theirs it is nearer.
    """

    distance: float
    relative: float
    nearer: float


def judge(clips: Sequence[Clip], heard: Mapping[str, Heard], language: str) -> list[Finding]:
    """What is doubted, and behind that one sentence about the whole. `heard`: by the clips' ids.

    A clip is doubted for one reason: no speech, another language, another text.
    """
    judged = [clip for clip in clips if can_be_judged(clip.text, heard[clip.id].text, language)]
    own = [_letters(clip.text, language) for clip in judged]
    said = [
        _unlooped(_letters(heard[clip.id].text, language), len(text))
        for clip, text in zip(judged, own, strict=True)
    ]
    near = dict(zip([clip.id for clip in judged], nearness(own, said), strict=True))
    limit = _limit(list(near.values()))
    found = _of_texts(judged, own, said, heard, near, limit)
    found |= _in_others(clips, heard)
    found |= _without_speech(judged, said, heard, near)
    counts = {"n": len(clips), "n_judged": len(judged), "n_doubted": len(found)}
    told = "listened"
    if len(judged) < MIN_JUDGED:
        told = "listened_too_few"
    elif limit > LAST_LIMIT:
        told = "listened_in_vain"
    about = Finding(told, clip="", refused=False, params={**counts, "language": language})
    return [*(found[clip.id] for clip in clips if clip.id in found), about]


def can_be_judged(text: str, heard: str, language: str) -> bool:
    """Not a few letters, nor where one of both is mostly digits: "68" is "sessantotto"."""
    lengths = [speech_length(_letters(one, language)) for one in (text, heard)]
    with_digits = map(speech_length, (text, heard))
    is_numeric = any(
        all_in > 2 * letters for all_in, letters in zip(with_digits, lengths, strict=True)
    )
    return lengths[0] >= MIN_LENGTH and not is_numeric


def _letters(text: str, language: str) -> str:
    """What two texts are compared by: no spaces, and no digits, which are written in two ways."""
    plain = normalize(strip_markup(text), language)
    return "".join(char for char in plain if char != " " and unicodedata.category(char)[0] != "N")


def _unlooped(said: str, n_letters: int) -> str:
    """What was heard; only its beginning where the base then repeated itself."""
    content = said.encode()
    is_loop = len(content) > LOOPS_FROM * len(zlib.compress(content))
    return said[: round(LOOP_ROOM * n_letters)] if is_loop else said


def nearness(own: Sequence[str], said: Sequence[str]) -> list[Nearness]:
    """Of each clip. Strangers are the texts next in length, but for those that are its own too.

    Clips are compared in blocks of neighbours, so the cost is of clips × strangers.
    """
    order = sorted(range(len(own)), key=lambda i: len(own[i]))
    found: dict[int, Nearness] = {}
    for begin in range(0, len(order), N_STRANGERS):
        block = order[begin : begin + N_STRANGERS]
        around = order[max(0, begin - N_STRANGERS // 2) : begin + 3 * N_STRANGERS // 2]
        texts = [own[j] for j in around]
        distances = _distances([said[i] for i in block], texts)
        for i, row in zip(block, distances, strict=True):
            is_own = np.array([text == own[i] for text in texts])
            strangers = row[~is_own] if not is_own.all() else np.ones(1)
            distance, mean = float(row[is_own][0]), max(float(strangers.mean()), 1e-6)
            spread = max(float(strangers.std()), 1e-6)
            found[i] = Nearness(distance, distance / mean, (mean - distance) / spread)
    return [found[i] for i in range(len(own))]


def _distances(said: Sequence[str], texts: Sequence[str]) -> np.ndarray:
    """Edits over characters of the longer one, shape = (said, texts)."""
    return process.cdist(said, texts, scorer=Levenshtein.normalized_distance, dtype=np.float32)


def _limit(near: Sequence[Nearness]) -> float:
    """Above this relative distance a clip is an outlier here."""
    relative = np.array([one.relative for one in near]) if near else np.ones(1)
    middle = np.median(relative)
    return max(LEAST_LIMIT, float(middle + OUTLIER * np.median(abs(relative - middle))))


def _of_texts(
    clips: Sequence[Clip],
    own: Sequence[str],
    said: Sequence[str],
    heard: Mapping[str, Heard],
    near: Mapping[str, Nearness],
    limit: float,
) -> dict[str, Finding]:
    """Clips whose transcript was not heard, by their ids."""
    if len(clips) < MIN_JUDGED or limit > LAST_LIMIT:
        return {}
    outliers = [i for i, clip in enumerate(clips) if near[clip.id].relative > limit]
    found = {}
    for i, row in zip(outliers, _distances([said[i] for i in outliers], own), strict=True):
        clip, nearest = clips[i], int(row.argmin())
        distance = near[clip.id].distance
        is_anothers = row[nearest] <= SWAPPED * distance
        if is_anothers or near[clip.id].nearer < OWN_FROM:
            found[clip.id] = clip.finding(
                "text_of_another" if is_anothers else "text_not_heard",
                text=clip.text,
                heard=_shown(heard[clip.id].text),
                distance=round(distance, 2),
                **({"other": clips[nearest].name} if is_anothers else {}),
            )
    return found


def _in_others(clips: Sequence[Clip], heard: Mapping[str, Heard]) -> dict[str, Finding]:
    """Clips in another language than the others, by their ids."""
    long = [clip for clip in clips if clip.duration_s >= LANGUAGE_FROM_S]
    likeliest = {c.id: max(heard[c.id].languages, key=heard[c.id].languages.get) for c in long}
    counts = Counter(likeliest.values())
    usual = {code for code, n in counts.items() if n >= USUAL_SHARE * len(long)}
    of_usual = {
        clip.id: sum(p for code, p in heard[clip.id].languages.items() if code in usual)
        for clip in long
    }
    n_agreed = sum(p > 0.5 for p in of_usual.values())
    if len(long) < MIN_JUDGED or n_agreed < AGREED * len(long):
        return {}
    return {
        clip.id: clip.finding(
            "heard_language",
            heard_as=likeliest[clip.id],
            percent=round(100 * heard[clip.id].languages[likeliest[clip.id]]),
            usual_language=counts.most_common(1)[0][0],
        )
        for clip in long
        if of_usual[clip.id] < UNUSUAL and heard[clip.id].languages[likeliest[clip.id]] > SURE
    }


def _without_speech(
    clips: Sequence[Clip],
    said: Sequence[str],
    heard: Mapping[str, Heard],
    near: Mapping[str, Nearness],
) -> dict[str, Finding]:
    """Clips in which the base hears nobody speak, or hardly a letter where it hears many in the
    others, and nothing of the transcript; by their ids.
    """
    if len(clips) < MIN_JUDGED:
        return {}
    rates = np.array([len(s) / clip.duration_s for s, clip in zip(said, clips, strict=True)])
    silent = np.array([heard[clip.id].no_speech for clip in clips])
    is_doubted = rates < HARDLY * np.median(rates)
    if np.median(silent) < NO_SPEECH:
        is_doubted |= silent > NO_SPEECH
    return {
        clip.id: clip.finding(
            "heard_no_speech",
            heard=_shown(heard[clip.id].text),
            seconds=round(clip.duration_s, 1),
        )
        for clip, is_so in zip(clips, is_doubted, strict=True)
        if is_so and near[clip.id].nearer < OWN_FROM
    }


def _shown(said: str) -> str:
    return said if len(said) <= N_SHOWN else f"{said[:N_SHOWN]} …"
