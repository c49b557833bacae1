"""A CSV or TSV table of file names and transcripts → rows, whatever program wrote it."""

import csv
import io
import re
from dataclasses import dataclass
from pathlib import PurePosixPath

from whisper_tuner.data.encodings import CERTAIN, decode_text
from whisper_tuner.errors import InputError

DELIMITERS = ",;\t|"
MAX_ROWS = 100_000
# Header names as `_plain` writes them; the first that is there counts.
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


@dataclass(frozen=True, slots=True)
class Row:
    """One row as written. `number` is what a spreadsheet shows beside it: the header is row 1."""

    file: str
    text: str
    split: str  # "train", "test", "dev" or ""
    speaker: str
    number: int
    problem: str = ""


@dataclass(frozen=True)
class Table:
    """A table that names audio files and their transcripts; `guessed`: its encoding is a guess."""

    name: str
    rows: list[Row]
    guessed: bool


def read_table(data: bytes, name: str) -> Table:
    """Read a table with a header row. Nothing is taken for a missing value: "NA" is a text.

    A table called train, test or dev that has no split column is that split.

    Raises: InputError table_empty, table_unreadable, table_too_long, table_no_audio_column,
    table_no_text_column, text_encoding_unknown, text_not_text.
    """
    text, encoding = decode_text(data, name)
    start, records = _parse(text, name)
    header = records[start]
    columns = _find_columns(header)
    for wanted in ("audio", "text"):
        if wanted not in columns:
            found = ", ".join(cell.strip() for cell in header)
            raise InputError(f"table_no_{wanted}_column", file=name, columns=found)
    whole = _split(PurePosixPath(name).stem)
    rows = [
        _row(record, columns, len(header), number, whole)
        for number, record in enumerate(records[start + 1 :], start=start + 2)
        if any(cell.strip() for cell in record)
    ]
    if not rows:
        raise InputError("table_empty", file=name)
    return Table(name, rows, guessed=encoding not in CERTAIN)


def _plain(header: str) -> str:
    return re.sub(r"[\s_\-.]", "", header).casefold()


def _parse(text: str, name: str) -> tuple[int, list[list[str]]]:
    """The index of the header among the records, and all records.

    The delimiter is the one with which most columns of the header get a name we know.
    """
    first_line = next((line for line in text.splitlines() if line.strip()), None)
    if first_line is None:
        raise InputError("table_empty", file=name)

    def fit(delimiter: str) -> tuple[int, int]:
        header = next(csv.reader([first_line], delimiter=delimiter))
        return len(_find_columns(header)), len(header)

    records = _records(text, max(DELIMITERS, key=fit), name)
    if len(records) > MAX_ROWS:
        raise InputError("table_too_long", file=name, rows=len(records), limit=MAX_ROWS)
    return next(i for i, record in enumerate(records) if any(map(str.strip, record))), records


def _records(text: str, delimiter: str, name: str) -> list[list[str]]:
    """The records of a table, read with its quotation marks or, when they mean nothing, without.

    A transcript may begin with a quotation mark that means nothing to the table. Reading it as a
    quoted cell would swallow the rows that follow; such a table has the same number of cells in
    every line when the marks are read as text.
    """
    plain, readable = _read(text, delimiter, csv.QUOTE_NONE)
    regular = readable and len({len(record) for record in plain if record}) == 1
    quoted, understood = _read(text, delimiter, csv.QUOTE_MINIMAL)
    if regular and (not understood or len(plain) > len(quoted)):
        return plain
    if not understood:
        raise InputError("table_unreadable", file=name, row=len(quoted) + 1)
    return quoted


def _read(text: str, delimiter: str, quoting: int) -> tuple[list[list[str]], bool]:
    """The records up to the first that breaks the rules, and whether none did."""
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, quoting=quoting, strict=True)
    records = []
    try:
        for record in reader:
            records.append(record)
    except csv.Error:
        return records, False
    return records, True


def _find_columns(header: list[str]) -> dict[str, int]:
    """Which cell of a row is the audio, the text, the split, the speaker."""
    places = {_plain(cell): i for i, cell in reversed(list(enumerate(header)))}
    found = {}
    for column, names in COLUMNS.items():
        known = [places[name] for name in names.split() if name in places]
        if known:
            found[column] = known[0]
    return found


def _row(
    record: list[str], columns: dict[str, int], n_columns: int, number: int, whole: str
) -> Row:
    cells = {column: (record[i] if i < len(record) else "") for column, i in columns.items()}
    # Cells right of the last column are the rest of a transcript whose comma was not quoted.
    cut = any(cell.strip() for cell in record[n_columns:])
    return Row(
        file=cells["audio"].strip(),
        text=cells["text"],
        split=_split(cells["split"]) if "split" in cells else whole,
        speaker=cells.get("speaker", "").strip(),
        number=number,
        problem="row_extra_cells" if cut else "",
    )


def _split(name: str) -> str:
    return next(
        (split for split, names in SPLIT_NAMES.items() if _plain(name) in names.split()), ""
    )
