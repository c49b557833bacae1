"""A table of file names and transcripts: its columns by their names, and its rows."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from operator import itemgetter
from pathlib import PurePosixPath

from whisper_tuner.data.clips import COMMON_VOICE
from whisper_tuner.data.delimited import without_end
from whisper_tuner.data.foreign import Unsure
from whisper_tuner.errors import InputError

# Header names as `plain` writes them; the first that is there counts.
COLUMNS = {
    "audio": (
        "filename filepath file audiofilename audiofilepath audiofile audiopath audio path wavpath"
        " wavfile wav clipname clip recording name 文件名 文件 音频 音频文件 路径"
    ),
    "text": (
        "transcription transcript transcripts transcriptions text sentence sentences label labels"
        " utterance reference prompt 转写 文本 转录 句子 内容"
    ),
    "split": "split splits set subset partition 划分",
    "speaker": "speakerid speaker clientid spk spkid speakername 说话人",
}
SPLIT_NAMES = {
    "train": "train training 训练 训练集",
    "test": "test testing eval evaluation heldout 测试 测试集",
    "dev": "dev development validation valid val 验证 验证集",
}
COMMON_VOICE_COLUMNS = frozenset({"clientid", "path", "sentence"})
# As our own ZIPs and spreadsheets mark a cell that is text though it looks like a formula.
TEXT_MARK = re.compile(r"'(?=\s*[=+\-@＝＋－＠])")
Knows = Callable[[str], bool]  # whether a cell names one of the recordings


@dataclass(frozen=True, slots=True)
class Reading:
    """How a person says that an upload is to be read; what is None is found out.

    `tier`: of timed transcripts with several tiers, the one (or the kind) with what is said.
    `encoding` counts only where the bytes do not tell it. A column is a header's name, or a number
    from 1; 0 means that there is none.
    """

    encoding: str | None = None
    delimiter: str | None = None
    has_header: bool | None = None
    audio: str | int | None = None
    text: str | int | None = None
    split: str | int | None = None
    speaker: str | int | None = None
    tier: str = ""

    def column(self, kind: str, header: list[str]) -> int | None:
        """The index of the column said to be this; -1: none; None: nothing said, or not here."""
        said = getattr(self, kind)
        names = [cell.strip() for cell in header]
        if isinstance(said, str):
            if said.strip() in names:
                return names.index(said.strip())
            said = int(said) if said.strip().isdecimal() else None
        if said is None or said > max(len(header), 1):
            return None
        return said - 1


@dataclass(frozen=True, slots=True)
class Row:
    """One row as written. `number` is what a spreadsheet shows beside it: the header is row 1."""

    file: str
    text: str
    split: str  # "train", "test", "dev" or ""
    speaker: str
    number: int
    problem: str = ""
    source: str = ""  # as of `clips.Candidate`
    span: tuple[float, float] | None = None  # seconds of a longer recording, when it is a part


@dataclass(frozen=True)
class Draft:
    """A table as it would be read. `columns`: "audio", "text", "split", "speaker" → index.

    `questions`: what only a person can say, "encoding" or "columns". `n_above`: records that are
    not in the file, such as a header made of JSON's keys. `recordings`: the column of a Parquet
    file that holds the sound itself. `has_more`: other sheets name recordings too. `spans`: by a
    row's number, the seconds where it begins and ends in its recording; empty when rows are whole
    recordings.
    """

    name: str
    records: list[list[str]]
    header: int | None  # index among the records
    columns: dict[str, int]
    questions: tuple[str, ...] = ()
    encoding: str = ""
    delimiter: str = ""
    n_above: int = 0
    recordings: str | None = None
    has_more: bool = False
    spans: dict[int, tuple[float, float]] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The header's cells; "1", "2", … where there is none."""
        if self.header is not None:
            return [cell.strip() for cell in self.records[self.header]]
        return [str(i + 1) for i in range(max(map(len, self.records), default=0))]

    @property
    def n_columns(self) -> int:
        """How many cells a row has; where one has more, a transcript's comma was not quoted."""
        if self.header is not None:
            return len(without_end(self.records[self.header]))
        return usual_length(self.records)[0]

    @property
    def body(self) -> list[tuple[int, list[str]]]:
        """The records below the header that are not blank, each with its number."""
        first = 0 if self.header is None else self.header + 1
        numbered = enumerate(self.records[first:], start=first + 1 - self.n_above)
        return [(n, record) for n, record in numbered if any(map(str.strip, record))]

    @property
    def is_of_recordings(self) -> bool:
        """Whether it names audio and text, whatever else is to be asked."""
        return {"audio", "text"} <= self.columns.keys()

    def rows(self) -> list[Row]:
        """Raises: InputError table_empty, table_no_audio_column, table_no_text_column,
        table_encoding_open, table_columns_open.
        """
        for wanted in ("audio", "text"):
            if wanted not in self.columns:
                found = ", ".join(self.labels)
                raise InputError(f"table_no_{wanted}_column", file=self.name, columns=found)
        body = self.body
        if not body:
            raise InputError("table_empty", file=self.name)
        if self.questions:
            number, record = next(((n, r) for n, r in body if not "".join(r).isascii()), body[0])
            given = {"row": number, "sample": cell(record, self.columns["text"])[:80]}
            given |= {"encoding": self.encoding, "columns": ", ".join(self.labels)}
            raise InputError(f"table_{self.questions[0]}_open", file=self.name, **given)
        whole = _split(_stem(self.name))
        names = {plain(label) for label in self.labels}
        source = COMMON_VOICE if names >= COMMON_VOICE_COLUMNS else ""
        n_columns = self.n_columns
        rows = [_row(record, self.columns, n_columns, n, whole) for n, record in body]
        if source or self.spans:
            rows = [replace(row, source=source, span=self.spans.get(row.number)) for row in rows]
        return rows


