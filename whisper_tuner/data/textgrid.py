"""Praat TextGrid, in its long and its short text form → cues of its interval tiers.

Both are the same row of numbers and quoted texts; the long form puts names between them, which
Praat itself skips (Praat manual, "TextGrid file formats"). So does this reader.
"""

import re
from collections.abc import Iterator

from whisper_tuner.data.cues import Cue, Tier, TimedText, seconds
from whisper_tuner.errors import InputError

NUMBER = r"[-+]?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
TOKEN = re.compile(rf'"(?:[^"]|"")*+"|(?<!\S){NUMBER}(?!\S)|(?<!\S)!.*|\n')
INTERVALS, POINTS = "IntervalTier", "TextTier"
# Of a tier: class, name, start, end, number of items. Of an interval: start, end, text.
TIER, INTERVAL = "ssnnn", "nns"
Token = tuple[str, str, int]  # "n" or "s", what it says, its line


def read_textgrid(text: str, name: str) -> TimedText:
    """Intervals without text are pauses, and no cues.

    Raises: InputError timed_text_broken when it is no TextGrid.
    """
    tokens = list(_tokens(text))
    kinds = "".join(kind for kind, _, _ in tokens)
    header = [value for _, value, _ in tokens[:2]]
    if header not in (["ooTextFile", "TextGrid"], ["ooTextFile short", "TextGrid"]):
        raise InputError("timed_text_broken", file=name, line=1)
    cues: list[Cue] = []
    broken: list[int] = []
    tiers: list[Tier] = []
    point_tiers: list[str] = []
    starts = [
        i
        for i, (_, value, _) in enumerate(tokens)
        if value in (INTERVALS, POINTS) and kinds.startswith(TIER, i)
    ]
    if not starts:
        raise InputError("timed_text_broken", file=name, line=tokens[-1][2])
    for start, end in zip(starts, [*starts[1:], len(tokens)], strict=True):
        title = tokens[start + 1][1].strip()
        if tokens[start][1] == POINTS:
            point_tiers.append(title)
            continue
        tiers.append(_tier(title))
        body = slice(start + len(TIER), end)
        _read_intervals(tokens[body], kinds[body], tiers[-1], cues, broken)
    return TimedText(cues, broken, tiers, point_tiers)


def _tokens(text: str) -> Iterator[Token]:
    line = 1
    for match in TOKEN.finditer(text.replace("\r\n", "\n").replace("\r", "\n")):
        token = match[0]
        if token.startswith('"'):
            yield "s", token[1:-1].replace('""', '"'), line
        elif not token.startswith(("!", "\n")):
            yield "n", token, line
        line += token.count("\n")


def _tier(name: str) -> Tier:
    """ "Anna - words" (as aligners write it) and "words@Anna" are Anna's words."""
    for separator, speaker_first in ((" - ", True), ("@", False)):
        before, found, behind = name.partition(separator)
        if found:
            speaker, kind = (before, behind) if speaker_first else (behind, before)
            return Tier(name, (kind.strip(),), speaker.strip())
    return Tier(name, ("*",))


def _read_intervals(
    tokens: list[Token], kinds: str, tier: Tier, cues: list[Cue], broken: list[int]
) -> None:
    i, was_broken = 0, False
    while i < len(tokens):
        if not kinds.startswith(INTERVAL, i):
            if not was_broken:
                broken.append(tokens[i][2])
            i, was_broken = i + 1, True
            continue
        (_, start, line), (_, end, _), (_, text, _) = tokens[i : i + len(INTERVAL)]
        start_s, end_s = seconds(start), seconds(end)
        if start_s is None or end_s is None or "\n" in text:  # a quotation mark is missing
            broken.append(line)
        elif text.strip():
            cues.append(Cue(start_s, end_s, text, line, tier.speaker, tier.name))
        i, was_broken = i + len(INTERVAL), False
