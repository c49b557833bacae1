"""The files of a Common Voice archive, one after another as a stream; nothing is ever unpacked.

Scripted Speech: `cv-corpus-26.0-2026-06-12/<locale>/{train,dev,test,validated,…}.tsv` beside
`clips/*.mp3`; the first releases have no folders above these. Spontaneous Speech:
`sps-corpus-4.0-2026-06-12-<locale>/ss-corpus-<locale>.tsv` beside `audios/*.mp3`. In any order.
"""

import gzip
import re
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO, Protocol

from whisper_tuner.errors import InputError

SCRIPTED = re.compile(
    r"(?:\./)?(?:(?:[^/]+/)?(?P<locale>[A-Za-z][A-Za-z0-9-]*)/)?"
    r"(?:(?P<table>train|dev|test|validated)\.tsv|clips/(?P<clip>[^/]+\.mp3))"
)
SPONTANEOUS = re.compile(
    r"(?:\./)?(?:(?:[^/]+/)?(?P<folder>[^/]+)/)?"
    r"(?:ss-corpus-(?P<locale>[A-Za-z0-9-]+)\.tsv|audios/(?P<clip>[^/]+\.mp3))"
)
SPOKEN_NAME = re.compile(r"spontaneous-speech-(?P<locale>[A-Za-z0-9-]+)-\d+\.mp3")
SPOKEN_FOLDER = re.compile(r"sps-corpus-[\d.]+-(?:delta-)?[\d-]{10}-(?P<locale>[A-Za-z0-9-]+)")
CLIP, SPOKEN_TABLE = "clip", "spontaneous"  # kinds of a member, besides train, dev, test, validated
MAX_LINE_BYTES = 64 << 10
MAX_HEADER_BYTES = 1 << 20  # tarfile reads a header of any size into memory
GZIP_MAGIC = b"\x1f\x8b"
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError)


class Openable(Protocol):
    """A `Path`, or a download whose bytes are fetched when they are asked for."""

    @property
    def name(self) -> str: ...

    def open(self, mode: str) -> BinaryIO: ...


@dataclass(frozen=True)
class Member:
    """An expected file. `kind`: CLIP, SPOKEN_TABLE, or the name of a table. `locale` is "" when
    nothing tells."""

    locale: str
    kind: str
    info: tarfile.TarInfo
    archive: tarfile.TarFile

    @property
    def name(self) -> str:
        return PurePosixPath(self.info.name).name

    def open(self) -> BinaryIO:
        return self.archive.extractfile(self.info)


@dataclass(frozen=True)
class Row:
    clip: str  # file name in clips/ or audios/
    sentence: str
    speaker: str
    number: int  # as a spreadsheet counts
    split: str = ""  # of Spontaneous Speech: train, dev, test, or one that means none


class _BoundedFile:
    """A file that tarfile may read forwards, in pieces of at most `MAX_HEADER_BYTES`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.tell, self.seek = file.tell, file.seek

    def read(self, size: int) -> bytes:
        if size > MAX_HEADER_BYTES:
            raise tarfile.ReadError("a header of unbelievable size")
        return self._file.read(size)


@contextmanager
def named_damage(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise InputError("cv_damaged", file=name) from error


def members(source: Openable, name: str) -> Iterator[Member]:
    """Every expected regular file, in the order of the archive.

    Safari unpacks the gzip layer of a download by itself, so a plain tar is taken too.
    """
    with source.open("rb") as raw:
        is_gzip = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = _BoundedFile(gzip.GzipFile(fileobj=raw) if is_gzip else raw)
        try:
            archive = tarfile.TarFile(fileobj=file)
        except DAMAGE as error:
            raise InputError("cv_not_an_archive", file=name) from error
        while (info := archive.next()) is not None:
            archive.members = []  # tarfile keeps every header otherwise: 2 GB for English
            found = _recognise(info.name, name) if info.isreg() else None
            if found:
                yield Member(*found, info, archive)


def _recognise(path: str, archive_name: str) -> tuple[str, str] | None:
    """Locale and kind of a member; None for any other file."""
    match = SCRIPTED.fullmatch(path)
    if match:
        return match["locale"] or archive_name.split(".")[0], match["table"] or CLIP
    match = SPONTANEOUS.fullmatch(path)
    if match is None:
        return None
    named = SPOKEN_NAME.fullmatch(match["clip"] or "")
    in_folder = SPOKEN_FOLDER.fullmatch(match["folder"] or "")
    told = match["locale"] or (named or in_folder or {"locale": ""})["locale"]
    return told, CLIP if match["clip"] else SPOKEN_TABLE


def rows(member: Member, name: str) -> Iterator[Row]:
    """The rows of a table. Mozilla quotes nothing and writes "NA" only where it was spoken.

    Raises: InputError cv_no_column.
    """
    is_spoken = member.kind == SPOKEN_TABLE
    audio, text = ("audio_file", "transcription") if is_spoken else ("path", "sentence")
    file = member.open()
    header = _line(file).split("\t")
    for column in (audio, text, "client_id"):
        if column not in header:
            raise InputError("cv_no_column", file=name, column=column)
    number = 1
    while line := _line(file):
        number += 1
        cells = dict(zip(header, line.split("\t"), strict=False))
        clip = PurePosixPath(cells.get(audio, "")).name.removesuffix(".mp3")
        if clip:
            split = cells.get("split") or cells.get("splits", "") if is_spoken else ""
            sentence, speaker = cells.get(text, ""), cells.get("client_id", "")
            yield Row(f"{clip}.mp3", sentence, speaker, number, split)


def _line(file: BinaryIO) -> str:
    line = file.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise tarfile.ReadError("a table row of unbelievable length")
    return line.decode("utf-8-sig").rstrip("\r\n")
