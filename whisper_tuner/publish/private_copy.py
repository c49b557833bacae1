"""A run's copy in a private repository of the user's own account, to be restored from there.

    whisper_tuner.json           our marker, with the run's id
    run.json                     the specification
    dataset/                     manifest.jsonl, report.json
    start/                       of a run that goes on from another one: where it began
    dataset-001.zip …            the clips; not those of Common Voice
    events.jsonl                 what had happened
    checkpoints/step-N/          the newest one that verifies, and no other
    adapter/, comparison.json    once the run has ended

A checkpoint comes in the same commit in which the one before goes, so the repository always holds
a whole one. `fetch_copy.py` reads all this back.
"""

import json
import tempfile
import time
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi

from whisper_tuner import __version__
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.data.clips import (
    COMMON_VOICE,
    MANIFEST_NAME,
    REPORT_NAME,
    read_clips,
)
from whisper_tuner.errors import PublishError
from whisper_tuner.publish.package import ADAPTER_FILES, CARD_NAME, MARKER_NAME
from whisper_tuner.publish.repository import Sleep, ask_patiently, claim, commit
from whisper_tuner.runs import checkpoints
from whisper_tuner.runs.folder import Run

NAME_PREFIX = "whisper-tuner-copy-"
COPY_OF = "copy_of"  # in the marker: the run's id
CLIPS_IN_ZIP = 1000  # of at most 30 s: 1 GB; one ZIP at a time is on the disk
MESSAGE = "Copy of a training by Whisper Tuner"
CARD = """---
tags:
- whisper-tuner
---
# A copy made by Whisper Tuner

A training's settings, recordings and last checkpoint, so that it can go on when its machine is
lost. Keep it private. Step 1 of the page restores it, and so does
`python -m whisper_tuner restore {repo}`. Delete it when the training has finished.
"""


class PrivateCopy:
    """Brings one run's copy up to date, as often as it is asked to. Holds the token in memory."""

    def __init__(
        self, run: Run, token: str, endpoint: str | None = None, sleep: Sleep = time.sleep
    ) -> None:
        self.run = run
        self.repo_id = ""  # known when the account has been asked for its name
        self._is_claimed = False
        self._api = HfApi(endpoint=endpoint, token=token)
        self._ask = partial(ask_patiently, sleep=sleep)

    def update(self, is_over: bool) -> str | None:
        """Copy what is not there yet; returns the name of the checkpoint that is there then.

        `is_over`: nothing more will happen in the run. Raises PublishError, OSError when a file of
        the run has just been replaced.
        """
        held = self._held()
        if "run.json" not in held:
            self._commit(self._beginning())
        for name, paths in self._zips():
            if name not in held:
                self._commit_zip(name, paths)
        checkpoint = self._newest(held)
        if is_over or (checkpoint and checkpoint.name != _held_checkpoint(held)):
            self._commit_state(held, checkpoint, is_over)
        return checkpoint.name if checkpoint else None

    def _held(self) -> set[str]:
        """The files in the repository. Raises PublishError when it is not ours or not private."""
        if not self._is_claimed:
            name = self._ask(self._api.whoami)["name"]
            self.repo_id = f"{name}/{NAME_PREFIX}{self.run.id}"
            claim(self._api, self._ask, self.repo_id, private=True)
            self._is_claimed = True
        info = self._ask(lambda: self._api.model_info(self.repo_id))
        if info.id != self.repo_id:  # it was given away since, or made public
            raise PublishError("hub_repo_taken")
        if not info.private:
            raise PublishError("hub_repo_public", repo=self.repo_id)
        return {file.rfilename for file in info.siblings or ()}

    def _commit(self, files: dict[str, Path | bytes], removed: set[str] = frozenset()) -> None:
        self._ask(lambda: commit(self._api, self.repo_id, files, MESSAGE, sorted(removed)))

    def _beginning(self) -> dict[str, Path | bytes]:
        marker = {"whisper_tuner": __version__, COPY_OF: self.run.id}
        folder = self.run.dataset_dir
        return {
            MARKER_NAME: json.dumps(marker, indent=1).encode() + b"\n",
            CARD_NAME: CARD.format(repo=self.repo_id).encode(),
            "run.json": self.run.spec_path,
            f"dataset/{MANIFEST_NAME}": folder / MANIFEST_NAME,
            f"dataset/{REPORT_NAME}": folder / REPORT_NAME,
            **{f"start/{path.name}": path for path in sorted(self.run.start_dir.glob("*"))},
        }

    def _zips(self) -> Iterator[tuple[str, list[str]]]:
        """Name of each ZIP and the clips in it. Mozilla's terms forbid to pass theirs on."""
        recordings = read_clips(self.run.dataset_dir)
        clips = [clip.audio for clip in recordings if clip.source != COMMON_VOICE]
        for n, begin in enumerate(range(0, len(clips), CLIPS_IN_ZIP), start=1):
            yield f"dataset-{n:03}.zip", clips[begin : begin + CLIPS_IN_ZIP]

    def _commit_zip(self, name: str, audio: list[str]) -> None:
        with tempfile.TemporaryDirectory(prefix=TEMP_PREFIX) as folder:
            path = Path(folder) / name
            with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
                for relative in audio:
                    archive.write(self.run.dataset_dir / relative, relative)
            self._commit({name: path})

    def _newest(self, held: set[str]) -> Path | None:
        """The newest checkpoint that verifies; not verified again when it is the one there."""
        found = checkpoints.by_step(self.run.checkpoints_dir)
        if found and found[-1].name == _held_checkpoint(held):
            return found[-1]
        return checkpoints.newest(self.run.checkpoints_dir)

    def _commit_state(self, held: set[str], checkpoint: Path | None, is_over: bool) -> None:
        """The checkpoint, the events until now and, of a run that is over, its result; what they
        replace goes."""
        run = self.run
        paths = sorted(checkpoint.iterdir()) if checkpoint else []
        files: dict[str, Path | bytes] = {
            path.relative_to(run.dir).as_posix(): path for path in paths
        }
        if is_over:
            results = [*(run.adapter_dir / name for name in ADAPTER_FILES), run.comparison_path]
            files |= {p.relative_to(run.dir).as_posix(): p for p in results if p.is_file()}
        if run.events_path.exists():
            events = run.events_path.read_bytes()  # the file grows while it is sent
            files["events.jsonl"] = events[: events.rfind(b"\n") + 1]
        replaced = ("adapter/", "comparison.json", *(["checkpoints/"] if checkpoint else []))
        self._commit(files, {name for name in held if name.startswith(replaced)} - files.keys())


def _held_checkpoint(held: set[str]) -> str | None:
    """The name of the checkpoint in the repository."""
    return next((name.split("/")[1] for name in held if name.startswith("checkpoints/")), None)
