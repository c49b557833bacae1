"""Subtitles, SRT and WebVTT → cues.

Both are read by the same rules, because people save each under the other's name. Markup is not
spoken and goes; so do the dashes before the lines of a dialogue.
"""

import html
import re
from itertools import pairwise

from whisper_tuner.data.cues import CLOCK, Cue, TimedText, clock_seconds

LINE_END = re.compile(r"\r\n|\r|\n")
TIMING = re.compile(rf"\s*{CLOCK}\s*-->\s*{CLOCK}(?:\s.*)?")  # WebVTT's settings may follow
NO_CUE = re.compile(r"(WEBVTT|NOTE|STYLE|REGION)(\s.*)?")
COMMENT = re.compile(r"NOTE(\s.*)?")
VOICE = re.compile(r"<v(?:\.[^\s<>]*)?\s([^<>]+)>")
WORD_TIME = re.compile(r"<\d+:[\d:.]+>")
TAG = re.compile(rf"</?[A-Za-z][^<>]*>|{WORD_TIME.pattern}|</>|\{{\\[^{{}}]*\}}")
DASH = re.compile(r"^\s*[-–—]\s*")


def read_subtitles(text: str) -> TimedText:
    cues: list[Cue] = []
    broken: list[int] = []
    for first, block in _blocks(text):
        timings = [i for i, line in enumerate(block) if "-->" in line]
        if COMMENT.fullmatch(block[0]) or (not timings and NO_CUE.fullmatch(block[0])):
            continue
        if not timings and all(line.strip().isdigit() for line in block):
            continue  # a number that an empty line parted from its cue
        if not timings or (timings[0] > 1 and not NO_CUE.fullmatch(block[0])):
            is_numbered = block[0].strip().isdigit() and len(block) > 1
            broken.append(first + is_numbered)
        for i, following in pairwise([*timings, len(block)]):
            times = TIMING.fullmatch(block[i])
            spoken = block[i + 1 : following]
            if following < len(block) and spoken and spoken[-1].strip().isdigit():
                spoken.pop()  # the number of the next cue, which no empty line parts from this
            if times is None:
                broken.append(first + i)
            else:
                cues.append(_cue(times, spoken, first + i))
    return TimedText(_without_rolling(cues) if WORD_TIME.search(text) else cues, sorted(broken))


def _blocks(text: str) -> list[tuple[int, list[str]]]:
    """The lines between empty ones, each block with the number of its first line."""
    blocks: list[tuple[int, list[str]]] = []
    is_open = False
    is_vtt = text.startswith("WEBVTT")  # there, a line of spaces may be part of a cue
    for number, line in enumerate(LINE_END.split(text), start=1):
        if not (line if is_vtt else line.strip()):
            is_open = False
        elif is_open:
            blocks[-1][1].append(line)
        else:
            blocks.append((number, [line]))
            is_open = True
    return blocks


def _cue(times: re.Match, lines: list[str], number: int) -> Cue:
    clock = times.groups()
    voices = {name.strip() for line in lines for name in VOICE.findall(line)}
    return Cue(
        start_s=clock_seconds(*clock[:4]),
        end_s=clock_seconds(*clock[4:]),
        text="\n".join(filter(None, map(_plain, lines))),
        line=number,
        speaker=html.unescape(voices.pop()) if len(voices) == 1 else "",
    )


def _plain(line: str) -> str:
    return html.unescape(DASH.sub("", TAG.sub("", line))).strip()


def _without_rolling(cues: list[Cue]) -> list[Cue]:
    """Without the lines that a cue shows again because they roll up (automatic captions do)."""
    kept: list[Cue] = []
    shown: list[str] = []
    for cue in cues:
        lines = cue.text.split("\n") if cue.text else []
        new = lines[1:] if shown and lines and lines[0] == shown[-1] else lines
        shown = lines or shown
        if new:
            kept.append(Cue(cue.start_s, cue.end_s, "\n".join(new), cue.line, cue.speaker))
    return kept
