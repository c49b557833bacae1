"""Delimited text → records of cells, whatever program wrote it."""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from itertools import islice

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.errors import InputError

DELIMITERS = ",;\t|"
N_LOOKED_AT = 50  # lines read to find the delimiter
MAX_LINE = 10_000  # characters of each
Records = list[list[str]]
FILE_NAME = re.compile(f"(?:{'|'.join(map(re.escape, AUDIO_SUFFIXES))})$", re.IGNORECASE)


def is_file_name(cell: str) -> bool:
    """Whether a cell ends as the names of audio files do."""
    return FILE_NAME.search(cell.strip()) is not None


def find_delimiter(text: str, n_known: Callable[[list[str]], int], knows: Callable) -> str:
    """The delimiter with which a line names most columns that we know (`n_known` of its cells);
    then, most cells name recordings that are there (`knows`); then, most lines are equally long.
    """
    lines = [line[:MAX_LINE] for line in islice(filter(str.strip, _lines(text)), N_LOOKED_AT)]

    def fit(delimiter: str) -> tuple[int, int, int, int]:
        records = [next(csv.reader([line], delimiter=delimiter), []) for line in lines]
        split = [record for record in records if len(record) > 1]
        length, n_equal = Counter(map(len, records)).most_common(1)[0]
        n_files = max((sum(map(knows, c)) for c in zip(*split, strict=False)), default=0)
        named = max((n_known(record), len(record)) for record in records[:10])
        return named[0], n_files, n_equal * (length > 1), named[1]

    return max(DELIMITERS, key=fit)


def _lines(text: str) -> io.StringIO:
    return io.StringIO(text, newline=None)


def read(text: str, delimiter: str, name: str, marks_are_text: bool = False) -> Records:
    """The records of a table, read with its quotation marks or, when they mean nothing, without.

    A transcript may begin with a quotation mark that means nothing to the table. Reading it as a
    quoted cell would swallow the rows that follow; such a table has the same number of cells in
    every line, and a file name in every line, when the marks are read as text.

    Raises: InputError table_unreadable, also where both readings are possible.
    """
    plain, readable = _read(text, delimiter, csv.QUOTE_NONE)
    if marks_are_text and readable:
        return plain
    quoted, understood = _read(text, delimiter, csv.QUOTE_MINIMAL)
    regular = readable and _is_regular(plain)
    if not understood:
        if not regular or any(_is_enclosed(cell) for record in plain for cell in record):
            raise InputError("table_unreadable", file=name, row=len(quoted) + 1)
        return plain
    if not regular or len(plain) <= len(quoted):
        return quoted
    if _files_in_every_row(plain):
        return plain
    if _files_in_every_row(quoted):
        return quoted
    row = next(
        i for i, both in enumerate(zip(plain, quoted, strict=False), 1) if both[0] != both[1]
    )
    raise InputError("table_unreadable", file=name, row=row)


def _read(text: str, delimiter: str, quoting: int) -> tuple[Records, bool]:
    """The records up to the first that breaks the rules, and whether none did."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, quoting=quoting, strict=True
    )
    records = []
    try:
        for record in reader:
            records.append(record)
    except csv.Error:
        return records, False
    return records, True


def _rows(records: Records) -> Records:
    """Without blank lines, titles of one cell at the top, and empty cells at the ends."""
    rows = [without_end(record) for record in records]
    rows = [row for row in rows if row]
    while len(rows) > 1 and len(rows[0]) == 1:
        rows = rows[1:]
    return rows


def without_end(record: list[str]) -> list[str]:
    """A record without the empty cells at its end."""
    n = len(record)
    while n and not record[n - 1].strip():
        n -= 1
    return record[:n]


def _is_regular(records: Records) -> bool:
    return len({len(row) for row in _rows(records)}) == 1


def _is_enclosed(cell: str) -> bool:
    return len(cell) > 1 and cell[0] == cell[-1] == '"'


def _files_in_every_row(records: Records) -> bool:
    """Whether some column has an audio file's name in every row but the header."""
    columns = zip(*_rows(records)[1:], strict=False)
    return any(all(map(is_file_name, column)) for column in columns)
