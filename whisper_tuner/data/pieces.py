"""The cues of a recording → stretches of it that are good to learn from.

Neighbouring cues are joined to clips of 5 to 15 seconds: shorter ones tell a model little, longer
ones cost more and are cut less surely. Nothing is joined across a pause, a change of speaker, or a
cue that cannot be used, and what cannot be used is named.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from whisper_tuner.audio import MAX_CLIP_S
from whisper_tuner.data.cues import Cue, join_texts
from whisper_tuner.data.cutting import TOLERANCE_S, Segment
from whisper_tuner.data.split import sentence_key

SHORT_S, LONG_S = 5.0, 15.0  # what joined clips should last
PAUSE_S = 2.0
MARGIN_S = 0.2  # of sound before and behind, where nobody speaks
OVERLAP_S = 0.1  # cues this much into each other are only written carelessly
SENTENCE_END = re.compile(r"[.!?…。！？؟।][\"'”’»)\]]*$")
# [music], (laughs), *coughs*, and what is sung. Every alternative begins with a sign of its own, so
# that no text makes the search go back and forth.
NOT_SPEECH = re.compile(
    r"(?:\[[^\[\]]*\]|\([^()]*\)|\*[^*]*\*|【[^【】]*】|（[^（）]*）|[\s.,-])*(?:♪.*)?", re.DOTALL
)
COUNTED = ("cue_empty", "cue_not_speech", "cue_repeated")  # said once a file, with their number


@dataclass(slots=True)
class _Unit:
    """Cues that cannot be parted because their times overlap; usually one."""

    cues: list[Cue]
    problem: str
    end_s: float

    @property
    def start_s(self) -> float:
        return self.cues[0].start_s

    @property
    def speaker(self) -> str:
        return self.cues[0].speaker


def pieces(cues: Sequence[Cue], recording: str, duration_s: float, file: str) -> Iterator[Segment]:
    """Segments in the order of time, with the problems of cues among them, and what is said of
    `file`, the transcript, as a whole behind them.
    """
    ordered = sorted(cues, key=lambda cue: (cue.start_s, cue.end_s))
    problems = _problems(ordered, duration_s)
    units = _units(ordered, problems)
    quiet = _quiet(units, duration_s)
    run: list[int] = []
    for i, unit in enumerate(units):
        if run and not _belong_together(units[run[-1]], unit):
            yield from (_segment(units, part, quiet, recording) for part in _divided(units, run))
            run = []
        if not unit.problem:
            run.append(i)
        elif unit.problem not in COUNTED:
            for cue in unit.cues:
                yield _refusal(cue, unit.problem, recording, file)
    yield from (_segment(units, part, quiet, recording) for part in _divided(units, run))
    counts = Counter(problems)
    for code in COUNTED:
        if counts[code]:
            example = ordered[problems.index(code)]
            params = {"n": counts[code], "line": example.line, "text": example.text.strip()[:60]}
            yield Segment(file, recording, 0, 0, "", problem=code, params=params)


def clock(time_s: float) -> str:
    """As a player shows it, to the tenth: 65.04 → "0:01:05.0"."""
    tenths = round(time_s * 10)
    return f"{tenths // 36000}:{tenths // 600 % 60:02}:{tenths // 10 % 60:02}.{tenths % 10}"


def clip_name(recording: str, start_s: float, end_s: float) -> str:
    return f"{recording} {clock(start_s)}–{clock(end_s)}"


def _problems(cues: list[Cue], duration_s: float) -> list[str]:
    """Why each cue cannot be used, "" when it can; `cues` are in the order of time."""
    problems = []
    seen: set[tuple] = set()
    for cue in cues:
        said = (cue.start_s, cue.end_s, cue.speaker, sentence_key(cue.text))
        if cue.end_s <= cue.start_s:
            problem = "cue_ends_before_start"
        elif NOT_SPEECH.fullmatch(cue.text) and cue.text.strip(" .,-\n"):
            problem = "cue_not_speech"
        elif not sentence_key(cue.text):
            problem = "cue_empty"
        elif said in seen:
            problem = "cue_repeated"
        elif cue.start_s >= duration_s or cue.end_s > duration_s + TOLERANCE_S:
            problem = "cue_past_end"
        else:
            problem = ""
        seen.add(said)
        problems.append(problem)
    usable = [i for i, problem in enumerate(problems) if not problem]
    for i in _spoken_at_once([cues[i] for i in usable]):
        problems[usable[i]] = "cue_overlaps"
    return problems


def _spoken_at_once(cues: list[Cue]) -> set[int]:
    """Indices of cues during which another speaker's cue lasts too."""
    found: set[int] = set()
    last, before = ("", -1.0), ("", -1.0)  # latest ends so far, of two speakers
    for i, cue in enumerate(cues):
        end_s = last[1] if last[0] != cue.speaker else before[1]
        if end_s > cue.start_s + OVERLAP_S:
            found.add(i)
        if cue.speaker == last[0]:
            last = (cue.speaker, max(last[1], cue.end_s))
        elif cue.end_s > last[1]:
            last, before = (cue.speaker, cue.end_s), last
        elif cue.end_s > before[1]:
            before = (cue.speaker, cue.end_s)
    following = beyond = None  # the next cue, and the next of another speaker than that
    for i in range(len(cues) - 1, -1, -1):
        cue = cues[i]
        other = following if following and following.speaker != cue.speaker else beyond
        if other and other.start_s < cue.end_s - OVERLAP_S:
            found.add(i)
        if following and following.speaker != cue.speaker:
            beyond = following
        following = cue
    return found


