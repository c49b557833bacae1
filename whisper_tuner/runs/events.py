"""What happened in a run: `events.jsonl`, one typed event a line, appended by the worker only.

Every line carries `seq` (1, 2, 3 …) and `time_s` (Unix seconds) and is flushed as it is written.
A reader ignores what is torn, so it may look at any moment.
"""

import errno
import json
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

STATES = (
    "draft",
    "queued",
    "preparing",
    "aligning",
    "training",
    "paused",
    "saving",
    "evaluating",
    "done",
    "stopping",
    "stopped",
    "interrupted",
    "failed",
)
TERMINAL_STATES = ("done", "stopped", "failed")
# What a worker may enter behind each state. Each begins with "queued", whatever the one before it
# left; it may fail anywhere, and pause anywhere where the disk is full.
NEXT_STATES = {
    "queued": ("preparing", "evaluating", "stopped"),
    "preparing": ("aligning", "training", "stopped", "done"),
    "aligning": ("stopped", "done"),
    "training": ("training", "saving", "stopping", "preparing", "stopped"),
    "paused": ("training", "queued", "stopped"),
    "saving": ("saving", "training", "evaluating", "preparing", "stopped"),
    "stopping": ("saving", "stopped"),
    "evaluating": ("evaluating", "done", "stopped"),
}


@dataclass(frozen=True)
class StateChanged:
    kind: ClassVar[str] = "state"
    state: str


@dataclass(frozen=True)
class Note:
    """A sentence for the reader: a locale key and its parameters."""

    kind: ClassVar[str] = "note"
    code: str
    params: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Progress:
    """How far a stage other than the training steps is: `stage` is a locale key."""

    kind: ClassVar[str] = "progress"
    stage: str
    done: int
    total: int


@dataclass(frozen=True)
class Step:
    """One optimiser step. `loss` is the mean cross-entropy per label token of its batches."""

    kind: ClassVar[str] = "step"
    step: int
    n_steps: int
    epoch: float
    loss: float
    grad_norm: float
    learning_rate: float
    elapsed_s: float
    remaining_s: float


@dataclass(frozen=True)
class Resumed:
    """The training goes on behind `step` steps; what was learnt after them is gone."""

    kind: ClassVar[str] = "resumed"
    step: int


@dataclass(frozen=True)
class Score:
    """WER and CER (fractions) by `generate()` on `n_clips` held-out clips after `step` steps."""

    kind: ClassVar[str] = "score"
    step: int
    wer: float
    cer: float
    n_clips: int


@dataclass(frozen=True)
class Failed:
    """Why the run failed: a locale key and its parameters. The traceback is in output.log only."""

    kind: ClassVar[str] = "failed"
    code: str
    params: dict = field(default_factory=dict)


Event = StateChanged | Note | Progress | Step | Resumed | Score | Failed
KINDS = {cls.kind: cls for cls in (StateChanged, Note, Progress, Step, Resumed, Score, Failed)}


@dataclass(frozen=True)
class Record:
    seq: int
    time_s: float
    event: Event


def read_events(path: Path, after: int = 0) -> list[Record]:
    """All records with `seq` above `after`; none when the file is not there yet.

    Ends at the first line that is no event: behind a power failure there may be anything.
    """
    try:
        records, _ = parse(path.read_bytes())
    except FileNotFoundError:
        return []
    return [record for record in records if record.seq > after]


def parse(data: bytes) -> tuple[list[Record], int]:
    """The records up to the first line that is torn or no event, and how many bytes they take."""
    records: list[Record] = []
    n_bytes = 0
    for line in data.split(b"\n")[:-1]:  # what follows the last newline is torn, or empty
        try:
            row = json.loads(line)
            seq, time_s, cls = int(row.pop("seq")), float(row.pop("time_s")), KINDS[row.pop("kind")]
            records.append(Record(seq, time_s, cls(**row)))
        except (ValueError, LookupError, TypeError, AttributeError):
            break
        n_bytes += len(line) + 1
    return records, n_bytes


def may_follow(before: str, state: str) -> bool:
    """Whether one worker may enter `state` when it was in `before`."""
    return state in (*NEXT_STATES.get(before, ()), "paused", "failed") and before in NEXT_STATES


def last_state(records: list[Record]) -> str:
    states = [r.event.state for r in records if isinstance(r.event, StateChanged)]
    return states[-1] if states else "draft"


def without_lost_steps(records: list[Record]) -> list[Record]:
    """The same but for steps and scores that a resumed training had to compute again."""
    kept: list[Record] = []
    for record in records:
        if isinstance(record.event, Resumed):
            after = record.event.step
            kept = [
                r for r in kept if not isinstance(r.event, Step | Score) or r.event.step <= after
            ]
        kept.append(record)
    return kept


class EventWriter:
    """Appends to one `events.jsonl`. Only the process that holds the run's lock may have one."""

    def __init__(self, path: Path) -> None:
        records = self._set_unreadable_aside(path)
        self._seq = records[-1].seq if records else 0
        self._file = path.open("ab", buffering=0)

    @staticmethod
    def _set_unreadable_aside(path: Path) -> list[Record]:
        """Let the file end where its readers do; whole lines of the rest are kept beside it."""
        data = path.read_bytes() if path.exists() else b""
        records, n_bytes = parse(data)
        if n_bytes < len(data):
            if b"\n" in data[n_bytes:]:
                with path.with_suffix(".unreadable").open("ab") as file:
                    file.write(data[n_bytes:])
            os.truncate(path, n_bytes)
        return records

    def append(self, event: Event) -> int:
        """Hand one event to the operating system; returns its `seq`. A change of state, and all
        before it, is on the disk then.

        Raises OSError, and leaves the file as it was, when the disk is full.
        """
        row = {
            "seq": self._seq + 1,
            "time_s": round(time.time(), 3),
            "kind": event.kind,
            **asdict(event),
        }
        line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
        before = os.fstat(self._file.fileno()).st_size
        try:
            if self._file.write(line) < len(line):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            if isinstance(event, StateChanged):
                os.fsync(self._file.fileno())
        except OSError:
            os.ftruncate(self._file.fileno(), before)
            raise
        self._seq += 1
        return self._seq

    def close(self) -> None:
        self._file.close()
