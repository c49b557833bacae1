"""The try-out's own process, seen from the page: one clip in, two texts out. No torch here.

The process keeps base and adapter loaded, answers JSON lines, and ends by itself when idle, when
its page dies (end of input), or when another run is asked for. A training needs its memory and ends
it too, also in the middle of a clip.
"""

import json
import subprocess
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path

from whisper_tuner.errors import RunError, TunerError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run

_all: weakref.WeakSet["TryOut"] = weakref.WeakSet()


class TryOut:
    """At most one try-out process; safe to call from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen | None = None
        self._run_id = ""
        self._ended = object()  # another one whenever `close` is called
        _all.add(self)

    def transcribe(self, run: Run, audio: Path, name: str = "") -> dict[str, str]:
        """`{"base": text, "tuned": text}`. Raises TunerError with the reason when it cannot."""
        since = self._ended
        with self._lock:
            self._require_open(since)  # while it waited for another clip
            process = self._ensure(run)
            self._require_open(since)  # `close` has not seen this process
            try:
                process.stdin.write(
                    json.dumps({"audio": str(audio), "name": name or audio.name}) + "\n"
                )
                process.stdin.flush()
                line = process.stdout.readline()
            except BrokenPipeError:
                line = ""
            if not line.endswith("\n"):
                self._close()
                self._require_open(since)
                raise RunError("tryout_died")
        answer = json.loads(line)
        if "code" in answer:
            raise TunerError(answer["code"], **answer["params"])
        return answer

    def _require_open(self, since: object) -> None:
        """Raises RunError when `close` was called since that moment."""
        if since is not self._ended:
            self._close()
            raise RunError("tryout_ended")

    def _ensure(self, run: Run) -> subprocess.Popen:
        alive = self._process is not None and self._process.poll() is None
        if not alive or self._run_id != run.id:
            self._close()
            command = [sys.executable, "-m", "whisper_tuner.worker", str(run.dir), "tryout"]
            with run.log_path.open("ab") as log:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    text=True,
                    env=jobs.worker_environment(),
                    start_new_session=True,
                )
            self._run_id = run.id
        return self._process

    def close(self) -> None:
        """End the process, if there is one, whatever it does; its memory is free when this returns.

        Whoever waits for a text is told.
        """
        self._ended = object()
        process = self._process
        if process is not None:
            process.kill()  # before the lock, which is held while it works
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            with suppress(BrokenPipeError):  # it still holds what could not be sent
                self._process.stdin.close()
            self._process.stdout.close()
            self._process = None


def close_all() -> None:
    """End every try-out of this process: a training is about to be started."""
    for tryout in list(_all):
        tryout.close()
