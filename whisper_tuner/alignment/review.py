"""What a person decides about the clips of an alignment: which are kept, and with what text.

The rows of several recordings follow each other.

`review.json` in the alignment's folder, changed row by row: nothing is lost by a reload or a
restart. The same as a CSV for a spreadsheet. No torch.
"""

import csv
import io
import json
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import soundfile

from whisper_tuner.alignment import task
from whisper_tuner.alignment.align import Piece
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.cutting import Segment
from whisper_tuner.data.encodings import decode_text
from whisper_tuner.data.pieces import clock
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import durable, locks
from whisper_tuner.runs.folder import Run

SURE = 0.7  # confidence from which on a clip is kept unless a person drops it
N_NAMED = 3  # recordings that a sentence names
Key = tuple[int, float, float, int]
COLUMNS = ("file", "start", "end", "confidence", "keep", "text")
YES, NO = (
    ("yes", "y", "1", "true", "x", "ja", "oui", "si", "sí", "是"),
    ("no", "n", "0", "false", ""),
)


@dataclass(frozen=True, slots=True)
class Row:
    """A `Piece` and what was decided; `is_looked_at`: by a person. `recording`: its number in the
    task.
    """

    start_s: float
    end_s: float
    text: str
    confidence: float
    keep: bool
    is_looked_at: bool = False
    recording: int = 0

    @property
    def is_sound(self) -> bool:
        return self.end_s > self.start_s

    @property
    def is_sure(self) -> bool:
        return self.confidence >= SURE

    @property
    def time(self) -> str:
        return f"{clock(self.start_s)}–{clock(self.end_s)}"


def begin(run: Run, pieces_of: Sequence[Sequence[Piece]]) -> list[Row]:
    """Write the first review: sure clips are kept. `pieces_of`: each recording of the task."""
    rows = [
        Row(
            round(p.start_s, 3),
            round(p.end_s, 3),
            p.text,
            p.confidence,
            _is_sure_clip(p),
            recording=i,
        )
        for i, pieces in enumerate(pieces_of)
        for p in pieces
    ]
    _write(run, rows)
    return rows


def _is_sure_clip(piece: Piece) -> bool:
    return piece.is_sound and bool(piece.text) and piece.confidence >= SURE


def is_there(run: Run) -> bool:
    return _path(run).exists()


