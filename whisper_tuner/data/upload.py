"""What a person uploads → candidates: a folder, a ZIP, or many files, with transcripts.

Transcripts come in a table of any kind (`table_files.py`, `layouts.py`), or beside each recording
in a file of the same name: a .txt, or a timed transcript of a long one (`timed_text.py`). All may
lie at any depth.
"""

import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from whisper_tuner.audio import AUDIO_SUFFIXES
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data import foreign
from whisper_tuner.data.clips import COMMON_VOICE, Candidate
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.entries import Entry, opened
from whisper_tuner.data.layouts import KALDI_NAMES, draft_kaldi, left_out
from whisper_tuner.data.matching import Names
from whisper_tuner.data.spans import of_spans
from whisper_tuner.data.table_files import (
    MAYBE_SUFFIXES,
    TABLE_SUFFIXES,
    Table,
    draft_file,
    stem,
)
from whisper_tuner.data.tables import Draft, Knows, Reading, Row
from whisper_tuner.data.tiers import Choice
from whisper_tuner.data.timed_text import TimedTexts, tier_choices
from whisper_tuner.errors import InputError

SPREADSHEET_SUFFIXES = frozenset({".numbers", ".wk1", ".sxc"})
MAX_TXT_BYTES = 1 << 20  # what is said in a day
OTHER_TABLE_CODES = ("table_no_audio_column", "table_no_text_column", "table_columns_open")


def candidates(
    paths: Sequence[Path], names: Sequence[str] | None = None, reading: Reading | None = None
) -> Iterator[Candidate]:
    """Every clip of an upload, and everything that is wrong with how it fits together.

    `paths`: files, ZIPs and folders in any mixture; `names`: what the user calls each of them;
    `reading`: what the user says of their transcripts. Table rows come first, then recordings with
    a timed transcript, cut at its cues, then those with a .txt, then what is left over. Where the
    rows have a development split but no test split, it is the test; otherwise it is for training.

    Raises, when the first is asked for: InputError upload_empty, upload_no_audio,
    upload_no_transcripts, upload_is_spreadsheet, and those of `entries.opened`,
    `table_files.draft_file`, `layouts.draft_kaldi`, `tables.Draft.rows` and
    `timed_text.TimedTexts.candidates`.
    """
    with opened(paths, names) as entries:
        upload = Upload(entries, reading or Reading())
        upload.read()
        yield from upload.candidates()


def tiers(paths: Sequence[Path], names: Sequence[str] | None = None) -> list[Choice]:
    """What the tier of a `Reading` can be; empty when nothing has to be chosen."""
    with opened(paths, names) as entries:
        return tier_choices(entries)


