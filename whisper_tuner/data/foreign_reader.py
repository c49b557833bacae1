"""A process of its own that reads a spreadsheet or a Parquet file of a stranger, and nothing else.

    main("sheets" | "table" | "recordings", FILE[, COLUMN])

A file that asks for too much memory or time ends this process and not the page. What it finds goes
to standard output, a JSON value a line; behind `{"n_bytes": n}` follow the n bytes of a recording.
Started by `foreign.py`, so that nothing but the library for the file is loaded.
"""

import datetime
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import python_calamine
from python_calamine import CalamineWorkbook

from whisper_tuner import jail

MAX_MEMORY_BYTES = 3 << 30  # of addresses; pyarrow takes 0.3 GB of them before it reads
MAX_CPU_S = 300  # a Parquet file of 10,000 recordings takes a few
MAX_FILES = 64  # open
MAX_ROWS = 100_001  # a header and what tables.MAX_ROWS allows; more is told by one row more
MAX_SHEETS = 20
MAX_COLUMNS = 500
BATCH_ROWS = 8  # recordings in memory at a time
UNREADABLE = 3  # exit codes
TOO_LARGE = 4


def sheets(path: str) -> Iterator[object]:
    """`{"sheet": name}`, then its rows, and `{"n_blank": n}` for blank ones. A cell is a string, or
    `[string]` when it is no text there and may look different to a person: a date, a fraction.
    """
    with Path(path).open("rb") as file, CalamineWorkbook.from_filelike(file) as book:
        for name in book.sheet_names[:MAX_SHEETS]:
            sheet = book.get_sheet_by_name(name)
            yield {"sheet": name}
            if sheet.total_width > MAX_COLUMNS:
                sys.exit(TOO_LARGE)
            n_blank, n_before = sheet.start or (0, 0)
            n_rows = 0
            for row in sheet.to_python():
                if not any(value != "" for value in row):
                    n_blank += 1
                    continue
                yield {"n_blank": n_blank}
                yield [""] * n_before + [_cell(value) for value in row]
                n_blank, n_rows = 0, n_rows + 1
                if n_rows > MAX_ROWS:
                    break


def _cell(value: object) -> str | list[str]:
    match value:
        case str():
            return value
        case bool():
            return [str(value).upper()]
        case int():
            return str(value)
        case float():
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else [repr(value)]
        case datetime.datetime() if value.time() == datetime.time():
            return [value.date().isoformat()]
        case _:
            return [str(value)]


def table(path: str) -> Iterator[object]:
    """`{"columns": [...], "recordings": name or null}`, then the rows, of text columns only. In the
    column of recordings stands the path that came with each.
    """
    file = _open(path)
    kinds = {field.name: field.type for field in file.schema_arrow}
    recordings = next((name for name, kind in kinds.items() if _holds_sound(kind)), None)
    names = [name for name, kind in kinds.items() if _is_plain(kind)][:MAX_COLUMNS]
    if recordings:
        names.append(recordings)
    yield {"columns": names, "recordings": recordings}
    leaves = [f"{name}.path" if name == recordings else name for name in names]
    n_rows = 0
    for batch in file.iter_batches(BATCH_ROWS * 16, columns=leaves, use_threads=False):
        cells = batch.to_pydict()
        columns = [cells.get(name) or [None] * batch.num_rows for name in names]
        for row in zip(*columns, strict=True):
            n_rows += 1
            if n_rows > MAX_ROWS:
                return
            yield [_text(cell) for cell in row]


def _text(cell: object) -> str:
    if isinstance(cell, dict):
        cell = cell.get("path")
    return "" if cell is None else str(cell)


def _holds_sound(kind: pyarrow.DataType) -> bool:
    if not pyarrow.types.is_struct(kind):
        return False
    return "bytes" in {kind.field(i).name for i in range(kind.num_fields)}


def _is_plain(kind: pyarrow.DataType) -> bool:
    types = pyarrow.types
    return (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_integer(kind)
        or types.is_dictionary(kind)
    )


def recordings(path: str, column: str) -> Iterator[object]:
    """`{"n_bytes": n}` and the bytes of every row, `{"n_bytes": null}` where there are none."""
    leaf = f"{column}.bytes"
    for batch in _open(path).iter_batches(BATCH_ROWS, columns=[leaf], use_threads=False):
        for value in batch.column(column).to_pylist():
            sound = (value or {}).get("bytes")
            yield {"n_bytes": None if sound is None else len(sound)}
            yield sound or b""


def _open(path: str) -> pyarrow.parquet.ParquetFile:
    return pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=1 << 16)


def main(kind: str, path: str, *column: str) -> None:
    jail.limit(MAX_MEMORY_BYTES, MAX_CPU_S, MAX_FILES)
    read = {"sheets": sheets, "table": table, "recordings": recordings}[kind]
    out = sys.stdout.buffer
    try:
        for item in read(path, *column):
            out.write(item if isinstance(item, bytes) else json.dumps(item).encode() + b"\n")
        out.flush()
    except MemoryError:
        sys.exit(TOO_LARGE)
    except (python_calamine.CalamineError, pyarrow.ArrowException, OSError, ValueError):
        sys.exit(UNREADABLE)
