"""Mozilla's Common Voice Scripted Speech archives (`<language>.tar.gz`), read as a stream.

Nothing is unpacked: the archive is read once for its tables and once more, as far as needed, for
the chosen clips. Layout: `cv-corpus-26.0-2026-06-12/<locale>/{train,dev,test,validated,…}.tsv` and
`…/<locale>/clips/*.mp3`, in any order; the first releases have no folders above these.
"""

import gzip
import re
import shutil
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from heapq import nsmallest
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from whisper_tuner.data.clips import COMMON_VOICE, Candidate
from whisper_tuner.data.split import TEST_SHARE, sentence_key, shuffle_key
from whisper_tuner.errors import InputError
from whisper_tuner.model.languages import LANGUAGES

MEMBER = re.compile(
    r"(?:\./)?(?:(?:[^/]+/)?(?P<locale>[A-Za-z][A-Za-z0-9-]*)/)?"
    r"(?:(?P<table>train|dev|test|validated)\.tsv|clips/(?P<clip>[^/]+\.mp3))"
)
OFFICIAL_TABLES = {"train": "train", "dev": "train", "test": "test"}
N_LOOKED_AT = 2_000  # members read to learn the language; reading all of English takes minutes
MAX_POOL = 50_000  # rows of one table kept to choose from; English has two million
MAX_LINE_BYTES = 64 << 10
MAX_CLIP_BYTES = 16 << 20  # a clip has 10 s at 64 kbit/s
MAX_HEADER_BYTES = 1 << 20  # tarfile reads a header of any size into memory
GZIP_MAGIC = b"\x1f\x8b"
DAMAGE = (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile, UnicodeDecodeError)

# Common Voice locales whose first part is not what Whisper calls the language. zh-HK is Cantonese,
# as is yue, but only large-v3 and its turbo have a token for yue: zh, under which the older models
# heard Cantonese, works everywhere. Min Nan (nan-tw) and Irish (ga-IE) have no token at all.
WHISPER_NAMES = {"jv": "jw", "nb": "no", "fil": "tl", "iw": "he", "mo": "ro"}


def whisper_language(locale: str) -> str | None:
    """Whisper's code for a Common Voice locale ("sv-SE" → "sv"); None when Whisper has none."""
    language = re.split("[-_]", locale.lower())[0]
    language = WHISPER_NAMES.get(language, language)
    return language if language in LANGUAGES else None


def locales(path: Path, name: str | None = None) -> list[str]:
    """The locales inside an archive, normally one, told by its first members.

    Raises: InputError cv_not_an_archive, cv_damaged, cv_no_tsv.
    """
    name = name or path.name
    with _named_damage(name):
        members = islice(_members(path, name), N_LOOKED_AT)
        found = sorted({locale for locale, _, _, _ in members})
    if not found:
        raise InputError("cv_no_tsv", file=name)
    return found


def candidates(
    path: Path,
    n_train: int,
    n_test: int,
    seed: int = 42,
    locale: str | None = None,
    name: str | None = None,
    known: Collection[str] = (),
) -> Iterator[Candidate]:
    """At most `n_train` clips to train on and `n_test` to test on, in the order of the archive.

    Mozilla's own split is used when the archive has one (train and dev are for training). Without,
    whole speakers with about a fifth of validated.tsv are for the test; the clips of a single
    speaker are left for `split.assign` to split. The same seed chooses the same clips,
    but none of those called as in `known`.

    Raises: InputError cv_not_an_archive, cv_damaged, cv_no_tsv, cv_no_column, cv_all_known,
    cv_several_languages (then name a `locale`).
    """
    name = name or path.name
    with _named_damage(name), tempfile.TemporaryDirectory() as temp_dir:
        locale, tables = _read_tables(path, name, locale, seed)
        chosen = _choose(tables, n_train, n_test, seed, known)
        if not chosen:
            raise InputError("cv_all_known" if known else "cv_no_tsv", file=name)
        target = Path(temp_dir) / "clip.mp3"
        for found, kind, member, archive in _members(path, name):
            key = PurePosixPath(member.name).name
            is_clip = kind == "clip" and found == locale and member.size <= MAX_CLIP_BYTES
            if not is_clip or key not in chosen:
                continue
            with target.open("wb") as file:
                shutil.copyfileobj(archive.extractfile(member), file)
            yield _candidate(*chosen.pop(key), target)
            if not chosen:
                return
        for row, split in chosen.values():
            yield _candidate(row, split, None)


def recordings(path: Path, names: set[str]) -> Iterator[tuple[str, Path]]:
    """The recordings of these names, each in a file that is there until the next is asked for.

    Raises: InputError cv_not_an_archive, cv_damaged.
    """
    with _named_damage(path.name), tempfile.TemporaryDirectory() as temp_dir:
        target = Path(temp_dir) / "clip.mp3"
        for _, kind, member, archive in _members(path, path.name):
            key = PurePosixPath(member.name).name
            if kind == "clip" and key in names and member.size <= MAX_CLIP_BYTES:
                with target.open("wb") as file:
                    shutil.copyfileobj(archive.extractfile(member), file)
                yield key, target


@dataclass(frozen=True)
class _Row:
    clip: str  # file name in clips/
    sentence: str
    speaker: str
    number: int  # as a spreadsheet counts


