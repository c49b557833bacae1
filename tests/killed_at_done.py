"""A worker that the kernel kills as soon as its training is done: `jobs.WORKER` for a test."""

import os
import signal
import sys

from whisper_tuner import worker
from whisper_tuner.runs.context import WorkerContext


class KilledAtDone(WorkerContext):
    def enter(self, state: str) -> None:
        super().enter(state)
        if state == "done":
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    worker.WorkerContext = KilledAtDone
    sys.exit(worker.main())
