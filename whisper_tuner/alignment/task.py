"""What is to be aligned, in a folder of the run: the recording, its full text, and what has been
heard so far. No torch.

    run/alignment/task.json  source/…  recording.flac  heard.jsonl  review.json
"""

import json
import os
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path

from whisper_tuner.alignment.letters import Window
from whisper_tuner.errors import RunError
from whisper_tuner.runs import durable
from whisper_tuner.runs.folder import Run

FOLDER_NAME = "alignment"


@dataclass(frozen=True)
class Task:
    """Written once. `recording`: what the user calls it; `text`: the full one."""

    recording: str
    text: str
    language: str
    base: str
    precision: str


def folder(run: Run) -> Path:
    return run.dir / FOLDER_NAME


def is_alignment(run: Run) -> bool:
    return (folder(run) / "task.json").exists()


def create(run: Run, task: Task, recording: Path) -> None:
    """Keep the task and a copy of the recording, which may be an upload that is soon gone."""
    folder(run).mkdir()
    shutil.copyfile(recording, source_path(run))
    durable.write_once(folder(run) / "task.json", json.dumps(asdict(task), ensure_ascii=False))


def read(run: Run) -> Task:
    """Raises RunError when this run aligns nothing."""
    try:
        return Task(**json.loads((folder(run) / "task.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise RunError("alignment_unknown", run=run.id) from error


def source_path(run: Run) -> Path:
    """The recording as it came; deleted when `sound_path` is there."""
    return folder(run) / "source"


def sound_path(run: Run) -> Path:
    """The recording as 16 kHz mono FLAC, whole."""
    return folder(run) / "recording.flac"


def heard_windows(run: Run) -> list[Window]:
    """What has been heard, in the order of time; a torn last line is none."""
    try:
        data = (folder(run) / "heard.jsonl").read_bytes()
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


def add_heard(run: Run, windows: list[Window]) -> None:
    """Append to what was read by `heard_windows`; what is torn behind it is dropped."""
    path, known = folder(run) / "heard.jsonl", heard_windows(run)
    lines = [json.dumps(asdict(window), ensure_ascii=False) + "\n" for window in windows]
    before = b"" if not path.exists() else path.read_bytes()
    kept = sum(len(line) + 1 for line in before.split(b"\n")[: len(known)])
    with path.open("r+b" if path.exists() else "wb") as file:
        file.truncate(kept)
        file.seek(kept)
        file.write("".join(lines).encode())
        file.flush()
        os.fsync(file.fileno())
