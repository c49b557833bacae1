"""Keeps a run's private copy up to date while the run is at work, without disturbing it.

A daemon thread of the page, or of a terminal that follows the run. The token is in its memory only
and is forgotten when it ends.
"""

import threading
import time
import traceback

from whisper_tuner.errors import PublishError
from whisper_tuner.publish.private_copy import PrivateCopy
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.folder import Run

LOOK_EVERY_S = 5.0
COPY_EVERY_S = 300.0  # up to 250 MB with whisper-large-v2, and the Hub keeps them all
TRY_AGAIN_S = 60.0
MAX_REFUSED = 2  # commits of a run that are tried again
LAST_TRIES = 3  # of a run that has ended, where somebody waits for it

WAITS = "copy_waits"
PROBLEMS = {  # what a failure means for a copy; anything else is copy_refused
    "hub_busy": WAITS,
    "hub_unreachable": WAITS,
    "hub_forbidden": "copy_forbidden",
    "hub_repo_public": "copy_not_ours",
    "hub_repo_taken": "copy_not_ours",
    "hub_token_invalid": "copy_signed_out",
}


class Copier:
    """Begins at once. `told`: a locale key and its parameters, how the copy stands."""

    def __init__(self, run: Run, token: str, endpoint: str | None = None) -> None:
        self.run = run
        self.told: tuple[str, dict] = ("copy_begins", {})
        self._copied: str | None = None  # the name of the checkpoint in the copy
        self._copied_s: float | None = None  # monotonic, as the next
        self._tried_s: float | None = None
        self._n_refused = 0
        self._n_tried_over = 0  # since the run has ended
        self._end = threading.Event()
        arguments = (PrivateCopy(run, token, endpoint),)
        self._thread = threading.Thread(target=self._work, args=arguments, daemon=True)
        self._thread.start()

    @property
    def is_at_work(self) -> bool:
        return self._thread.is_alive() and not self._end.is_set()

    @property
    def has_problem(self) -> bool:
        return self.told[0] not in ("copy_begins", "copy_made", "copy_whole")

    def end(self) -> None:
        """Copy nothing more, behind what is under way."""
        self._end.set()

    def wait(self) -> None:
        """Until all of a run that has ended is copied, or the last try of that has failed: then
        nobody is left to try again, and this is told.
        """
        while self.is_at_work and self._n_tried_over < LAST_TRIES:
            time.sleep(0.2)
        self.end()
        self._thread.join()
        if self.told[0] == WAITS:
            self.told = ("copy_not_renewed", {"run": self.run.id})

    def _work(self, copy: PrivateCopy) -> None:
        try:
            self._follow(copy)
        except Exception:  # a fault of ours: the training is not disturbed, the person is told
            traceback.print_exc()
            self.told = ("copy_failed", {})

    def _follow(self, copy: PrivateCopy) -> None:
        while self.run.spec_path.exists() and not self._end.is_set():
            is_over = _is_over(self.run)
            if self._is_due(is_over):
                self._update(copy, is_over)
                if self.told[0] != WAITS and (is_over or self.has_problem):
                    return
            self._end.wait(LOOK_EVERY_S)

    def _is_due(self, is_over: bool) -> bool:
        """At the beginning and the end, then for every newer checkpoint, but not too often."""
        now_s = time.monotonic()
        if self._tried_s is None or (is_over and not self._n_tried_over):
            return True
        if self.told[0] == WAITS:
            return now_s >= self._tried_s + TRY_AGAIN_S
        if is_over:
            return True
        found = checkpoints.by_step(self.run.checkpoints_dir)
        is_time = self._copied_s is None or now_s >= self._copied_s + COPY_EVERY_S
        return is_time and bool(found) and found[-1].name != self._copied

    def _update(self, copy: PrivateCopy, is_over: bool) -> None:
        self._tried_s = time.monotonic()
        try:
            self._copied = copy.update(is_over)
            self.told = self._state(copy, is_over)
        except PublishError as error:
            params = {"status": "–", **error.params, "repo": copy.repo_id}
            self.told = (self._meaning(error), params)
        except OSError:  # a checkpoint has just been replaced by a newer one, or the disk is full
            self.told = (WAITS, {})
        self._n_tried_over += is_over

    def _meaning(self, error: PublishError) -> str:
        """A commit whose answer was lost is refused when it is sent again: look anew first."""
        meaning = PROBLEMS.get(error.code, "copy_refused")
        if meaning == "copy_refused" and self._n_refused < MAX_REFUSED:
            self._n_refused += 1
            return WAITS
        return meaning

    def _state(self, copy: PrivateCopy, is_over: bool) -> tuple[str, dict]:
        if is_over:
            return "copy_whole", {"repo": copy.repo_id}
        if self._copied is None:
            return "copy_begins", {}
        self._copied_s = time.monotonic()
        return "copy_made", {"repo": copy.repo_id, "step": self._copied.rpartition("-")[2]}


def _is_over(run: Run) -> bool:
    status = jobs.status(run)
    return not status.alive and not status.goes_on
