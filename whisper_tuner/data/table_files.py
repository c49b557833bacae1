"""One file of an upload → the table that it is, by what it is called and what is in it."""

from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from whisper_tuner.data import delimited, foreign
from whisper_tuner.data.drafts import draft
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.entries import Entry
from whisper_tuner.data.layouts import MAX_TEXT_BYTES, asking_encoding, draft_json, draft_list
from whisper_tuner.data.tables import (
    COMMON_VOICE_COLUMNS,
    Draft,
    Knows,
    Reading,
    Row,
    find_columns,
    plain,
)
from whisper_tuner.errors import InputError

SHEET_SUFFIXES = frozenset({".xlsx", ".xlsm", ".xlsb", ".xls", ".ods"})
JSON_LINES_SUFFIXES = frozenset({".jsonl", ".ndjson"})
TABLE_SUFFIXES = SHEET_SUFFIXES | JSON_LINES_SUFFIXES | {".csv", ".tsv", ".parquet"}
MAYBE_SUFFIXES = frozenset({".json", ".txt"})  # are tables when what is in them says so
MAX_SHEET_BYTES = 64 << 20


@dataclass(slots=True)
class Table:
    """The rows of one table; `recordings`: the column that holds the sound itself, if any."""

    entry: Entry
    rows: list[Row]
    recordings: str | None

    def taken(self) -> list[Row]:
        """The rows that are whole recordings, which the table then no longer has."""
        whole = [row for row in self.rows if row.span is None]
        self.rows = [row for row in self.rows if row.span is not None]
        return whole


def draft_file(entry: Entry, reading: Reading, knows: Knows) -> Draft | None:
    """What table a file is; None when it is none.

    Raises: InputError of what is wrong with it.
    """
    if entry.suffix in SHEET_SUFFIXES:
        return _draft_sheets(entry, reading, knows)
    if entry.suffix == ".parquet":
        records, recordings = foreign.read_parquet(entry.fetch(), entry.name)
        if recordings:
            reading = replace(reading, audio=recordings)
        found = draft(records, entry.name, replace(reading, has_header=True), knows)
        return replace(found, recordings=recordings, n_above=1)
    data = entry.read(MAX_TEXT_BYTES)
    if entry.suffix in JSON_LINES_SUFFIXES | {".json"}:
        found = draft_json(data, entry.name, reading)
        is_other = found is None or (entry.suffix == ".json" and not found.is_of_recordings)
        return None if is_other else found
    if entry.suffix == ".txt":
        return _draft_txt(data, entry.name, reading, knows)
    return draft_text(data, entry.name, reading, knows)


def draft_text(data: bytes, name: str, reading: Reading, knows: Knows) -> Draft:
    """A table as delimited text, whatever program wrote it.

    Raises: InputError table_empty, table_unreadable, table_too_long, text_encoding_unknown,
    text_encoding_wrong, text_not_text.
    """
    text, encoding, is_certain = decode_text(data, name, reading.encoding)
    if not text.strip():
        raise InputError("table_empty", file=name)

    def n_known(record: list[str]) -> int:
        return len(find_columns(record, reading, by_name=True))

    delimiter = reading.delimiter or delimited.find_delimiter(text, n_known, knows)
    header = {plain(cell) for cell in text.splitlines()[0].split("\t")}
    as_mozilla = header >= COMMON_VOICE_COLUMNS  # quotes nothing
    records = delimited.read(text, delimiter, name, marks_are_text=as_mozilla)
    found = replace(draft(records, name, reading, knows), delimiter=delimiter)
    return asking_encoding(found, encoding, is_certain)


def _draft_txt(data: bytes, name: str, reading: Reading, knows: Knows) -> Draft | None:
    """A table that was saved as .txt, or a list of lines; None for any other text."""
    try:
        found = draft_text(data, name, reading, knows)
    except InputError:
        found = None
    if (
        found
        and found.is_of_recordings
        and found.n_columns > 1
        and "columns" not in found.questions
    ):
        return found
    return draft_list(data, name, reading, knows)


def _draft_sheets(entry: Entry, reading: Reading, knows: Knows) -> Draft:
    """The first sheet that names audio and text, else the first that is not empty."""
    path = entry.fetch()
    if path.stat().st_size > MAX_SHEET_BYTES:
        raise InputError("table_too_heavy", file=entry.name)
    sheets = foreign.read_sheets(path, entry.name)
    if not sheets:
        raise InputError("table_empty", file=entry.name)
    drafts = [draft(records, entry.name, reading, knows) for records in sheets]
    good = [found for found in drafts if found.is_of_recordings and not found.questions]
    return replace(good[0], has_more=len(good) > 1) if good else drafts[0]


def stem(entry: Entry) -> str:
    return PurePosixPath(entry.file_name).stem