def read(run: Run) -> list[Row]:
    """Raises RunError when the alignment has not come to its end."""
    try:
        rows = json.loads(_path(run).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunError("alignment_not_done", run=run.id) from error
    return [Row(**row) for row in rows]


def decide(run: Run, index: int, keep: bool, text: str) -> Row:
    """One row's decision, at once on the disk. A clip without text or sound cannot be kept."""
    with locks.hold(task.folder(run) / "review.lock"):
        rows = read(run)
        text = " ".join(text.split())
        can_be = rows[index].is_sound and bool(text)
        rows[index] = replace(rows[index], keep=keep and can_be, text=text, is_looked_at=True)
        _write(run, rows)
        return rows[index]


def keep_sure(run: Run) -> int:
    """Keep all sure clips, drop all others that nobody looked at; how many are kept."""
    with locks.hold(task.folder(run) / "review.lock"):
        rows = read(run)
        rows = [
            row
            if row.is_looked_at
            else replace(row, keep=row.is_sound and bool(row.text) and row.is_sure)
            for row in rows
        ]
        _write(run, rows)
        return sum(row.keep for row in rows)


def sound(run: Run, row: Row) -> bytes:
    """A row's stretch of its recording as a WAV file."""
    path, out = task.sound_path(run, row.recording), io.BytesIO()
    first, last = round(row.start_s * SAMPLE_RATE), round(row.end_s * SAMPLE_RATE)
    samples = soundfile.read(path, start=first, stop=last, dtype="int16")[0]
    soundfile.write(out, samples, SAMPLE_RATE, format="WAV", subtype="PCM_16")
    return out.getvalue()


def segments(run: Run, i: int) -> Iterator[Segment]:
    """Every row of a recording that is kept, as a clip of it."""
    name = task.read(run).items[i].name
    for number, row in enumerate(read(run), start=1):
        if row.keep and row.recording == i:
            times = (row.start_s, row.end_s)
            yield Segment(f"{name} {row.time}", name, *times, row.text, row=number)


def unused(run: Run, chosen: Collection[int]) -> Iterator[Segment]:
    """What is not used of these recordings: how much, with an example; and which cannot be read."""
    items = task.read(run).items
    for i in chosen:
        if problem := task.read_problem(run, i):
            name, code = items[i].name, problem.code
            yield Segment(name, name, 0, 0, "", problem=code, params=problem.params)
    names = [items[i].name for i in chosen]
    told = ", ".join(names[:N_NAMED]) + ("…" if len(names) > N_NAMED else "")
    rows_of = {"align_dropped": [], "align_no_text": [], "align_not_heard": []}
    for row in read(run):
        if row.recording in chosen and not row.keep:
            rows_of[kind(row)].append(row)
    for code, rows in rows_of.items():
        if rows:
            first, seconds = rows[0], round(sum(row.end_s - row.start_s for row in rows))
            where = f"{items[first.recording].name} " if len(names) > 1 else ""
            params = {"n": len(rows), "seconds": seconds, "text": first.text[:60]}
            params["time"] = where + clock(first.start_s)
            yield Segment(told, told, 0, 0, "", problem=code, params=params)


def kind(row: Row) -> str:
    """What a row is that is not kept: a clip, sound without text, or text without sound."""
    if not row.is_sound:
        return "align_not_heard"
    return "align_dropped" if row.text else "align_no_text"


def to_csv(run: Run) -> str:
    """The review as a table for a spreadsheet, with a byte order mark: else Excel guesses."""
    items, out = task.read(run).items, io.StringIO()
    writer = csv.writer(out)
    writer.writerow(COLUMNS)
    for row in read(run):
        keep = "yes" if row.keep else "no"
        name = items[row.recording].name
        writer.writerow([name, row.start_s, row.end_s, row.confidence, keep, row.text])
    return "\ufeff" + out.getvalue()


def from_csv(run: Run, data: bytes, name: str, encoding: str | None = None) -> int:
    """Take over what a person decided in the table that `to_csv` wrote; how many are kept.

    Rows are known by their times, and of several recordings by their file; those taken out of the
    table are dropped.
    Raises: InputError align_table_broken (with its row), and those of `decode_text`.
    """
    text, _, is_certain = decode_text(data, name, encoding)
    if not is_certain:
        raise InputError("document_encoding_open", file=name)
    lines = text.splitlines(keepends=True)
    delimiter = max(",;\t", key=(lines[0] if lines else "").count)
    table = csv.DictReader(lines, delimiter=delimiter)
    names = {item.name: i for i, item in enumerate(task.read(run).items)}
    decided: dict[Key, tuple[bool, str]] = {}
    with locks.hold(task.folder(run) / "review.lock"):
        rows = read(run)
        keys = _keys((row.recording, row.start_s, row.end_s) for row in rows)
        told = []
        for number, line in enumerate(table, start=2):
            try:
                i = names[line["file"].strip()] if len(names) > 1 else 0
                told.append(((i, _number(line["start"]), _number(line["end"])), line, number))
            except (LookupError, ValueError, AttributeError) as error:
                raise InputError("align_table_broken", file=name, row=number) from error
        for key, (_, line, number) in zip(_keys(times for times, _, _ in told), told, strict=True):
            answer = (line.get("keep") or "").strip().casefold()
            if key not in keys or answer not in (*YES, *NO):
                raise InputError("align_table_broken", file=name, row=number)
            decided[key] = answer in YES, " ".join((line.get("text") or "").split())
        rows = [
            _decided(row, *decided.get(key, (False, row.text)))
            for key, row in zip(keys, rows, strict=True)
        ]
        _write(run, rows)
        return sum(row.keep for row in rows)


def _decided(row: Row, keep: bool, text: str) -> Row:
    return replace(row, keep=keep and row.is_sound and bool(text), text=text, is_looked_at=True)


def _keys(places: Iterable[tuple[int, float, float]]) -> list[Key]:
    """Recording, start, end, and a number where several have the same: unspoken texts lie at one
    moment.
    """
    seen: dict[tuple[int, float, float], int] = {}
    keys = []
    for i, start_s, end_s in places:
        key = i, round(start_s, 2), round(end_s, 2)
        seen[key] = seen.get(key, 0) + 1
        keys.append((*key, seen[key]))
    return keys


def _number(text: str) -> float:
    return float(text.strip().replace(",", "."))  # as a German Excel writes it


def _path(run: Run) -> Path:
    return task.folder(run) / "review.json"


def _write(run: Run, rows: list[Row]) -> None:
    data = [asdict(row) for row in rows]
    durable.write(_path(run), json.dumps(data, ensure_ascii=False, indent=0))
