"""What is to be aligned, in a folder of the run: recordings with their full texts, and what was
heard and found so far. No torch.

    run/alignment/task.json  spec.json  review.json
                  source  recording.flac  heard.jsonl  pieces.json      of the first recording
                  2/…  3/…                                              of the others
"""

import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_tuner.alignment.align import Piece
from whisper_tuner.alignment.letters import Window
from whisper_tuner.errors import AudioError, RunError
from whisper_tuner.runs import durable
from whisper_tuner.runs.aligning import FOLDER_NAME
from whisper_tuner.runs.folder import Run


@dataclass(frozen=True)
class Item:
    """One recording. `name`: what the user calls it, unlike that of any other; `text`: the full
    one. Its clips are of this `speaker` and on this side of the test ("": not said).
    """

    name: str
    text: str
    speaker: str = ""
    split: str = ""


@dataclass(frozen=True)
class Task:
    """Written once. `dataset`: id of the run whose long recordings these are, "" for uploads."""

    items: tuple[Item, ...]
    language: str
    base: str
    precision: str
    dataset: str = ""


def folder(run: Run) -> Path:
    return run.dir / FOLDER_NAME


def is_alignment(run: Run) -> bool:
    return (folder(run) / "task.json").exists()


def create(run: Run, task: Task, recordings: Sequence[Path], are_ours: bool = False) -> None:
    """Keep the task and a copy of each recording, which may be an upload that is soon gone.

    `are_ours`: 16 kHz mono FLACs of another run, which are only linked.
    """
    for i, path in enumerate(recordings):
        _place(run, i).mkdir()
        if are_ours:
            os.link(path, sound_path(run, i))
        else:
            shutil.copyfile(path, source_path(run, i))
    durable.write_once(folder(run) / "task.json", json.dumps(asdict(task), ensure_ascii=False))


def read(run: Run) -> Task:
    """Raises RunError when this run aligns nothing."""
    try:
        data = json.loads((folder(run) / "task.json").read_text(encoding="utf-8"))
        if "recording" in data:  # as it was written when there was one
            data["items"] = [{"name": data.pop("recording"), "text": data.pop("text")}]
        items = tuple(Item(**item) for item in data.pop("items"))
        return Task(items, **data)
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise RunError("alignment_unknown", run=run.id) from error


def _place(run: Run, i: int) -> Path:
    return folder(run) / str(i + 1) if i else folder(run)


def source_path(run: Run, i: int = 0) -> Path:
    """A recording as it came; deleted when `sound_path` is there."""
    return _place(run, i) / "source"


def sound_path(run: Run, i: int = 0) -> Path:
    """A recording as 16 kHz mono FLAC, whole."""
    return _place(run, i) / "recording.flac"


def write_problem(run: Run, i: int, error: AudioError) -> None:
    """Note why a recording cannot be used."""
    told = {"code": error.code, "params": error.params}
    durable.write(_place(run, i) / "problem.json", json.dumps(told, ensure_ascii=False))


def read_problem(run: Run, i: int) -> AudioError | None:
    try:
        told = json.loads((_place(run, i) / "problem.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return AudioError(told["code"], **told["params"])


def write_pieces(run: Run, i: int, pieces: Sequence[Piece]) -> None:
    """Note what a recording was cut into."""
    data = [asdict(piece) for piece in pieces]
    durable.write(_place(run, i) / "pieces.json", json.dumps(data, ensure_ascii=False))


def read_pieces(run: Run, i: int) -> list[Piece] | None:
    """None until it was heard to its end."""
    try:
        rows = json.loads((_place(run, i) / "pieces.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    return [Piece(**row) for row in rows]


def heard_windows(run: Run, i: int = 0) -> list[Window]:
    """What has been heard of a recording, in the order of time; a torn last line is none."""
    try:
        data = _heard_path(run, i).read_bytes()
    except FileNotFoundError:
        return []
    windows = []
    for line in data.split(b"\n")[:-1]:
        try:
            row = json.loads(line)
            times = [(int(n), float(time_s)) for n, time_s in row["times"]]
            windows.append(Window(row["start_s"], row["end_s"], row["text"], times))
        except (ValueError, LookupError, TypeError):
            break
    return windows


def add_heard(run: Run, windows: list[Window], i: int = 0) -> None:
    """Append to what was read by `heard_windows`; what is torn behind it is dropped."""
    path, known = _heard_path(run, i), heard_windows(run, i)
    lines = [json.dumps(asdict(window), ensure_ascii=False) + "\n" for window in windows]
    before = b"" if not path.exists() else path.read_bytes()
    kept = sum(len(line) + 1 for line in before.split(b"\n")[: len(known)])
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(kept)
        file.seek(kept)
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())


def _heard_path(run: Run, i: int) -> Path:
    return _place(run, i) / "heard.jsonl"
