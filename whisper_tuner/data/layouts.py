"""Files and folders that are tables by custom: JSON lines, lists of lines, Kaldi's data folders."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace

from whisper_tuner.data.drafts import MAX_ROWS, draft
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.entries import Entry
from whisper_tuner.data.tables import Draft, Knows, Reading, cell
from whisper_tuner.errors import InputError

MAX_TEXT_BYTES = 32 << 20  # 100,000 rows of 300 bytes
N_LOOKED_AT = 50  # lines
KALDI_NAMES = frozenset({"wav.scp", "text", "utt2spk", "segments", "spk2utt", "spk2gender"})
# Common Voice's tables of one language; those that others have not checked, or refused, are no use.
COMMON_VOICE_TABLES = ("train", "dev", "test", "validated", "invalidated", "other")


def asking_encoding(found: Draft, encoding: str, is_certain: bool) -> Draft:
    """The draft of a text, with the question after its encoding where that was guessed."""
    if is_certain:
        return replace(found, encoding=encoding)
    return replace(found, encoding=encoding, questions=(*found.questions, "encoding"))


def draft_json(data: bytes, name: str, reading: Reading) -> Draft | None:
    """One object a line, or one list of objects; None when it is no table of recordings but other
    JSON, such as what Whisper writes.

    Where NeMo's `offset` is used, its rows are parts of longer recordings.

    Raises: InputError table_not_readable, table_empty, table_too_long.
    """
    text, encoding, is_certain = decode_text(data, name, reading.encoding)
    objects = _objects(text, name)
    if not objects:
        return None
    header = list(dict.fromkeys(key for _, item in objects for key in item))
    records = [header] + [[]] * objects[-1][0]
    for number, item in objects:
        records[number] = [_text(item.get(key)) for key in header]
    spans = {}
    if any(item.get("offset") for _, item in objects):
        spans = {
            number: _span(item.get("offset") or 0, length=item.get("duration"))
            for number, item in objects
        }
    found = draft(records, name, replace(reading, has_header=True))
    return replace(asking_encoding(found, encoding, is_certain), n_above=1, spans=spans)


def _span(start: object, end: object = 0.0, length: object = 0.0) -> tuple[float, float]:
    """Seconds where a part begins and ends; no time at all when one of them is no number."""
    try:
        start_s = float(start)
        end_s = float(end) or start_s + float(length)
    except (TypeError, ValueError, OverflowError):
        return 0.0, 0.0
    is_sound = 0 <= start_s < end_s < math.inf
    return (start_s, end_s) if is_sound else (0.0, 0.0)


def _objects(text: str, name: str) -> list[tuple[int, dict]]:
    """The objects with their numbers, from 1."""
    n_parts = text.count("{") + text.count("[")  # each takes far more memory than in the file
    if n_parts > 4 * MAX_ROWS:
        raise InputError("table_too_long", file=name, rows=n_parts, limit=MAX_ROWS)
    try:
        if text.lstrip("\ufeff \t\r\n").startswith("["):
            items = list(enumerate(json.loads(text), start=1))
        else:
            lines = enumerate(text.splitlines(), start=1)
            items = [(number, json.loads(line)) for number, line in lines if line.strip()]
    except RecursionError as error:
        raise InputError("table_not_readable", file=name) from error
    except ValueError as error:
        if not name.casefold().endswith(".json"):
            raise InputError("table_not_readable", file=name) from error
        return []
    return items if all(isinstance(item, dict) for _, item in items) else []


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None | list():
            return ""
        case dict():  # as the Hub writes an audio column
            return _text(value.get("path"))
        case _:
            return json.dumps(value)


def draft_list(data: bytes, name: str, reading: Reading, knows: Knows) -> Draft | None:
    """A line for each recording: its name, white space, its transcript; as in Azure's trans.txt and
    LibriSpeech's .trans.txt. None when most lines do not begin with the name of a recording.
    """
    text, encoding, is_certain = decode_text(data, name, reading.encoding)
    records = [_name_and_text(line) for line in text.splitlines()]
    sample = [record for record in records if record][:N_LOOKED_AT]
    if 2 * sum(bool(knows(record[0])) for record in sample) <= len(sample):
        return None
    found = Draft(name, records, None, {"audio": 0, "text": 1})
    return asking_encoding(found, encoding, is_certain)


def _name_and_text(line: str) -> list[str]:
    return line.strip().split("\t" if "\t" in line else None, 1)


def draft_kaldi(files: Mapping[str, Entry], reading: Reading) -> Draft:
    """A data folder: `text`, and where they are there, `wav.scp`, `utt2spk`, and `segments`, which
    cuts utterances out of longer recordings. A folder called train, dev or test is that split. What
    `wav.scp` would have a shell do is never done: such a row has a problem.
    """
    known: dict[str, dict[str, str]] = {}
    text = files["text"]
    data = text.read(MAX_TEXT_BYTES)
    content, encoding, is_certain = decode_text(data, text.name, reading.encoding)
    for name in ("wav.scp", "utt2spk", "segments"):
        lines: list[str] = []
        if name in files:
            raw = files[name].read(MAX_TEXT_BYTES)
            lines = decode_text(raw, files[name].name, reading.encoding or encoding)[0].splitlines()
        known[name] = {p[0]: cell(p, 1) for line in lines if (p := line.strip().split(None, 1))}
    split = text.folder[-1] if text.folder else ""
    records = [["file", "text", "speaker", "split"]]
    spans = {}
    for number, line in enumerate(content.splitlines(), start=1):
        parts = line.strip().split(None, 1)
        utterance = cell(parts, 0)
        segment = known["segments"].get(utterance, "").split()
        recording = cell(segment, 0) or utterance
        path = known["wav.scp"].get(recording, recording)
        if segment:
            spans[number] = _span(cell(segment, 1), cell(segment, 2))
        speaker = known["utt2spk"].get(utterance, "")
        records.append([path, cell(parts, 1), speaker, split] if parts else [])
    found = draft(records, text.name, replace(reading, audio=None, text=None))
    return replace(asking_encoding(found, encoding, is_certain), n_above=1, spans=spans)


def left_out(names: list[tuple[tuple[str, ...], str]]) -> set[int]:
    """Which of Common Voice's tables, by folder and stem, are not read: the official train, dev and
    test where they are there, else the validated, and never what others have not agreed to.
    """
    out = set()
    for i, (folder, stem) in enumerate(names):
        beside = {other for place, other in names if place == folder}
        if {"train", "test"} <= beside:
            used = {"train", "dev", "test"}
        else:
            used = {"validated"} if "validated" in beside else {"train", "dev", "test"}
        if stem in COMMON_VOICE_TABLES and stem not in used:
            out.add(i)
    return out
