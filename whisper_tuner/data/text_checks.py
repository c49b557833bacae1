"""What can be seen of a transcript without a model, by itself and beside all the others."""

import html
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from functools import cache, lru_cache

from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.sound_checks import JUDGED_FROM_S, Sound

MIN_STYLED = 20  # clips; with fewer there is no habit that one could break
MIN_LETTERS = 3  # to tell a script or a habit by
MIN_LETTERS_LOUD = 6  # all in capitals: more than an abbreviation
N_SHOWN = 10  # different characters that a finding shows

NOISES = (
    "noise music laughs? laughter laughing applause cough(?:s|ing)? silence inaudible crosstalk"
    " unintelligible breath(?:es|ing)? sighs? unk pause background[^)]* foreign[^)]*"
).replace(" ", "|")
MARKUP = re.compile(
    r"<[a-z/|!][^<>]{0,80}>"  # <b>, <unk>, <v Anna>
    r"|\{\\?[^{}]{1,80}\}"  # {\an8}
    r"|\[[^\[\]]{1,80}\]"  # [noise]
    rf"|\((?:{NOISES})\)"
    r"|(?:\d{1,2}:)?\d{1,2}:\d{2}[.,]\d{1,3}|-->"  # 00:01:02,345 -->
    r"|&(?:[a-z]{2,8}|#\d{1,6});"  # &amp;
    r"|\*\*|__|♪"
    r"|^(?:speaker|spk)[ _-]?\d+\s*:",
    re.IGNORECASE,
)
BEFORE_STOP = re.compile(r"\s+([,.])")  # French has a space before the others
LOST = "\N{REPLACEMENT CHARACTER}"
SPOKEN_SIGNS = frozenset("°№")  # "other symbols" that one reads out
COMPATIBLE = re.compile("[\ufb00-\ufb06\uff01-\uff5e\ufb50-\ufdff\ufe70-\ufefc]")
FULL_STOPS = {"CJK": "。", "DEVANAGARI": "।", "BENGALI": "।", "ARMENIAN": "։", "ETHIOPIC": "።"}
STOPS = ".,;:!?…。，、；：！？।॥։።؟؛،-–—"
DASHES = dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2015\u2043\u2212"), "-")
QUOTES = str.maketrans("‘’‚‛“”„‟´`", "''''\"\"\"\"''")
ODD_MARKS = frozenset("´`\ufe0f") | {chr(code) for code in DASHES}
LOOK_ALIKES = ({"LATIN", "CYRILLIC"}, {"LATIN", "GREEK"})  # never together in one word
ONE_SCRIPT = {"HIRAGANA": "CJK", "KATAKANA": "CJK", "KATAKANA-HIRAGANA": "CJK", "BOPOMOFO": "CJK"}
DENSE_SCRIPTS = {"CJK", "HANGUL"}  # a letter is a syllable

# Faster than anybody speaks, and slower than anybody reads: letters a second of sound.
MAX_WORDS_PER_S = 8
MAX_LETTERS_PER_S, MIN_LETTERS_PER_S = 40, 1.5
DENSITY = 3  # letters of other scripts that make one of a dense script
DIGIT_LETTERS = 5  # a digit is read out as a word
SLOW_FROM_S = 4.0  # a shorter clip may hold one word

NUMBER_NAMES = (
    "three four five six seven eight nine ten eleven twelve twenty thirty forty fifty hundred"
    " thousand zwei drei vier fünf sechs sieben acht neun zehn zwölf zwanzig hundert tausend"
    " trois quatre cinq huit neuf dix douze vingt trente quarante cinquante cent mille"
    " tres cuatro cinco seis siete ocho nueve diez doce veinte treinta cien"
    " tre quattro cinque sette otto nove dieci dodici venti trenta quaranta cento"
    " três quatro sete oito dez doze vinte trinta cem mil"
    " drie vijf zes zeven negen tien twaalf honderd duizend"
    " mbili tatu tano sita saba nane tisa kumi ishirini mia elfu"
)
NUMBER_WORDS = frozenset(NUMBER_NAMES.split())


# --- one transcript


def markup(clip: Clip) -> Finding | None:
    found = MARKUP.findall(clip.text)
    return clip.finding("transcript_markup", found=" ".join(found[:N_SHOWN])) if found else None