def _candidate(row: _Row, split: str, audio: Path | None) -> Candidate:
    return Candidate(
        row.clip, audio, row.sentence, split, row.speaker, row.number, source=COMMON_VOICE
    )


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
def _named_damage(name: str) -> Iterator[None]:
    try:
        yield
    except DAMAGE as error:
        raise InputError("cv_damaged", file=name) from error


def _members(path: Path, name: str) -> Iterator[tuple[str, str, tarfile.TarInfo, tarfile.TarFile]]:
    """Locale, kind (a table's name or "clip"), member and archive of every expected file.

    Safari unpacks the gzip layer of a download by itself, so a plain tar is taken too.
    """
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == GZIP_MAGIC
        raw.seek(0)
        file = _BoundedFile(gzip.GzipFile(fileobj=raw) if is_gzip else raw)
        try:
            archive = tarfile.TarFile(fileobj=file)
        except DAMAGE as error:
            raise InputError("cv_not_an_archive", file=name) from error
        while (member := archive.next()) is not None:
            archive.members = []  # tarfile keeps every header otherwise: 2 GB for English
            match = MEMBER.fullmatch(member.name)
            if match and member.isreg():
                locale = match["locale"] or name.split(".")[0]
                yield locale, match["table"] or "clip", member, archive


def _read_tables(
    path: Path, name: str, locale: str | None, seed: int
) -> tuple[str, dict[str, list[_Row]]]:
    """The locale and, of each of its tables, `MAX_POOL` rows at most, in an order of the seed."""

    def key(row: _Row) -> str:
        return shuffle_key(seed, row.clip)

    tables: dict[str, list[_Row]] = {}
    found: set[str] = set()
    for place, kind, member, archive in _members(path, name):
        found.add(place)
        if len(found) > 1 and locale is None:
            raise InputError("cv_several_languages", file=name, locales=", ".join(sorted(found)))
        if kind != "clip" and locale in (None, place):
            rows = _rows(archive.extractfile(member), f"{name}: {kind}.tsv")
            tables[kind] = nsmallest(MAX_POOL, rows, key=key)
            if all(tables.get(table) for table in OFFICIAL_TABLES):
                break
    if not tables:
        raise InputError("cv_no_tsv", file=name)
    return locale or found.pop(), tables


def _rows(file: BinaryIO, name: str) -> Iterator[_Row]:
    """The rows of a table. Mozilla quotes nothing and writes "NA" only where it was spoken."""
    header = _line(file).split("\t")
    for column in ("path", "sentence", "client_id"):
        if column not in header:
            raise InputError("cv_no_column", file=name, column=column)
    number = 1
    while line := _line(file):
        number += 1
        cells = dict(zip(header, line.split("\t"), strict=False))
        clip = PurePosixPath(cells.get("path", "")).name.removesuffix(".mp3")
        if clip:
            sentence, speaker = cells.get("sentence", ""), cells.get("client_id", "")
            yield _Row(f"{clip}.mp3", sentence, speaker, number)


def _line(file: BinaryIO) -> str:
    line = file.readline(MAX_LINE_BYTES)
    if len(line) == MAX_LINE_BYTES:
        raise tarfile.ReadError("a table row of unbelievable length")
    return line.decode("utf-8-sig").rstrip("\r\n")


def _choose(
    tables: dict[str, list[_Row]], n_train: int, n_test: int, seed: int, known: Collection[str]
) -> dict[str, tuple[_Row, str]]:
    """File name in clips/ → its row and split. No sentence of the test is chosen for training."""
    pools: dict[str, list[_Row]] = {"train": [], "test": []}
    for table, split in OFFICIAL_TABLES.items():
        pools[split] += tables.get(table, [])
    pools["train"].sort(key=lambda row: shuffle_key(seed, row.clip))
    if not all(pools.values()):
        pools = _split_speakers(tables.get("validated", []), seed)
    pools = {split: [row for row in rows if row.clip not in known] for split, rows in pools.items()}
    if "" in pools:
        return {row.clip: (row, "") for row in pools[""][: n_train + n_test]}
    test = pools["test"][:n_test]
    held_out = {sentence_key(row.sentence) for row in test}
    free = (row for row in pools["train"] if sentence_key(row.sentence) not in held_out)
    train = list(islice(free, n_train))
    return {row.clip: (row, "train") for row in train} | {row.clip: (row, "test") for row in test}


def _split_speakers(rows: list[_Row], seed: int) -> dict[str, list[_Row]]:
    """Rows by split, no speaker in both; the split is "" when there are not two speakers."""
    n_clips = Counter(row.speaker for row in rows)
    if len(n_clips) < 2:
        return {"": rows}
    shuffled = sorted(n_clips, key=lambda speaker: shuffle_key(seed, speaker))
    test: set[str] = set()
    n_test = 0
    for speaker in shuffled:
        if n_test + n_clips[speaker] <= TEST_SHARE * len(rows):
            test.add(speaker)
            n_test += n_clips[speaker]
    test = test or {min(shuffled, key=n_clips.__getitem__)}
    return {
        "train": [row for row in rows if row.speaker not in test],
        "test": [row for row in rows if row.speaker in test],
    }
