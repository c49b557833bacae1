"""Long recordings that are aligned with their texts, in the folder of a run that does nothing else.

Its specification lies with the rest of it (`alignment/task.py`): it is no training's, and gives the
work its owner and its place in the queue.
"""

from pathlib import Path

from whisper_tuner.runs.folder import Run

STAGE = "align"
FOLDER_NAME = "alignment"


class Aligning(Run):
    """The same folder, seen by who aligns."""

    @property
    def spec_path(self) -> Path:
        return self.dir / FOLDER_NAME / "spec.json"