@lru_cache(maxsize=1 << 12)  # asked for the same texts by several checks
def strip_markup(text: str) -> str:
    """Without tags, notes and times, and with `&amp;` as the sign that it stands for."""
    plain = MARKUP.sub(" ", html.unescape(text))
    return BEFORE_STOP.sub(r"\1", " ".join(plain.split()))


def odd_characters(clip: Clip) -> Finding | None:
    """Signs that nobody speaks, ligatures, and other forms of ordinary letters and marks."""
    counts = Counter(char for char in MARKUP.sub(" ", clip.text) if _is_odd(char))
    shown = ", ".join(f"{char} × {n}" for char, n in counts.most_common(N_SHOWN))
    return clip.finding("characters_odd", found=shown) if counts else None


def _is_odd(char: str) -> bool:
    if char in ODD_MARKS or COMPATIBLE.match(char):
        return not _is_wide_punctuation(char)
    is_sign = unicodedata.category(char) in ("So", "Co", "Cn") and char not in SPOKEN_SIGNS
    return is_sign and char != LOST


def _is_wide_punctuation(char: str) -> bool:
    """ "，" and "？", which are the ordinary ones in Chinese and Japanese."""
    return unicodedata.category(char)[0] == "P"


def normalise_characters(text: str) -> str:
    """Ordinary letters and marks for odd ones; signs that nobody speaks go."""
    plain = (
        unicodedata.normalize("NFKC", char) if COMPATIBLE.match(char) and _is_odd(char) else char
        for char in text.translate(DASHES).translate(str.maketrans("´`", "''"))
    )
    spoken = (char for char in "".join(plain) if not _is_odd(char))
    return BEFORE_STOP.sub(r"\1", " ".join("".join(spoken).split()))


def lost_characters(clip: Clip) -> Finding | None:
    n_lost = clip.text.count(LOST)
    return clip.finding("characters_lost", n=n_lost) if n_lost else None


def garbled(clip: Clip) -> Finding | None:
    fixed = ungarble(clip.text)
    return clip.finding("characters_garbled", fixed=fixed) if fixed != clip.text else None


def ungarble(text: str) -> str:
    """UTF-8 that was read as Windows-1252 ("CaffÃ¨"), read right; any other text as it is."""
    try:
        return text if text.isascii() else text.encode("cp1252").decode("utf-8")
    except UnicodeError:
        return text


def mixed_scripts(clip: Clip) -> Finding | None:
    """Words with letters that only look like those beside them, such as a Cyrillic а."""
    words = [word for word in clip.text.split() if _scripts(word) in LOOK_ALIKES]
    return clip.finding("scripts_mixed", found=" ".join(words[:N_SHOWN])) if words else None


def _scripts(word: str) -> set[str]:
    return {script(char) for char in word if char.isalpha()}


@cache
def script(char: str) -> str:
    """LATIN, GREEK, CJK, …: the first word of a letter's name; Japanese has one with Chinese."""
    name = unicodedata.name(char, "UNKNOWN").split(" ")[0].removesuffix("-LETTER")
    return ONE_SCRIPT.get(name, name)


# --- the transcript beside its sound


def speech_rate(clip: Clip, sound: Sound) -> Finding | None:
    """More words or letters than one can say in that time, or far fewer than anybody would."""
    sound_s = max(clip.duration_s - sound.lead_s - sound.tail_s, 0.1)
    words_per_s = len(clip.text.split()) / clip.duration_s
    letters_per_s = speech_length(clip.text) / sound_s
    is_word = clip.duration_s < JUDGED_FROM_S
    if words_per_s > MAX_WORDS_PER_S or (not is_word and letters_per_s > MAX_LETTERS_PER_S):
        per_s = {"words_per_s": round(words_per_s), "letters_per_s": round(letters_per_s)}
        return clip.finding("speech_rate_odd", **per_s)
    if sound_s > SLOW_FROM_S and letters_per_s < MIN_LETTERS_PER_S:
        return clip.finding("speech_rate_slow", text=clip.text, seconds=round(sound_s, 1))
    return None


def speech_length(text: str) -> float:
    """In letters of an alphabet: a Chinese one counts as three, a digit as five."""
    letters = sum(DENSITY if script(c) in DENSE_SCRIPTS else 1 for c in text if c.isalpha())
    return letters + DIGIT_LETTERS * sum(char.isdigit() for char in text)


# --- a transcript beside all others


