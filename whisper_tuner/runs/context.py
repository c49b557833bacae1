"""What a stage running in a worker may do to its run: write events, and ask whether to stop."""

import os
import signal
import sys
import time
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass, field

from whisper_tuner.runs import disk
from whisper_tuner.runs.events import (
    Event,
    EventWriter,
    Note,
    Progress,
    StateChanged,
    may_follow,
)
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.heartbeat import Pulse

LOG_LIMIT_BYTES = 5_000_000
DISK_POLL_S = 1.0
IMPOSSIBLE = "impossible change of state"
RANK_FAILURE_NAME = "rank_failure.json"  # why one of several training processes ended


class Stopped(Exception):  # noqa: N818 - it is no error
    """The person pressed Stop and there is nothing half done to save."""


@dataclass
class WorkerContext:
    """One per worker process. SIGTERM means: finish what you are at, save, end.

    Where several processes train one run, only the first has a writer; the others say nothing.
    Only the worker itself has a pulse.
    """

    run: Run
    writer: EventWriter | None
    pulse: Pulse | None = None
    stop_asked: bool = field(default=False, init=False)
    _state: str = field(default="", init=False)  # as this process last entered it

    def obey_sigterm(self) -> None:
        signal.signal(signal.SIGTERM, self._on_sigterm)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})  # see jobs.sigterm_blocked

    def _on_sigterm(self, *_: object) -> None:
        self.stop_asked = True

    @property
    def is_first(self) -> bool:
        return self.writer is not None

    def emit(self, event: Event) -> None:
        """Write the event; on a full disk as soon as there is room again.

        Raises OSError when asked to stop while there is none.
        """
        self.moved()
        if self.writer is None:
            return
        if isinstance(event, StateChanged):
            self._check_state(event.state)
        try:
            self.writer.append(event)
        except OSError as error:
            if not disk.is_no_room(error):
                raise
            self._await_room()
            self.writer.append(event)
        if self.run.log_path.exists() and self.run.log_path.stat().st_size > LOG_LIMIT_BYTES:
            os.truncate(self.run.log_path, 0)

    def enter(self, state: str) -> None:
        self.emit(StateChanged(state))

    def _check_state(self, state: str) -> None:
        """An impossible change of state is a fault of ours: it goes into the log, where the tests
        look for it; whose training it is has nothing to do about it.
        """
        if self._state and not may_follow(self._state, state):
            with suppress(OSError):  # a full disk
                print(f"{IMPOSSIBLE}: {self._state} -> {state}", file=sys.stderr, flush=True)
        self._state = state

    def pause_while_disk_is_full(self, then: str) -> None:
        """Wait, then enter the state `then`. Stop ends the waiting."""
        if not self.is_first or not disk.is_full(self.run.dir):
            return
        self.emit(Note("note_disk_full", {"floor": disk.FLOOR_BYTES / 1e9}))
        self.enter("paused")
        self._await_room()
        self.enter(then)

    def _await_room(self) -> None:
        while disk.is_full(self.run.dir) and not self.asks_to_stop():
            time.sleep(DISK_POLL_S)

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report a stage's progress; raises Stopped between two batches when asked to stop."""
        self.emit(Progress(stage, done, total))
        self.check_stop()

    def check_stop(self) -> None:
        if self.asks_to_stop():
            raise Stopped

    def asks_to_stop(self) -> bool:
        """Asked between any two parts of the work, so it also shows that the work goes on."""
        self.moved()
        return self.stop_asked

    def moved(self) -> None:
        if self.pulse:
            self.pulse.moved()

    def patient(self) -> AbstractContextManager:
        """What is done inside may take hours without a word."""
        return self.pulse.patient() if self.pulse else nullcontext()
