"""The worker, but with a checkpoint after every second step: so that faults meet many of them.

python -m benchmarks.eager_worker RUN_DIR STAGE
"""

import sys

from whisper_tuner import worker
from whisper_tuner.training import callbacks, trainer


def save_often() -> None:
    callbacks.SAVE_EVERY_S = 0.0
    callbacks.STEPS_BETWEEN_RECORDINGS = trainer.STEPS_BETWEEN_RECORDINGS = 2


if __name__ == "__main__":
    save_often()
    sys.exit(worker.main())
