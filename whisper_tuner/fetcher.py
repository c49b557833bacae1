"""A run that fills from a source while nobody has to look on. No torch, no gradio.

A thread of the page: a closed tab changes nothing, and no other event waits for it. Its key or
token is in its memory only. What came of a large download outlives it (`sources.MozillaSource`).
"""

import shutil
import threading
import time
import traceback
from dataclasses import replace

from whisper_tuner import steps
from whisper_tuner.errors import RunError, TunerError
from whisper_tuner.runs.folder import Run
from whisper_tuner.sources import HubSource, MozillaSource


class Fetcher:
    """Begins at once. `language`: what the recordings speak, as Whisper calls it; "" if unknown."""

    def __init__(
        self, run: Run, source: MozillaSource | HubSource, name: str, language: str = ""
    ) -> None:
        self.run, self.name, self.language = run, name, language
        self.have, self.total, self.n_clips = 0, 0, 0  # bytes; 0 in all when nobody knows
        self.error: TunerError | None = None
        self.ended_s: float | None = None  # monotonic
        self._stop = threading.Event()
        told = {"on_bytes": self._note} if isinstance(source, MozillaSource) else {}
        source = replace(source, is_stopped=self._stop.is_set, **told)
        self._thread = threading.Thread(target=self._work, args=(source,), daemon=True)
        self._thread.start()

    @property
    def is_at_work(self) -> bool:
        return self.ended_s is None

    @property
    def is_stopping(self) -> bool:
        return self._stop.is_set()

    def stop(self) -> None:
        self._stop.set()

    def wait(self) -> None:
        self._thread.join()

    def _note(self, have: int, total: int) -> None:
        self.have, self.total = have, total

    def _count(self, n_clips: int) -> None:
        self.n_clips = n_clips

    def _work(self, source: MozillaSource | HubSource) -> None:
        is_new = not self.run.dataset_dir.exists()
        try:
            steps.prepare_from(self.run, source, on_progress=self._count)
        except TunerError as error:
            self.error = error
        except Exception:  # a fault of ours: the person is told, and the page goes on
            traceback.print_exc()
            self.error = RunError("fetch_failed")
        if self.error and is_new:
            shutil.rmtree(self.run.dir, ignore_errors=True)
        self.ended_s = time.monotonic()
