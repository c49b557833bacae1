"""Spreadsheets (XLSX, XLS, ODS) and Parquet files, read by a child process with limits.

See `foreign_reader.py`, which is never imported: its libraries stay out of the page.
"""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from whisper_tuner import jail
from whisper_tuner.data.archives import open_archive
from whisper_tuner.errors import InputError

READER = "whisper_tuner.data.foreign_reader"
MAX_LINE_BYTES = 4 << 20  # one row
MAX_RECORDING_BYTES = 512 << 20  # as a member of a ZIP
TOO_LARGE = 4  # exit code, as in foreign_reader.py
DAMAGE_CODES = frozenset({"archive_not_zip", "archive_damaged", "archive_encrypted"})
ENVIRONMENT = {**jail.ENVIRONMENT, "ARROW_DEFAULT_MEMORY_POOL": "system"}


class Unsure(str):
    """A cell that is no text in its spreadsheet and may look different there: 1/2, 50 %, a date."""


def read_sheets(path: Path, name: str) -> list[list[list[str]]]:
    """The records of every sheet that has any, in order, with the blank rows above and between.

    Raises: InputError table_not_readable, table_too_heavy.
    """
    if PurePosixPath(name).suffix.lower() in (".xlsx", ".xlsm", ".xlsb", ".ods"):
        _check_zip(path, name)
    found: list[list[list[str]]] = []
    with _child(name, "sheets", str(path)) as lines:
        for item in _items(lines, name):
            match item:
                case {"sheet": _}:
                    found.append([])
                case {"n_blank": n}:
                    found[-1] += [[]] * n
                case _:
                    found[-1].append([Unsure(c[0]) if isinstance(c, list) else c for c in item])
    return [records for records in found if any(map(any, records))]


def read_parquet(path: Path, name: str) -> tuple[list[list[str]], str | None]:
    """The column names and rows of a Parquet file, and the column that holds recordings, if any.

    Raises: InputError table_not_readable, table_too_heavy.
    """
    with _child(name, "table", str(path)) as lines:
        head, *rows = [*_items(lines, name)] or [{}]
    return [head["columns"], *rows], head["recordings"]


def recordings(path: Path, name: str, column: str, target: Path) -> Iterator[Path | None]:
    """The recording of every row, each in `target` until the next is asked for; None without one.

    Raises: InputError table_not_readable, table_too_heavy.
    """
    with _child(name, "recordings", str(path), column) as lines:
        for item in _items(lines, name):
            n_bytes = item["n_bytes"]
            if n_bytes is None or n_bytes > MAX_RECORDING_BYTES:
                lines.read(n_bytes or 0)
                yield None
            else:
                target.unlink(missing_ok=True)
                target.write_bytes(lines.read(n_bytes))
                yield target


def _check_zip(path: Path, name: str) -> None:
    """The limits of every ZIP hold for those that are called spreadsheets."""
    try:
        with open_archive(path, name):
            pass
    except InputError as error:
        code = "table_not_readable" if error.code in DAMAGE_CODES else "table_too_heavy"
        raise InputError(code, file=name) from error


@contextmanager
def _child(name: str, *arguments: str) -> Iterator[BinaryIO]:
    """What the child writes. It is ended when the reader has had enough."""
    process = subprocess.Popen(
        jail.command(READER, *arguments),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
    )
    with process:
        try:
            yield process.stdout
        except BaseException:
            process.kill()
            raise
        code = process.wait()
    if code == TOO_LARGE or code < 0:  # a signal ends who asks for more than it may have
        raise InputError("table_too_heavy", file=name)
    if code:
        raise InputError("table_not_readable", file=name)


def _items(lines: BinaryIO, name: str) -> Iterator:
    while line := lines.readline(MAX_LINE_BYTES):
        if not line.endswith(b"\n"):
            raise InputError("table_too_heavy", file=name)
        yield json.loads(line)
