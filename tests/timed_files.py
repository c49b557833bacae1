"""Timed transcripts as the programs write them, for the same cues in every format."""

import json
from collections.abc import Callable, Sequence

from whisper_tuner.data.cues import Cue


def clock(time_s: float, mark: str) -> str:
    ms = round(time_s * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02}{mark}{ms % 1000:03}"


def srt(cues: Sequence[Cue]) -> str:
    blocks = (
        f"{i}\n{clock(cue.start_s, ',')} --> {clock(cue.end_s, ',')}\n{cue.text}\n"
        for i, cue in enumerate(cues, start=1)
    )
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    blocks = (
        f"{clock(cue.start_s, '.')} --> {clock(cue.end_s, '.')} align:start position:0%\n"
        f"<v {cue.speaker}><i>{cue.text}</i></v>\n"
        for cue in cues
    )
    return "WEBVTT - a title\n\nNOTE checked by\nAnna\n\nSTYLE\n::cue {}\n\n" + "\n".join(blocks)


def _intervals(cues: Sequence[Cue]) -> list[tuple[float, float, str]]:
    """With the pauses, as Praat has them."""
    intervals, last_s = [], 0.0
    for cue in cues:
        if cue.start_s > last_s:
            intervals.append((last_s, cue.start_s, ""))
        intervals.append((cue.start_s, cue.end_s, cue.text))
        last_s = cue.end_s
    return [(start, end, text.replace('"', '""')) for start, end, text in intervals]


def textgrid(cues: Sequence[Cue]) -> str:
    items = _intervals(cues)
    end_s = cues[-1].end_s
    lines = [
        'File type = "ooTextFile"\nObject class = "TextGrid"\n',
        f"xmin = 0 \nxmax = {end_s} \ntiers? <exists> \nsize = 2 \nitem []: ",
        f'    item [1]:\n        class = "IntervalTier" \n        name = "words" \n'
        f"        xmin = 0 \n        xmax = {end_s} \n        intervals: size = {len(items)} ",
    ]
    for i, (start, end, text) in enumerate(items, start=1):
        lines.append(f"        intervals [{i}]:\n            xmin = {start} ")
        lines.append(f'            xmax = {end} \n            text = "{text}" ')
    lines.append(
        f'    item [2]:\n        class = "TextTier" \n        name = "clicks" \n        xmin = 0 \n'
        f"        xmax = {end_s} \n        points: size = 1 \n        points [1]:\n"
        '            number = 0.5 \n            mark = "click" '
    )
    return "\n".join(lines)


def short_textgrid(cues: Sequence[Cue]) -> str:
    items = _intervals(cues)
    end_s = cues[-1].end_s
    lines = ['File type = "ooTextFile"\nObject class = "TextGrid"\n', f"0\n{end_s}\n<exists>\n1"]
    lines.append(f'"IntervalTier"\n"words"\n0\n{end_s}\n{len(items)}')
    lines += [f'{start}\n{end}\n"{text}"' for start, end, text in items]
    return "\n".join(lines) + "\n"


def eaf(cues: Sequence[Cue], media: str = "") -> str:
    """A time-aligned tier for each speaker."""
    slots, tiers = [], {}
    for i, cue in enumerate(cues):
        for j, time_s in enumerate((cue.start_s, cue.end_s)):
            value = round(time_s * 1000)
            slots.append(f'<TIME_SLOT TIME_SLOT_ID="t{i}_{j}" TIME_VALUE="{value}"/>')
        tiers.setdefault(cue.speaker, []).append(
            f'<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a{i}" TIME_SLOT_REF1="t{i}_0"'
            f' TIME_SLOT_REF2="t{i}_1">\n<ANNOTATION_VALUE>{cue.text}</ANNOTATION_VALUE>'
            "</ALIGNABLE_ANNOTATION></ANNOTATION>\n"
        )
    blocks = []
    for who, annotations in tiers.items():
        blocks.append(
            f'<TIER LINGUISTIC_TYPE_REF="utterance" PARTICIPANT="{who}" TIER_ID="ut@{who}">\n'
            + "".join(annotations)
            + "</TIER>\n"
        )
    descriptor = f'<MEDIA_DESCRIPTOR MEDIA_URL="file:///C:/films/{media}" MIME_TYPE="audio/x-wav"/>'
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ANNOTATION_DOCUMENT FORMAT="3.0">\n<HEADER>'
        + (descriptor if media else "")
        + "</HEADER>\n<TIME_ORDER>\n"
        + "\n".join(slots)
        + "\n</TIME_ORDER>\n"
        + "".join(blocks)
        + "</ANNOTATION_DOCUMENT>\n"
    )


def audacity(cues: Sequence[Cue]) -> str:
    return "".join(
        f"{cue.start_s:.6f}\t{cue.end_s:.6f}\t{cue.text}\n\\\t120.000000\t4000.000000\n"
        for cue in cues
    )


def whisper(cues: Sequence[Cue]) -> str:
    segments = [
        {"id": i, "seek": 0, "start": cue.start_s, "end": cue.end_s, "text": f" {cue.text}"}
        for i, cue in enumerate(cues)
    ]
    said = " ".join(cue.text for cue in cues)
    return json.dumps({"text": said, "segments": segments, "language": "it"}, indent=1)


def whisperx(cues: Sequence[Cue]) -> str:
    segments = [
        {
            "start": cue.start_s,
            "end": cue.end_s,
            "text": f" {cue.text}",
            "speaker": cue.speaker,
            "words": [{"word": word, "score": 0.9} for word in cue.text.split()],
        }
        for cue in cues
    ]
    return json.dumps({"segments": segments, "word_segments": []}, ensure_ascii=False)


def whisper_tsv(cues: Sequence[Cue]) -> str:
    rows = (f"{cue.start_s * 1000:.0f}\t{cue.end_s * 1000:.0f}\t{cue.text}\n" for cue in cues)
    return "start\tend\ttext\n" + "".join(rows)


WRITERS: dict[str, tuple[str, Callable[[Sequence[Cue]], str]]] = {
    "SubRip": (".srt", srt),
    "WebVTT": (".vtt", vtt),
    "TextGrid": (".TextGrid", textgrid),
    "short TextGrid": (".TextGrid", short_textgrid),
    "ELAN": (".eaf", eaf),
    "Audacity": (".txt", audacity),
    "Whisper": (".json", whisper),
    "WhisperX": (".json", whisperx),
    "Whisper's TSV": (".tsv", whisper_tsv),
}
HAVE_SPEAKERS = ("WebVTT", "ELAN", "WhisperX")