def cell(record: Sequence[str], i: int) -> str:
    return record[i] if i < len(record) else ""


def usual_length(records: list[list[str]]) -> tuple[int, int]:
    """The number of cells that most records have, and how many have it."""
    lengths = Counter(len(without_end(record)) for record in records)
    del lengths[0]
    return max(lengths.items(), key=itemgetter(1), default=(0, 0))


def find_columns(
    header: list[str], reading: Reading | None = None, by_name: bool = False
) -> dict[str, int]:
    """Which cell of a row is the audio, the text, the split, the speaker.

    `by_name`: numbers in `reading` do not make a row a header.
    """
    places = {plain(cell): i for i, cell in reversed(list(enumerate(header)))}
    found = {}
    for column, names in COLUMNS.items():
        known = [places[name] for name in names.split() if name in places]
        said = reading.column(column, header) if reading else None
        if by_name and not (said is not None and getattr(reading, column) == header[said].strip()):
            said = None
        if said is not None and said >= 0:
            found[column] = said
        elif said is None and known:
            found[column] = known[0]
    return found


def plain(header: str) -> str:
    """A header's name without what people write differently: "File Name" → "filename"."""
    return re.sub(r"[\s_\-.]", "", header).casefold()


def _row(
    record: list[str], columns: dict[str, int], n_columns: int, number: int, whole: str
) -> Row:
    cells = {column: _unmarked(cell(record, i)) for column, i in columns.items()}
    # Cells right of the last column are the rest of a transcript whose comma was not quoted.
    problems = {
        "kaldi_command": cells["audio"].rstrip().endswith("|"),
        "row_extra_cells": any(map(str.strip, record[n_columns:])),
        "cell_not_text": isinstance(cells["text"], Unsure),
    }
    return Row(
        file=cells["audio"].strip(),
        text=cells["text"],
        split=_split(cells["split"]) if "split" in cells else whole,
        speaker=cells.get("speaker", "").strip(),
        number=number,
        problem=next((problem for problem, is_there in problems.items() if is_there), ""),
    )


def _unmarked(cell: str) -> str:
    return cell[1:] if TEXT_MARK.match(cell) else cell


def _stem(name: str) -> str:
    """Without the Hub's numbers: train-00000-of-00002.parquet is the split train."""
    return re.sub(r"-\d+-of-\d+$", "", PurePosixPath(name).stem)


def _split(name: str) -> str:
    return next((split for split, names in SPLIT_NAMES.items() if plain(name) in names.split()), "")
