"""Label tables (Audacity; the TSV of Whisper) and the JSON of Whisper and WhisperX → cues."""

import json
import re
from collections.abc import Iterable, Iterator

from whisper_tuner.audio import MAX_CLIP_S
from whisper_tuner.data.cues import Cue, TimedText, seconds
from whisper_tuner.data.subtitles import LINE_END
from whisper_tuner.errors import InputError

NUMBER = r"-?\d+(?:[.,]\d+)?"
LABEL = re.compile(rf"\s*({NUMBER})\t({NUMBER})(?:\t(.*))?")
WHISPER_HEADER = "start\tend\ttext"
MS = 1e-3
Line = tuple[int, str]  # its number, from 1


def are_labels(text: str) -> bool:
    """Whether a .txt is Audacity's: the first line is a label, not words of a transcript."""
    label = LABEL.fullmatch(next(_lines(text), (0, ""))[1])
    return label is not None and label[3] is not None


def is_whisper_tsv(text: str) -> bool:
    return LINE_END.split(text, 1)[0].strip("\ufeff ").lower() == WHISPER_HEADER


def is_whisper_json(text: str) -> bool:
    """Whether a .json is meant as Whisper's, be it broken."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return '"segments"' in text
    return isinstance(data, dict) and isinstance(data.get("segments"), list)


def read_labels(text: str) -> TimedText:
    """Audacity: seconds. The frequencies of a label stand in a line of their own."""
    return _read_table(_lines(text), 1.0)


def read_whisper_tsv(text: str) -> TimedText:
    return _read_table(list(_lines(text))[1:], MS)


def _lines(text: str) -> Iterator[Line]:
    for number, line in enumerate(LINE_END.split(text), start=1):
        if line.strip() and not line.startswith("\\"):
            yield number, line


def _read_table(lines: Iterable[Line], scale: float) -> TimedText:
    cues, broken = [], []
    for number, line in lines:
        label = LABEL.fullmatch(line)
        times = (
            [seconds(time.replace(",", "."), scale) for time in label.groups()[:2]] if label else []
        )
        if not label or None in times:
            broken.append(number)
        else:
            cues.append(Cue(*times, label[3] or "", number))
    return TimedText(cues, broken)


def read_whisper_json(text: str, name: str) -> TimedText:
    """`segments` with start, end and text; a segment too long for a clip is taken by its words.

    Raises: InputError timed_text_broken.
    """
    try:
        data = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError("timed_text_broken", file=name, line=error.lineno) from error
    except (ValueError, RecursionError) as error:
        raise InputError("timed_text_broken", file=name, line=1) from error
    segments = data.get("segments") if isinstance(data, dict) else None
    if not isinstance(segments, list):
        raise InputError("timed_text_broken", file=name, line=1)
    cues: list[Cue] = []
    broken: list[int] = []
    for number, segment in enumerate(segments, start=1):
        cue = _cue(segment, "text", number)
        if cue is None:
            broken.append(number)
        elif cue.end_s - cue.start_s > MAX_CLIP_S and isinstance(segment.get("words"), list):
            cues += _words(segment["words"], cue)
        else:
            cues.append(cue)
    return TimedText(cues, broken)


def _cue(item: object, key: str, number: int) -> Cue | None:
    if not isinstance(item, dict) or not isinstance(item.get(key), str):
        return None
    start_s, end_s = seconds(item.get("start")), seconds(item.get("end"))
    speaker = item.get("speaker")
    if start_s is None or end_s is None:
        return None
    return Cue(start_s, end_s, item[key], number, speaker if isinstance(speaker, str) else "")


def _words(words: list, whole: Cue) -> list[Cue]:
    """A cue a word; one without times (WhisperX has none for "2024") belongs to the one before.

    The cue as it is when its words do not say the same as it.
    """
    cues: list[Cue] = []
    for item in words:
        word = _cue(item, "word", whole.line)
        if word is not None:
            cues.append(Cue(word.start_s, word.end_s, word.text, word.line, whole.speaker))
        elif cues and isinstance(item, dict) and isinstance(item.get("word"), str):
            last = cues.pop()
            text = f"{last.text} {item['word']}"
            cues.append(Cue(last.start_s, last.end_s, text, last.line, last.speaker))
    said = "".join("".join(cue.text for cue in cues).split())
    return cues if said == "".join(whole.text.split()) else [whole]
