"""What every timed transcript is, whichever program wrote it: cues on tiers."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field

MAX_TIME_S = 1e6  # eleven days; whatever is later is no time of a recording
CLOCK = r"(?:(\d{1,4}):)?([0-5]?\d):([0-5]?\d)(?:[.,](\d{1,6}))?"  # hours and fraction may lack


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said from `start_s` to `end_s`. `line`: where it stands in its file, from 1; in a
    JSON file, which segment it is.
    """

    start_s: float
    end_s: float
    text: str
    line: int
    speaker: str = ""
    tier: str = ""


@dataclass(frozen=True, slots=True)
class Tier:
    """One line of annotation of several that run beside each other.

    `kinds`: what it has in common with others (an ELAN type; "words" of "Anna - words").
    `speaker`: who it belongs to, where the file says so.
    """

    name: str
    kinds: tuple[str, ...] = ()
    speaker: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """A recording that a transcript names; the cues begin `origin_s` later in it."""

    name: str
    origin_s: float = 0.0


@dataclass(frozen=True)
class TimedText:
    """The cues of one file, in its order. `broken`: lines of what should be a cue and is none.

    `tiers`: none where the format knows no tiers. `point_tiers`: those without durations.
    """

    cues: list[Cue]
    broken: list[int] = field(default_factory=list)
    tiers: list[Tier] = field(default_factory=list)
    point_tiers: list[str] = field(default_factory=list)
    media: list[Media] = field(default_factory=list)
    guessed: bool = False  # its encoding is a guess


def seconds(value: object, scale: float = 1.0) -> float | None:
    """A time of day-to-day size, in seconds; None for everything else a file may hold."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        time_s = float(value) * scale
    except (ValueError, OverflowError):
        return None
    return time_s if math.isfinite(time_s) and 0 <= time_s <= MAX_TIME_S else None


def clock_seconds(hours: str | None, minutes: str, rest: str, fraction: str | None) -> float:
    """The groups of `CLOCK` as seconds."""
    return int(hours or 0) * 3600 + int(minutes) * 60 + float(f"{rest}.{fraction or 0}")


def join_texts(texts: Iterable[str]) -> str:
    """Texts that follow each other, with spaces where their script has spaces between words."""
    joined = ""
    for text in (text.strip() for text in texts):
        glued = joined and text and _is_spaceless(joined[-1]) and _is_spaceless(text[0])
        joined += text if glued or not joined or not text else f" {text}"
    return joined


def _is_spaceless(char: str) -> bool:
    """Whether it is Chinese or Japanese, or one of their full-width marks."""
    return (
        "\u3000" <= char <= "\u30ff" or "\u3400" <= char <= "\u9fff" or "\uff00" <= char <= "\uff9f"
    )
