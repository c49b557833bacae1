"""What a person uploads → candidates: a folder, a ZIP, or many files, with transcripts.

Transcripts come in a table (CSV or TSV), or beside each recording in a file of the same name: a
.txt, or a timed transcript of a long one (`timed_text.py`). All may lie at any depth.
"""

import os
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.data.archives import ARCHIVE_SUFFIXES, Archive, is_junk, open_archive
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.matching import Names, parts_of
from whisper_tuner.data.tables import Row, Table, read_table
from whisper_tuner.data.tiers import Choice
from whisper_tuner.data.timed_text import TimedTexts, tier_choices
from whisper_tuner.errors import InputError

TABLE_SUFFIXES = frozenset({".csv", ".tsv"})
SPREADSHEET_SUFFIXES = frozenset({".xlsx", ".xls", ".ods", ".numbers"})
MAX_TABLE_BYTES = 64 << 20
MAX_TXT_BYTES = 64 << 10


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of the upload: its name there, and how to get it as a file on disk.

    A file out of an archive is only there until the next one is fetched.
    """

    name: str
    fetch: Callable[[], Path]

    @property
    def suffix(self) -> str:
        return PurePosixPath(self.name).suffix.lower()

    @property
    def folder(self) -> tuple[str, ...]:
        return parts_of(self.name)[:-1]

    def read(self, max_bytes: int) -> bytes:
        """The bytes of a small file. Raises InputError text_too_large."""
        with self.fetch().open("rb") as file:
            data = file.read(max_bytes + 1)
        if len(data) > max_bytes:
            raise InputError("text_too_large", file=self.name, limit_kb=max_bytes >> 10)
        return data


def candidates(
    paths: Sequence[Path], names: Sequence[str] | None = None, tier: str = ""
) -> Iterator[Candidate]:
    """Every clip of an upload, and everything that is wrong with how it fits together.

    `paths`: files, ZIPs and folders in any mixture; `names`: what the user calls each of them.
    Table rows come first, then recordings with a timed transcript, cut at its cues, then those with
    a .txt, then what is left over. Where the rows have a development split but no test split, it is
    the test; otherwise it is for training. `tier`: which one of an annotation's holds what is said.

    Raises, when the first is asked for: InputError upload_not_found, upload_empty, upload_no_audio,
    upload_no_transcripts, upload_is_spreadsheet, upload_archive_kind, and those of
    `archives.open_archive`, `tables.read_table` and `timed_text.TimedTexts.candidates`.
    """
    with _opened(paths, names) as entries:
        yield from _Upload(entries, tier).candidates()


def tiers(paths: Sequence[Path], names: Sequence[str] | None = None) -> list[Choice]:
    """What the `tier` of `candidates` can be; empty when nothing has to be chosen."""
    with _opened(paths, names) as entries:
        return tier_choices(entries)


@contextmanager
def _opened(paths: Sequence[Path], names: Sequence[str] | None) -> Iterator[list[Entry]]:
    names = [path.name for path in paths] if names is None else names
    with ExitStack() as stack:
        temp_dir = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        entries: list[Entry] = []
        for path, name in zip(paths, names, strict=True):
            entries += _entries(path, name, temp_dir, stack)
        yield entries


def _entries(path: Path, name: str, temp_dir: Path, stack: ExitStack) -> list[Entry]:
    suffix = PurePosixPath(name).suffix.lower()
    if not path.exists():
        raise InputError("upload_not_found", file=name)
    if path.is_dir():
        return [_on_disk(file, file.relative_to(path).as_posix()) for file in _walk(path)]
    if suffix == ".zip":
        archive = stack.enter_context(open_archive(path, name))
        return [_archived(archive, member, temp_dir) for member in archive.names]
    if suffix in ARCHIVE_SUFFIXES:
        raise InputError("upload_archive_kind", file=name)
    return [] if is_junk(name) else [_on_disk(path, name)]


def _walk(folder: Path) -> list[Path]:
    files = [Path(root, name) for root, _, names in os.walk(folder) for name in names]
    known = (file for file in files if not is_junk(file.relative_to(folder).as_posix()))
    return sorted(file for file in known if file.is_file())  # a link may lead nowhere


def _on_disk(path: Path, name: str) -> Entry:
    where = str(path)  # smaller than a Path, and there may be thousands
    return Entry(name.replace("\\", "/"), lambda: Path(where))


def _archived(archive: Archive, member: str, temp_dir: Path) -> Entry:
    def fetch() -> Path:
        target = temp_dir / "member"  # one at a time: an archive never fills the disk
        archive.extract(member, target)
        return target

    return Entry(member, fetch)


class _Upload:
    """The files of one upload and which of them have found their transcript."""

    def __init__(self, entries: list[Entry], tier: str) -> None:
        if not entries:
            raise InputError("upload_empty")
        self.audio = [entry for entry in entries if entry.suffix in AUDIO_SUFFIXES]
        self.names = Names(entry.name for entry in self.audio)
        self.used: set[int] = set()  # audio files that a row or a .txt has spoken for
        self.ambiguous: set[int] = set()  # audio files that share a .txt or have several
        self.notes: list[Candidate] = []
        others = [entry for entry in entries if entry.suffix not in AUDIO_SUFFIXES]
        if not self.audio:
            raise InputError("upload_no_audio", n_files=len(entries), file=entries[0].name)
        self.timed = TimedTexts(others, self.audio, self.names, tier)
        others = self.timed.others
        self.tables = self._read_tables([e for e in others if e.suffix in TABLE_SUFFIXES])
        self.texts = [entry for entry in others if entry.suffix == ".txt"]
        for entry in others:
            if entry.suffix in SPREADSHEET_SUFFIXES and not self._has_transcripts:
                raise InputError("upload_is_spreadsheet", file=entry.name)
            if entry.suffix not in TABLE_SUFFIXES | {".txt"}:
                self._note("file_ignored", entry)
        if not self._has_transcripts:
            raise InputError("upload_no_transcripts", n_files=len(self.audio))

    def candidates(self) -> Iterator[Candidate]:
        yield from self._of_rows()
        yield from self.timed.candidates(self.used)
        yield from self._of_texts()
        for i, entry in enumerate(self.audio):
            if i not in self.used:
                yield Candidate(entry.name, None, None, problem="transcript_missing")
        yield from self.notes

    @property
    def _has_transcripts(self) -> bool:
        return bool(self.tables or self.texts or self.timed.files)

    def _note(self, code: str, entry: Entry, **params: object) -> None:
        self.notes.append(Candidate(entry.name, None, None, problem=code, params=params))

    def _read_tables(self, entries: list[Entry]) -> list[tuple[Entry, Table]]:
        """The tables that name files and transcripts; other tables are ignored if there is one."""
        tables, errors = [], []
        for entry in entries:
            try:
                tables.append((entry, read_table(entry.read(MAX_TABLE_BYTES), entry.name)))
            except InputError as error:
                errors.append((entry, error))
        for entry, error in errors:
            is_other_table = error.code in ("table_no_audio_column", "table_no_text_column")
            if not (is_other_table and tables):
                raise error
            self._note("file_ignored", entry)
        for entry, table in tables:
            if table.guessed:
                self._note("table_encoding_guessed", entry)
        return tables

    def _of_rows(self) -> Iterator[Candidate]:
        rows = [(entry.folder, row) for entry, table in self.tables for row in table.rows]
        matches = [self.names.find(row.file, folder) for folder, row in rows]
        # A row "s1/a.wav" does not mean s2/a.wav when another row says "s2/a.wav".
        taken = {match.files[0] for match in matches if match.whole and len(match.files) == 1}
        rows_of: dict[int, list[Row]] = defaultdict(list)
        dev = "train" if any(row.split == "test" for _, row in rows) else "test"
        for (_, row), match in zip(rows, matches, strict=True):
            free = [i for i in match.files if match.whole or i not in taken]
            self.used.update(free)
            if len(free) == 1:
                rows_of[free[0]].append(row)
            else:
                problem = "name_ambiguous" if free else "audio_missing"
                yield Candidate(row.file, None, row.text, row=row.number, problem=problem)
        del rows, matches  # decoding the recordings takes its time and memory
        for i, same in rows_of.items():
            yield _of_rows_of_one(self.audio[i], same, dev)

    def _of_texts(self) -> Iterator[Candidate]:
        texts_of: dict[int, list[Entry]] = defaultdict(list)
        for text in self.texts:
            match = self.names.find(text.name)
            if not match.files:
                self._note("file_ignored", text)
            if match.files and self.used.issuperset(match.files):
                recording = self.audio[match.files[0]].name
                self._note("transcript_not_needed", text, recording=recording)
            for i in match.files:
                if i not in self.used:
                    texts_of[i].append(text)
                    shared = len(match.files) > 1
                    self.ambiguous.update([i] if shared or len(texts_of[i]) > 1 else [])
        self.used.update(texts_of)
        for i, texts in texts_of.items():
            yield self._of_text(self.audio[i], texts[0], i in self.ambiguous)

    def _of_text(self, entry: Entry, text: Entry, ambiguous: bool) -> Candidate:
        if ambiguous:
            return _candidate(entry, None, problem="name_ambiguous")
        try:
            words, _ = decode_text(text.read(MAX_TXT_BYTES), text.name)
        except InputError:
            return _candidate(entry, None, problem="transcript_unreadable")
        return _candidate(entry, words)


def _of_rows_of_one(entry: Entry, rows: list[Row], dev: str) -> Candidate:
    """`dev`: the split that development rows belong to."""
    row = rows[0]
    split = dev if row.split == "dev" else row.split
    problem = "two_rows" if len(rows) > 1 else row.problem
    return _candidate(entry, row.text, split, row.speaker, row.number, problem)


def _candidate(
    entry: Entry,
    text: str | None,
    split: str = "",
    speaker: str = "",
    row: int | None = None,
    problem: str = "",
) -> Candidate:
    audio = None
    if not problem:
        try:
            audio = entry.fetch()
        except InputError as error:
            problem = error.code
    return Candidate(entry.name, audio, text, split, speaker, row, problem)
