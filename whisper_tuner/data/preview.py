"""How an upload's table would be read, for a person to confirm or correct before it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from whisper_tuner.data.encodings import certain_encoding, decode_text, possible_encodings
from whisper_tuner.data.entries import Entry, opened
from whisper_tuner.data.layouts import MAX_TEXT_BYTES
from whisper_tuner.data.tables import Draft, Reading, cell
from whisper_tuner.data.timed_text import MAX_BYTES
from whisper_tuner.data.upload import Upload
from whisper_tuner.errors import InputError

N_ROWS = 5
N_TEXTS = 200  # .txt files looked into


@dataclass(frozen=True)
class Preview:
    """The first rows as they would be read; where their encoding is the question, the first row and
    those with foreign letters. `columns`: "audio", "text", "split", "speaker" → index
    into `labels` and each row. `questions`: as of `tables.Draft`; without any it is certain.

    `encodings`: what may be chosen, none when the bytes tell it; `delimiter` is "" and `has_header`
    None where there is no such choice.
    """

    file: str
    labels: list[str]
    rows: list[list[str]]
    columns: dict[str, int]
    questions: tuple[str, ...] = ()
    encoding: str = ""
    encodings: tuple[str, ...] = ()
    delimiter: str = ""
    has_header: bool | None = None


def preview(
    paths: Sequence[Path], names: Sequence[str] | None = None, reading: Reading | None = None
) -> Preview | None:
    """The table that is to be asked about, else the first one; of .txt files only those whose
    encoding is to be asked. None when there is nothing to show.

    Raises: InputError when the upload or its only table cannot be read.
    """
    reading = reading or Reading()
    with opened(paths, names) as entries:
        upload = Upload(entries, reading)
        drafts = [(entry, draft) for entry, draft in upload.drafts if isinstance(draft, Draft)]
        errors = [draft for _, draft in upload.drafts if isinstance(draft, InputError)]
        if drafts:
            good = [
                (e, d) for e, d in drafts if d.is_of_recordings and "columns" not in d.questions
            ]
            open_ones = [(e, d) for e, d in good if d.questions]
            return _of_table(*(open_ones or good or drafts)[0])
        if errors:
            raise errors[0]
        timed = [entry for entry in upload.timed.files if entry.suffix != ".eaf"]  # tells it itself
        return _of_texts([*upload.texts, *timed][:N_TEXTS], reading)


def _of_table(entry: Entry, draft: Draft) -> Preview:
    encodings: list[str] = []
    if draft.encoding:
        data = entry.read(MAX_TEXT_BYTES)
        encodings = [] if certain_encoding(data) else possible_encodings(data)
    labels = draft.labels
    first, *rest = [record for _, record in draft.body] or [[]]
    if encodings:  # rows that no encoding changes say nothing
        rest.sort(key=lambda record: "".join(record).isascii())
    rows = [[cell(record, i) for i in range(len(labels))] for record in (first, *rest)[:N_ROWS]]
    return Preview(
        draft.name,
        labels,
        rows,
        draft.columns,
        draft.questions,
        draft.encoding,
        tuple(encodings),
        draft.delimiter,
        None if draft.n_above else draft.header is not None,
    )


def _of_texts(texts: list[Entry], reading: Reading) -> Preview | None:
    """The transcripts whose bytes do not tell their encoding, all read in one; of each the lines
    that another encoding changes.
    """
    contents = {text.name: text.read(MAX_BYTES) for text in texts}
    unclear = {name: data for name, data in contents.items() if certain_encoding(data) is None}
    if not unclear:
        return None
    encodings = possible_encodings(b"\n".join(unclear.values()))
    encoding = decode_text(b"\n".join(unclear.values()), texts[0].name, reading.encoding)[1]
    rows = [[name, _foreign(data.decode(encoding, "replace"))] for name, data in unclear.items()]
    questions = () if reading.encoding else ("encoding",)
    columns = {"audio": 0, "text": 1}
    return Preview(
        texts[0].name, ["1", "2"], rows[:N_ROWS], columns, questions, encoding, tuple(encodings)
    )


def _foreign(text: str) -> str:
    return " ".join(line for line in text.splitlines() if not line.isascii())
