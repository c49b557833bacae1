"""Two hundred tables as people save them: 10 encodings × 4 delimiters × 5 quirks.

    python -m benchmarks.fuzz_parts.tables [--seed N] [--json FILE]

Every table must be read right, row by row, or be a question or a named problem of that row; none
may be silently wrong. What was asked must be read right once it is answered.
"""

import argparse
import csv
import io
import json
import random
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz_parts.sentences import SENTENCES
from whisper_tuner.data.delimited import DELIMITERS
from whisper_tuner.data.table_files import draft_text
from whisper_tuner.data.tables import Reading
from whisper_tuner.errors import InputError

# Python's encoding, the mark before it, and the languages that are written in it.
ANY = tuple(SENTENCES)
ENCODINGS = {
    "utf-8": (b"", ANY),
    "utf-8-sig": (b"", ANY),
    "utf-16-le": (b"\xff\xfe", ANY),
    "utf-16-be": (b"\xfe\xff", ANY),
    "cp1252": (b"", ("de", "fr", "es")),
    "cp1250": (b"", ("pl", "cs")),
    "cp1251": (b"", ("ru", "uk")),
    "gb18030": (b"", ("zh",)),
    "cp932": (b"", ("ja",)),
    "cp949": (b"", ("ko",)),
}
MORE_ENCODINGS = {  # beyond the two hundred
    "utf-16-le": (b"", ANY),
    "utf-16-be": (b"", ANY),
    "mac_roman": (b"", ("de", "fr", "es")),
    "cp1256": (b"", ("ar",)),
    "koi8_r": (b"", ("ru",)),
}
QUIRKS = ("line breaks", "stray marks", "trailing delimiters", "blank lines", "title")
HEADERS = (
    ("file_name", "transcription"),
    ("path", "sentence"),
    ("Audio File", "Text"),
    ("wav", "label"),
    ("Aufnahme", "Wortlaut"),  # unknown
    None,
)
TITLES = ("sep={d}", "Recordings, May 2024", '"Interviews"{d}{d}', "# v2; final")
RECORDING = re.compile(r"rec_\d+(\.wav)?")


@dataclass(frozen=True)
class Case:
    """A table as saved, what it says, and what a person who knows it would answer."""

    name: str
    data: bytes
    rows: list[tuple[str, str]]
    answer: Reading
    traits: tuple[str, ...] = field(default=())


def generate(seed: int = 0, encodings: dict = ENCODINGS) -> list[Case]:
    """One table of each encoding, delimiter and quirk; all else is drawn."""
    rng = random.Random(seed)
    return [
        _case(rng, encoding, delimiter, quirk, *encodings[encoding])
        for encoding in encodings
        for delimiter in DELIMITERS
        for quirk in QUIRKS
    ]


def _case(
    rng: random.Random,
    encoding: str,
    delimiter: str,
    quirk: str,
    mark: bytes,
    languages: tuple[str, ...],
) -> Case:
    language, n_rows = rng.choice(languages), rng.randint(8, 40)
    suffix = rng.choice((".wav", ".wav", ""))
    texts = [_text(rng, SENTENCES[language], delimiter, quirk) for _ in range(n_rows)]
    rows = [(f"rec_{i}{suffix}", text) for i, text in enumerate(texts)]
    header = rng.choice(HEADERS)
    swapped, with_speaker = rng.random() < 0.3, rng.random() < 0.3
    records = [header, *rows] if header else rows
    records = [record[::-1] if swapped else record for record in records]
    if with_speaker:
        speakers = ["speaker", *rng.choices(("s1", "s2"), k=n_rows)]
        speakers = speakers if header else speakers[1:]
        records = [(*r, speaker) for r, speaker in zip(records, speakers, strict=True)]
    end = rng.choice(("\n", "\r\n", "\r"))
    content = _write(rng, records, delimiter, quirk, end)
    answer = Reading(
        encoding=encoding,
        delimiter=delimiter,
        has_header=header is not None,
        audio=2 if swapped else 1,
        text=1 if swapped else 2,
    )
    traits = (encoding, delimiter, quirk, language, str(header), suffix or "no suffix", repr(end))
    return Case("list.csv", mark + content.encode(encoding), rows, answer, traits)


