"""The records of a table → which one is its header, and which column is what.

Where a table does not say it, a person must: `Draft.questions` says what is to be asked.
"""

import re
from dataclasses import replace

from whisper_tuner.data.delimited import is_file_name, without_end
from whisper_tuner.data.tables import (
    Draft,
    Knows,
    Reading,
    cell,
    find_columns,
    plain,
    usual_length,
)
from whisper_tuner.errors import InputError

MAX_ROWS = 100_000
N_TITLE_ROWS = 10  # a header is looked for so far down
N_LOOKED_AT = 50  # rows read to learn what a column holds
# Two of these with different contents, and nobody but a person can say which was spoken.
TRANSCRIPT_NAMES = (
    "transcription",
    "transcript",
    "text",
    "sentence",
    "转写",
    "文本",
    "转录",
    "句子",
)


def draft(
    records: list[list[str]], name: str, reading: Reading | None = None, knows: Knows | None = None
) -> Draft:
    """Which record is the header, and which column is what. Nothing is taken for a missing value:
    "NA" is a text. A table called train, test or dev that has no split column is that split.

    `knows`: whether a cell names one of the recordings, which tells a table without a header.

    Raises: InputError table_empty, table_too_long.
    """
    reading, knows = reading or Reading(), knows or (lambda _: False)
    used = [i for i, record in enumerate(records) if any(map(str.strip, record))]
    if len(used) > MAX_ROWS + 1:
        raise InputError("table_too_long", file=name, rows=len(used), limit=MAX_ROWS)
    if not used:
        raise InputError("table_empty", file=name)
    header = None if reading.has_header is False else _find_header(records, used, reading)
    if header is None:
        return _by_content(records, used, name, reading, knows)
    columns = find_columns(records[header], reading)
    first = Draft(name, records, header, columns)
    if first.is_of_recordings and reading.text is None and _has_two_texts(first):
        return replace(first, questions=("columns",))
    return first


def _find_header(records: list[list[str]], used: list[int], reading: Reading) -> int | None:
    """The first record that names both audio and text, if any; there may be a title above it."""
    for i in used[:N_TITLE_ROWS]:
        if {"audio", "text"} <= find_columns(records[i], reading, by_name=True).keys():
            return i
    return None


def _by_content(
    records: list[list[str]], used: list[int], name: str, reading: Reading, knows: Knows
) -> Draft:
    """No header that we know: the columns are told by what is in them. The audio is the column that
    names recordings, the text the only other one with words.
    """
    sample = [records[i] for i in used[:N_LOOKED_AT]]
    width = max(map(len, sample))
    n_known = [sum(bool(knows(cell(record, i))) for record in sample) for i in range(width)]
    audio = max(range(width), key=n_known.__getitem__)
    is_list = 2 * n_known[audio] > len(sample)
    usual, n_usual = usual_length(sample)
    wide = (i for i in used[:N_TITLE_ROWS] if len(without_end(records[i])) >= usual)
    first = next(wide, used[0])  # below a title
    named = cell(records[first], audio)
    begins = is_file_name(named) or bool(knows(named))  # at once, without a header
    if reading.has_header is not None:
        begins = not reading.has_header
    header = None if begins else first
    below = sample if header is None else sample[used.index(header) + 1 :]
    texts = _columns_of_words(below, audio, width)
    guessed = {"audio": audio} if is_list else {}
    if texts:
        guessed["text"] = texts[0]
    labels = [""] * width if header is None else records[header]
    said = find_columns(labels, reading)
    free = {kind: i for kind, i in guessed.items() if i not in said.values()}
    is_even = n_usual > 0.9 * len(sample)
    has_files = all(is_file_name(cell(record, audio)) for record in below)
    is_clear = is_list and is_even and len(texts) == 1 and (begins or has_files)
    found = Draft(name, records, header, free | said)
    is_said = "text" in said and ("audio" in said or (is_list and begins))
    return found if is_clear or is_said else replace(found, questions=("columns",))


def _columns_of_words(sample: list[list[str]], audio: int, width: int) -> list[int]:
    """The columns other than `audio` that may be the text, the most likely first; only one of
    LJSpeech's two, which say the same, but the second with numbers spelled out.
    """
    texts = [i for i in range(width) if i != audio and _reads_like_text(sample, i)]
    if (audio, texts, width) == (0, [1, 2], 3) and _say_the_same(sample):
        return [1]

    def n_letters(i: int) -> int:
        return sum(len(cell(record, i)) for record in sample)

    return sorted(texts, key=n_letters, reverse=True)


def _say_the_same(sample: list[list[str]]) -> bool:
    """Whether second and third cells share most of their words: where they do not, there is a
    number or an abbreviation.
    """
    pairs = [(set(cell(r, 1).split()), set(cell(r, 2).split())) for r in sample]
    return sum(len(a & b) > 0.3 * len(a) for a, b in pairs) > 0.8 * len(pairs)


def _reads_like_text(sample: list[list[str]], i: int) -> bool:
    """Whether a column holds words, most of them different in every row: no speakers, no times."""
    cells = [cell(record, i).strip() for record in sample]
    filled = [c for c in cells if c]
    n_words = sum(bool(re.search(r"[^\W\d_]", c)) for c in filled)
    return n_words > 0.8 * len(cells) and len(set(filled)) > 0.5 * len(cells)


def _has_two_texts(table: Draft) -> bool:
    places = {plain(label): i for i, label in reversed(list(enumerate(table.labels)))}
    texts = [i for name, i in places.items() if name in TRANSCRIPT_NAMES]
    body = table.body
    return any(
        cell(record, i).strip() != cell(record, table.columns["text"]).strip()
        for i in texts
        for _, record in body
    )