class Upload:
    """The files of one upload and which of them have found their transcript."""

    def __init__(self, entries: list[Entry], reading: Reading) -> None:
        if not entries:
            raise InputError("upload_empty")
        self.entries, self.reading = entries, reading
        self.audio = [entry for entry in entries if entry.suffix in AUDIO_SUFFIXES]
        self.names = Names([entry.name for entry in self.audio])
        self.used: set[int] = set()  # audio files that a row or a .txt has spoken for
        self.ambiguous: set[int] = set()  # audio files that share a .txt or have several
        self.notes: list[Candidate] = []
        self.drafts: list[tuple[Entry, Draft | InputError]] = []
        self.texts: list[Entry] = []
        self.others: list[Entry] = []  # neither
        self.tables: list[Table] = []
        others = [entry for entry in entries if entry.suffix not in AUDIO_SUFFIXES]
        self.timed = TimedTexts(others, self.audio, self.names, reading.tier, reading.encoding)
        self._draft(self.timed.others)

    def _draft(self, entries: list[Entry]) -> None:
        """Every table as it would be read, or why it cannot be."""
        entries = self._draft_kaldi(entries)
        for entry in entries:
            has_recording = entry.suffix == ".txt" and self.names.find(entry.name).files
            if has_recording or entry.suffix not in TABLE_SUFFIXES | MAYBE_SUFFIXES:
                (self.texts if has_recording else self.others).append(entry)
                continue
            try:
                draft = draft_file(entry, self.reading, self._knows(entry))
            except InputError as error:
                draft = error if entry.suffix in TABLE_SUFFIXES else None
            if draft is not None:
                self.drafts.append((entry, draft))
            elif entry.suffix == ".txt":
                self.texts.append(entry)
            else:
                self.others.append(entry)

    def _draft_kaldi(self, entries: list[Entry]) -> list[Entry]:
        """What is left when Kaldi's data folders are drafted."""
        folders: dict[tuple[str, ...], dict[str, Entry]] = defaultdict(dict)
        for entry in entries:
            if entry.file_name in KALDI_NAMES:
                folders[entry.folder][entry.file_name] = entry
        known: set[str] = set()
        for files in folders.values():
            if "text" in files:
                known.update(entry.name for entry in files.values())
                try:
                    self.drafts.append((files["text"], draft_kaldi(files, self.reading)))
                except InputError as error:
                    self.drafts.append((files["text"], error))
        return [entry for entry in entries if entry.name not in known]

    def _knows(self, entry: Entry) -> Knows:
        folder = entry.folder
        return lambda cell: bool(self.names.find(cell, folder).files)

    def read(self) -> None:
        """Read the tables whose drafts leave no question open.

        Raises: InputError as `candidates`.
        """
        has_sound = self.audio or any(isinstance(d, Draft) and d.recordings for _, d in self.drafts)
        if not has_sound:
            entries = self.entries
            raise InputError("upload_no_audio", n_files=len(entries), file=entries[0].name)
        self._read_tables()
        for entry in self.others:
            if entry.suffix in SPREADSHEET_SUFFIXES and not self._has_transcripts:
                raise InputError("upload_is_spreadsheet", file=entry.name)
            self._note("file_ignored", entry)
        if not self._has_transcripts:
            raise InputError("upload_no_transcripts", n_files=len(self.audio))

    def _read_tables(self) -> None:
        """The tables that name files and transcripts; other tables are ignored if there is one."""
        errors = []
        while self.drafts:  # which hold every cell
            entry, draft = self.drafts.pop(0)
            try:
                if isinstance(draft, InputError):
                    raise draft
                self.tables.append(Table(entry, draft.rows(), draft.recordings))
                if draft.has_more:
                    self._note("sheets_left_out", entry)
            except InputError as error:
                errors.append((entry, error))
        for entry, error in errors:
            if error.code not in OTHER_TABLE_CODES or not self.tables:
                raise error
            self._note("file_ignored", entry)
        mozillas = [table for table in self.tables if table.rows[0].source == COMMON_VOICE]
        for i in left_out([(table.entry.folder, stem(table.entry)) for table in mozillas]):
            self._note("table_left_out", mozillas[i].entry)
            self.tables.remove(mozillas[i])

    def candidates(self) -> Iterator[Candidate]:
        dev, tables = self._dev, self.tables
        self.tables = []
        yield from self._of_rows(tables, dev)
        yield from self._of_spans(tables, dev)
        for table in tables:
            if table.recordings:
                yield from self._of_recordings(table, dev)
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

    @property
    def _dev(self) -> str:
        """The split that development rows belong to."""
        return (
            "train"
            if any(row.split == "test" for table in self.tables for row in table.rows)
            else "test"
        )

    def _of_rows(self, tables: list[Table], dev: str) -> Iterator[Candidate]:
        """Rows that are whole recordings. They leave their tables, and then go one by one: decoding
        the recordings takes its time and memory.
        """
        rows = [
            (table.entry.folder, row)
            for table in tables
            if not table.recordings
            for row in table.taken()
        ]
        matches = [self.names.find(row.file, folder) for folder, row in rows]
        # A row "s1/a.wav" does not mean s2/a.wav when another row says "s2/a.wav".
        taken = {match.files[0] for match in matches if match.whole and len(match.files) == 1}
        row_of: dict[int, Row] = {}
        twice: set[int] = set()  # files with several rows
        for (_, row), match in zip(rows, matches, strict=True):
            free = [i for i in match.files if match.whole or i not in taken]
            self.used.update(free)
            if len(free) == 1:
                twice.update(row_of.keys() & free)
                row_of.setdefault(free[0], row)
            else:
                problem = row.problem or ("name_ambiguous" if free else "audio_missing")
                yield Candidate(row.file, None, row.text, row=row.number, problem=problem)
        del rows, matches
        for i in list(row_of):
            yield _of_row(self.audio[i], row_of.pop(i), dev, i in twice)

    def _of_spans(self, tables: list[Table], dev: str) -> Iterator[Candidate]:
        """Rows that are parts of longer recordings."""
        rows_of: dict[int, list[Row]] = defaultdict(list)
        for table in tables:
            for row in table.rows:
                if row.span is None:
                    continue
                files = self.names.find(row.file, table.entry.folder).files
                self.used.update(files)
                problem = row.problem or ("name_ambiguous" if files else "audio_missing")
                if len(files) == 1 and not row.problem:
                    rows_of[files[0]].append(
                        replace(row, split=dev if row.split == "dev" else row.split)
                    )
                else:
                    yield Candidate(row.file, None, row.text, row=row.number, problem=problem)
        for i, rows in rows_of.items():
            yield from of_spans(self.audio[i], rows)

    def _of_recordings(self, table: Table, dev: str) -> Iterator[Candidate]:
        """The rows of a Parquet file that holds the recordings too, one at a time."""
        by_number = {row.number: row for row in table.rows}
        entry, names = table.entry, set()
        with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as temp_dir:
            target = Path(temp_dir) / "recording"
            sounds = foreign.recordings(entry.fetch(), entry.name, table.recordings, target)
            for number, audio in enumerate(sounds, start=1):
                row = by_number.get(number)
                if row is None:  # nothing but the sound
                    row = Row("", "", "", "", number, problem="transcript_missing")
                name = row.file if row.file and row.file not in names else f"{entry.name}: {number}"
                names.add(name)
                split = dev if row.split == "dev" else row.split
                problem = row.problem or ("" if audio else "audio_missing")
                yield Candidate(name, audio, row.text, split, row.speaker, number, problem)

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
            data = text.read(MAX_TXT_BYTES)
            words, _, is_certain = decode_text(data, text.name, self.reading.encoding)
        except InputError:
            return _candidate(entry, None, problem="transcript_unreadable")
        return _candidate(entry, words, problem="" if is_certain else "transcript_encoding_open")


def _of_row(entry: Entry, row: Row, dev: str, has_others: bool) -> Candidate:
    """`dev`: the split that development rows belong to; `has_others`: there is another row for the
    same file. Common Voice's clips are called as in its archives, from which a private copy is
    restored.
    """
    split = dev if row.split == "dev" else row.split
    problem = "two_rows" if has_others else row.problem
    found = _candidate(entry, row.text, split, row.speaker, row.number, problem, row.source)
    return replace(found, name=PurePosixPath(entry.name).name) if row.source else found


def _candidate(
    entry: Entry,
    text: str | None,
    split: str = "",
    speaker: str = "",
    row: int | None = None,
    problem: str = "",
    source: str = "",
) -> Candidate:
    audio = None
    if not problem:
        try:
            audio = entry.fetch()
        except InputError as error:
            problem = error.code
    return Candidate(entry.name, audio, text, split, speaker, row, problem, source)