def _text(rng: random.Random, sentences: tuple[str, ...], delimiter: str, quirk: str) -> str:
    text = rng.choice(sentences)
    if rng.random() < 0.3:
        text = f"{text} {rng.choice(sentences)}"
    if quirk == "stray marks":  # nothing is quoted in such a table, so nothing may need it
        text = text.replace(delimiter, "")
        marked = (f'"{text}', f'{text[:4]}"{text[4:]}', f'"{text[:5]}" {text[5:]}')
        return rng.choice((*marked, text, text))
    if rng.random() < 0.2:
        text = text.replace(" ", f"{delimiter} ", 1)
    if quirk == "line breaks" and rng.random() < 0.4:
        text = f"{text}\n{rng.choice(sentences)}"
    return text


def _write(
    rng: random.Random, records: list[tuple[str, ...]], delimiter: str, quirk: str, end: str
) -> str:
    if quirk == "stray marks":
        return "".join(delimiter.join(record) + end for record in records)
    style = rng.choice((csv.QUOTE_MINIMAL, csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    lines = []
    for record in records:
        out = io.StringIO()
        csv.writer(out, delimiter=delimiter, quoting=style, lineterminator="\n").writerow(record)
        last = delimiter if quirk == "trailing delimiters" else ""
        lines.append(out.getvalue().removesuffix("\n") + last)
        if quirk == "blank lines" and rng.random() < 0.2:
            lines.append(rng.choice(("", "  ", delimiter * 2)))
    if quirk == "title":
        lines.insert(0, rng.choice(TITLES).format(d=delimiter))
    return "".join(line.replace("\n", end) + end for line in lines)


def score(case: Case) -> tuple[str, bool]:
    """ "right", "asked" or "wrong"; and whether it is right once it is answered."""
    return _read(case, Reading()), _read(case, case.answer) == "right"


def _read(case: Case, reading: Reading) -> str:
    def knows(cell: str) -> bool:
        return RECORDING.fullmatch(cell.strip()) is not None

    try:
        rows = draft_text(case.data, case.name, reading, knows).rows()
    except InputError:
        return "asked"
    found = {row.file: row for row in rows}
    said = [found.get(file) for file, _ in case.rows]
    if None in said or len(rows) < len(case.rows):
        return "wrong"
    wrong = [
        row
        for row, (_, text) in zip(said, case.rows, strict=True)
        if "\n".join(row.text.splitlines()) != text
    ]
    if any(not row.problem for row in wrong):
        return "wrong"
    return "asked" if wrong else "right"


def run(seed: int = 0, encodings: dict = ENCODINGS) -> dict:
    """The figures: of so many tables so many right, asked, and right once answered."""
    cases = generate(seed, encodings)
    scores = [(case, score(case)) for case in cases]
    counts = Counter(verdict for _, (verdict, _) in scores)
    return {
        "tables": len(cases),
        "tables_right_or_asked": counts["right"] + counts["asked"],
        "tables_right": counts["right"],
        "tables_asked": counts["asked"],
        "tables_right_once_answered": sum(answered for _, (_, answered) in scores),
        "tables_wrong": [case.traits for case, (verdict, _) in scores if verdict == "wrong"],
        "tables_not_answered": [case.traits for case, (_, answered) in scores if not answered],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--more", action="store_true", help="five further encodings instead")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    figures = run(options.seed, MORE_ENCODINGS if options.more else ENCODINGS)
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if options.json:
        options.json.write_text(json.dumps(figures, ensure_ascii=False), encoding="utf-8")


if __name__ == "__main__":
    main()
