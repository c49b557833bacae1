"""The points at which a run is written to: found by watching it, and where its disk can be filled.

A point is a file's path in the run folder, with its step left out: `checkpoints/.new-step-N/x`;
for what lies beside the run folders (`cache/…`), the folder. Seen is what Python opens to write,
every event and line of the log, and what compiled code opens where the worker says so
(`benchmarks/eager_worker.py`). It is seen before a byte of it is written.
"""

import os
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from whisper_tuner.runs import disk
from whisper_tuner.runs.events import EventWriter
from whisper_tuner.runs.folder import Run


class Watch:
    """Calls `on_point` at every point of this process's writes below the run's root."""

    def __init__(self, run: Run, on_point: Callable[[str], None]) -> None:
        self.run, self._on_point = run, on_point
        self._is_at_one = False  # what is done there is not watched
        self.is_on = True
        sys.addaudithook(self._audit)  # cannot be taken away again: see `is_on`

    def see(self, path: object) -> None:
        if not self.is_on or self._is_at_one or not isinstance(path, str | os.PathLike):
            return
        point = self._name(os.path.abspath(path))  # noqa: PTH100 - it must not be resolved
        if point is None:
            return
        self._is_at_one = True
        try:
            self._on_point(point)
        finally:
            self._is_at_one = False

    def _name(self, path: str) -> str | None:
        root = f"{self.run.dir.parent}{os.sep}"
        if not path.startswith(root):
            return None
        first, _, rest = path.removeprefix(root).partition(os.sep)
        if first == self.run.id:
            rest = re.sub(r"(^|/)\.([^/]+)-\w{8}$", r"\1\2", rest)  # see runs/durable.py
            return re.sub(r"step-\d+", "step-N", rest) or None
        folder = str(Path(first) / rest).rpartition(os.sep)[0]
        return folder if rest else first

    def _audit(self, name: str, arguments: tuple) -> None:
        if name == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            path = arguments[0]
            self.see(os.fsdecode(path) if isinstance(path, bytes) else path)


def watch_writers(watch: Watch) -> None:
    """See also what a worker writes to files that it has open: events and its log."""
    before(EventWriter, "append", lambda *_: watch.see(watch.run.events_path))
    for stream in (sys.stdout, sys.stderr):
        before(stream, "write", lambda *_: watch.see(watch.run.log_path))


def before(owner: Any, name: str, act: Callable) -> None:
    """Let `act` see the arguments before each call of `owner.name`."""
    original = getattr(owner, name)

    def both(*args: object, **kwargs: object) -> object:
        act(*args, **kwargs)
        return original(*args, **kwargs)

    setattr(owner, name, both)


class Counting:
    """How often each point was passed."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    def __call__(self, point: str) -> None:
        self.counts[point] += 1


class Filling:
    """Fills the disk before the `nth` write at `point`, once."""

    def __init__(
        self, point: str, nth: int, ballast: Path, forget: Callable[[], object] = bool
    ) -> None:
        """`forget` is called just before: whoever asked for it must not ask again."""
        self._point, self._n_left, self._ballast = point, nth, ballast
        self._forget = forget

    def __call__(self, point: str) -> None:
        if point != self._point:
            return
        self._n_left -= 1
        if self._n_left == 0:
            self._forget()
            fill(self._ballast)


def fill(ballast: Path, n_left: int = 0) -> None:
    """Let a file take all of its disk but about `n_left` bytes."""
    with ballast.open("wb", buffering=0) as file:
        while (n := disk.free_bytes(ballast.parent) - n_left) > 0:
            try:
                file.write(bytes(min(n, 1 << 20)))
            except OSError:  # somebody was quicker
                break
