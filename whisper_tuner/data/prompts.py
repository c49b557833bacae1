"""Sentences to read aloud: pasted, out of a file of any kind, or a sheet that comes with us."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from whisper_tuner.audio import MAX_CLIP_S
from whisper_tuner.data.checking import MAX_TOKENS, clean_text
from whisper_tuner.data.clips import Finding
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.entries import FileOnDisk
from whisper_tuner.data.split import sentence_key
from whisper_tuner.data.table_files import TABLE_SUFFIXES, draft_file
from whisper_tuner.data.tables import Draft, Reading, cell, find_columns
from whisper_tuner.data.text_checks import speech_length, strip_markup
from whisper_tuner.errors import InputError

PROMPTS_DIR = Path(__file__).resolve().parents[1] / "prompts"
MAX_SENTENCES = 1000  # of one sheet
N_SPECIALS = 8  # tokens that are no text; Whisper adds four
MAX_BYTES = 1 << 20  # of pasted text, and of a text file
LETTERS_PER_S = 12.0  # read aloud: 150 English words a minute; what `speech_length` counts
PAUSE_S = 1.0  # before and behind a sentence, together
N_SHOWN = 60  # characters of a line that a finding shows


@dataclass(frozen=True)
class Prompts:
    """Sentences worth reading, and what is wrong with other lines."""

    sentences: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def seconds(self) -> float:
        return sum(map(reading_s, self.sentences))


def languages() -> list[str]:
    """The codes of the languages that there is a sheet of."""
    return sorted(path.stem for path in PROMPTS_DIR.glob("*.txt"))


def built_in(language: str) -> str:
    """The sheet of a language, one sentence a line. Raises InputError prompts_none."""
    if language not in languages():
        raise InputError("prompts_none", language=language, known=", ".join(languages()))
    return (PROMPTS_DIR / f"{language}.txt").read_text(encoding="utf-8")


def reading_s(sentence: str) -> float:
    """About how many seconds reading it takes."""
    return PAUSE_S + speech_length(sentence) / LETTERS_PER_S


def check(text: str, count_tokens: Callable[[str], int]) -> Prompts:
    """The sentences of a text, one a line. A line that cannot be one is a finding; `row` counts
    the lines.

    Raises: InputError sentences_too_much.
    """
    if len(text.encode(errors="replace")) > MAX_BYTES:
        raise InputError("sentences_too_much", limit_kb=MAX_BYTES >> 10)
    found = Prompts()
    first: dict[str, int] = {}  # by what makes a sentence the same, its line
    n_blank = n_over = 0
    for row, line in enumerate(text.splitlines(), start=1):
        sentence = clean_text(line)
        key = sentence_key(sentence)
        problem = _problem(sentence, count_tokens)
        if not sentence:
            n_blank += 1
        elif problem:
            code, params = problem
            found.findings.append(_finding(code, row, sentence, **params))
        elif key in first:
            found.findings.append(_finding("sentence_again", row, sentence, first=first[key]))
        elif len(found.sentences) == MAX_SENTENCES:
            n_over += 1
        else:
            first[key] = row
            found.sentences.append(sentence)
    if n_over:
        found.findings.append(_finding("sentences_over", None, "", n=n_over, limit=MAX_SENTENCES))
    if n_blank:
        found.findings.append(_finding("sentences_blank", None, "", n=n_blank))
    return found


def _problem(sentence: str, count_tokens: Callable[[str], int]) -> tuple[str, dict] | None:
    if not sentence_key(strip_markup(sentence)):
        return "sentence_no_words", {}
    if reading_s(sentence) > MAX_CLIP_S:
        return "sentence_too_long", {"seconds": round(reading_s(sentence))}
    may_be_too_many = len(sentence.encode()) > MAX_TOKENS - N_SPECIALS  # a token is a byte or more
    if may_be_too_many and count_tokens(sentence) > MAX_TOKENS:
        return "sentence_too_many_tokens", {"limit": MAX_TOKENS}
    return None


def _finding(code: str, row: int | None, sentence: str, **params: object) -> Finding:
    shown = sentence if len(sentence) <= N_SHOWN else f"{sentence[:N_SHOWN]}…"
    return Finding(code, clip="", refused=True, row=row, params={"text": shown, **params})


def read_file(path: Path, name: str) -> tuple[str, str]:
    """The sentences in a file, one a line, for a person to look at; and the encoding where that is
    only a guess, else "".

    Of a table, the column that is called like one of texts, else the one with the longest; the
    lines of a .csv that is none.

    Raises: InputError sentences_unreadable, and those of `entries.Entry.read`,
    `encodings.decode_text` and `table_files.draft_file`.
    """
    entry = FileOnDisk(name, str(path))
    if entry.suffix not in TABLE_SUFFIXES | {".txt"}:
        raise InputError("sentences_unreadable", file=entry.file_name)
    if entry.suffix in TABLE_SUFFIXES:
        draft = draft_file(entry, Reading(), knows=lambda _: False)
        cells = _text_cells(draft)
        if cells:
            guess = draft.encoding if "encoding" in draft.questions else ""
            return "\n".join(" ".join(text.split()) for text in cells), guess
    text, encoding, is_certain = decode_text(entry.read(MAX_BYTES), name)
    return text, "" if is_certain else encoding


def _text_cells(draft: Draft) -> list[str]:
    """Nothing where a .csv is rather lines of text: behind their commas there is a space."""
    records = [record for record in draft.records if any(map(str.strip, record))]
    named = find_columns(records[0]).get("text")
    if named is not None:
        return [cell(record, named) for record in records[1:]]
    width = max(map(len, records))
    behind = [text for record in records for text in record[1:] if text]
    n_spaced = sum(text.startswith(" ") for text in behind)
    if draft.delimiter and (len(set(map(len, records))) > 1 or 2 * n_spaced > len(behind)):
        return []
    longest = max(range(width), key=lambda i: sum(len(cell(record, i)) for record in records))
    return [cell(record, longest) for record in records]