def _units(cues: list[Cue], problems: list[str]) -> list[_Unit]:
    units: list[_Unit] = []
    for cue, problem in zip(cues, problems, strict=True):
        last = units[-1] if units else None
        if problem == "cue_repeated":
            continue  # it parts nothing
        if last and not (problem or last.problem) and cue.start_s < last.end_s - OVERLAP_S:
            last.cues.append(cue)
            last.end_s = max(last.end_s, cue.end_s)
        else:
            units.append(_Unit([cue], problem, cue.end_s))
    for unit in units:
        if not unit.problem and unit.end_s - unit.start_s > MAX_CLIP_S:
            unit.problem = "cue_too_long"
    return units


def _quiet(units: list[_Unit], duration_s: float) -> list[tuple[float, float]]:
    """The margins before and behind each unit: never more than half way to the next cue; less than
    nothing where two cues reach into each other.
    """
    margins = []
    earlier_s = -units[0].start_s if units else 0.0  # as if mirrored: the sound begins at 0
    for unit, following in pairwise([*units, None]):
        rest_s = 2 * (duration_s - unit.end_s)
        behind_s = rest_s if following is None else min(rest_s, following.start_s - unit.end_s)
        margins.append((_margin(unit.start_s - earlier_s), _margin(behind_s)))
        earlier_s = max(earlier_s, unit.end_s)
    return margins


def _margin(gap_s: float) -> float:
    return max(-OVERLAP_S / 2, min(MARGIN_S, gap_s / 2))


def _belong_together(one: _Unit, other: _Unit) -> bool:
    is_pause = other.start_s - one.end_s > PAUSE_S
    return not (other.problem or is_pause or one.speaker != other.speaker)


def _divided(units: list[_Unit], run: list[int]) -> Iterator[list[int]]:
    """A run of units in parts of at most `LONG_S`: parted at the end of a sentence, else at the
    longest pause, as soon as `SHORT_S` are full.
    """
    first = 0
    while first < len(run):
        latest_s = units[run[first]].start_s + LONG_S
        end = first + 1
        while end < len(run) and units[run[end]].end_s <= latest_s:
            end += 1
        if end < len(run):
            begun_s = units[run[first]].start_s
            end = max(range(first + 1, end + 1), key=lambda i: _how_good(units, run, i, begun_s))
        yield run[first:end]
        first = end


def _how_good(
    units: list[_Unit], run: list[int], i: int, begun_s: float
) -> tuple[bool, bool, float]:
    """How good it is to part a run before its unit `i`, for a part that begins at `begun_s`."""
    last, following = units[run[i - 1]], units[run[i]]
    is_sentence = SENTENCE_END.search(last.cues[-1].text.strip()) is not None
    return last.end_s - begun_s >= SHORT_S, is_sentence, following.start_s - last.end_s


def _segment(
    units: list[_Unit], part: list[int], quiet: list[tuple[float, float]], recording: str
) -> Segment:
    first, last = units[part[0]], units[part[-1]]
    spare_s = MAX_CLIP_S - (last.end_s - first.start_s)
    before_s, behind_s = min(quiet[part[0]][0], spare_s / 2), min(quiet[part[-1]][1], spare_s / 2)
    lines = (line for i in part for cue in units[i].cues for line in cue.text.splitlines())
    return Segment(
        name=clip_name(recording, first.start_s, last.end_s),
        recording=recording,
        start_s=first.start_s - before_s,
        end_s=last.end_s + behind_s,
        text=join_texts(lines),
        speaker=first.speaker,
        row=first.cues[0].line,
    )


def _refusal(cue: Cue, code: str, recording: str, file: str) -> Segment:
    params = {"file": file, "text": cue.text.strip()[:60]}
    name = clip_name(recording, cue.start_s, cue.end_s)
    return Segment(name, recording, 0, 0, cue.text, row=cue.line, problem=code, params=params)