def other_script(clips: Sequence[Clip]) -> list[Finding]:
    """Transcripts that are not in the script of most."""
    of_clips = {clip.name: Counter(map(script, filter(str.isalpha, clip.text))) for clip in clips}
    common = Counter(counts.most_common(1)[0][0] for counts in of_clips.values() if counts)
    if len(clips) < MIN_STYLED or not common:
        return []
    usual = common.most_common(1)[0][0]
    findings = []
    for clip in clips:
        counts = of_clips[clip.name]
        n_other = counts.total() - counts[usual]
        if n_other >= MIN_LETTERS and n_other > counts.total() / 2:
            strange = {char for char in clip.text if char.isalpha() and script(char) != usual}
            shown = " ".join(sorted(strange)[:N_SHOWN])
            findings.append(clip.finding("script_unlike", found=shown, usual=usual.capitalize()))
    return findings


def _end(text: str) -> str:
    """Whether a sentence ends with a mark; "" for a word or two, which need none."""
    if len(text.split()) < MIN_LETTERS and sum(map(str.isalpha, text)) < 4 * MIN_LETTERS:
        return ""
    bare = text.rstrip("\"'”’»)")
    is_stopped = unicodedata.category(bare[-1:] or " ")[0] == "P"
    return "punctuation_stopped" if is_stopped else "punctuation_open"


def _casing(text: str) -> str:
    cased = [char for char in text if char.isupper() or char.islower()]
    if len(cased) < MIN_LETTERS_LOUD:
        return ""
    if all(map(str.isupper, cased)):
        return "casing_upper"
    return "casing_sentence" if any(map(str.isupper, cased)) else "casing_lower"


def recase(text: str, usual: str) -> str:
    """In the casing that is usual: the code of a habit."""
    if usual == "casing_upper":
        return text.upper()
    lower = text.lower() if text.isupper() or usual == "casing_lower" else text
    first = next((i for i, char in enumerate(lower) if char.isalpha()), 0)
    is_sentence = usual == "casing_sentence"
    return lower[:first] + lower[first:][:1].upper() + lower[first + 1 :] if is_sentence else lower


def add_stop(text: str) -> str:
    """With the full stop of its script at the end."""
    last = next((script(char) for char in reversed(text) if char.isalpha()), "")
    return text + FULL_STOPS.get(last, ".")


def remove_stop(text: str) -> str:
    """Without the marks at its end; quotes and brackets stay when they close what was opened."""
    return text.rstrip(STOPS + " ")


def _quotes(text: str) -> str:
    curly, straight = any(char in "‘’“”" for char in text), any(char in "'\"" for char in text)
    return "" if curly == straight else "quotes_curly" if curly else "quotes_straight"


def _numbers(text: str) -> str:
    if re.search(r"(?<!\w)\d", text):
        return "numbers_digits"
    return "numbers_words" if NUMBER_WORDS & set(re.findall(r"\w+", text.casefold())) else ""


HABITS = (_end, _casing, _quotes, _numbers)


def unlike_others(clips: Sequence[Clip], habit_of: Callable[[str], str]) -> list[Finding]:
    """Transcripts that break the habit of most, in one of `HABITS`: the code is their own habit."""
    habits = {clip.name: habit_of(strip_markup(clip.text)) for clip in clips}
    common = Counter(habit for habit in habits.values() if habit)
    if common.total() < MIN_STYLED or len(common) < 2:
        return []
    usual, n_usual = common.most_common(1)[0]
    return [
        clip.finding(habits[clip.name], usual=usual, n=n_usual, text=clip.text)
        for clip in clips
        if habits[clip.name] not in ("", usual)
    ]


def repeated_texts(clips: Sequence[Clip], key: Callable[[str], str]) -> list[Finding]:
    """How many sentences were read more than once. Prompts may repeat: this is for information."""
    by_key = defaultdict(list)
    for clip in clips:
        by_key[key(clip.text)].append(clip)
    several = sorted((same for same in by_key.values() if len(same) > 1), key=len, reverse=True)
    if not several:
        return []
    params = {
        "n_sentences": len(several),
        "n_clips": sum(map(len, several)),
        "example": several[0][0].text,
        "times": len(several[0]),
    }
    return [Finding("texts_repeat", clip="", refused=False, params=params)]


CHECKS = (markup, odd_characters, lost_characters, garbled, mixed_scripts)
