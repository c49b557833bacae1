"""One run = one folder: what went in, what happened, what came out. The folder is the truth."""

import json
import os
import re
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from whisper_tuner.config import TrainConfig
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import durable
from whisper_tuner.runs.disk import is_lasting, require_disk

ROOT_VARIABLE = "WHISPER_TUNER_RUNS"
# What reading a specification raises that is torn, or whose settings this version does not have.
UNREADABLE = (ValueError, LookupError, TypeError, AttributeError, InputError)
ID_PATTERN = re.compile(r"\d{8}-\d{6}-[0-9a-f]{16}")


def default_root() -> Path:
    """Where runs live: `WHISPER_TUNER_RUNS`, a Space's persistent disk, or the user's data folder.

    A bucket at /data is no disk: runs are then on the Space's own, which a restart empties.
    """
    if ROOT_VARIABLE in os.environ:
        return Path(os.environ[ROOT_VARIABLE]).expanduser()
    data = Path("/data")
    if "SPACE_ID" in os.environ and os.access(data, os.W_OK) and is_lasting(data):
        return data / "whisper-tuner-runs"
    data_home = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "whisper-tuner" / "runs"


@dataclass(frozen=True)
class Spec:
    """`run.json`: what a training was asked to do. Written once, never changed, no token in it.

    `owner`: who asked for it, as far as a page can tell people apart; "" on a terminal.
    `expected_s`: seconds that the planner expected it to take.
    """

    config: TrainConfig
    created_s: float
    versions: dict[str, str]
    owner: str = ""
    expected_s: float = 0.0
    started_from: str = ""  # id of the run whose adapter it goes on from

    def to_json(self) -> str:
        data = {**self.__dict__, "config": self.config.to_dict()}
        return json.dumps(data, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> "Spec":
        data = json.loads(text)
        return cls(**{**data, "config": TrainConfig(**data["config"])})


@dataclass(frozen=True)
class Run:
    """The paths of one run folder and the typed reads and writes of the files we own there."""

    dir: Path

    @classmethod
    def create(cls, root: Path) -> "Run":
        """A new, empty run folder, for its owner only, with an id that cannot be guessed.

        Raises InputError where runs cannot be kept (`disk.require_disk`).
        """
        require_disk(root)
        run_dir = root / f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(8)}"
        root.mkdir(parents=True, exist_ok=True)
        run_dir.mkdir(mode=0o700)
        return cls(run_dir)

    @classmethod
    def open(cls, root: Path, run_id: str) -> "Run":
        """The run with this id. Raises RunError when there is none; never leaves `root`."""
        if not ID_PATTERN.fullmatch(run_id) or not (root / run_id).is_dir():
            raise RunError("run_unknown", run=run_id)
        return cls(root / run_id)

    @property
    def id(self) -> str:
        return self.dir.name

    @property
    def spec_path(self) -> Path:
        return self.dir / "run.json"

    @property
    def dataset_dir(self) -> Path:
        return self.dir / "dataset"

    @property
    def events_path(self) -> Path:
        return self.dir / "events.jsonl"

    @property
    def log_path(self) -> Path:
        return self.dir / "output.log"

    @property
    def lock_path(self) -> Path:
        return self.dir / "worker.lock"

    @property
    def heartbeat_path(self) -> Path:
        return self.dir / "heartbeat"

    @property
    def checkpoints_dir(self) -> Path:
        return self.dir / "checkpoints"

    @property
    def adapter_dir(self) -> Path:
        return self.dir / "adapter"

    @property
    def start_dir(self) -> Path:
        """The adapter that the training begins with; only where a run goes on from another."""
        return self.dir / "start"

    @property
    def set_aside_path(self) -> Path:
        return self.dir / "set_aside.json"

    @property
    def comparison_path(self) -> Path:
        return self.dir / "comparison.json"

    def write_spec(self, spec: Spec) -> None:
        """Write `run.json`. Raises RunError when the run has one: a specification never changes."""
        try:
            durable.write_once(self.spec_path, spec.to_json())
        except FileExistsError as error:
            raise RunError("run_has_started", run=self.id) from error

    def read_spec(self) -> Spec:
        """The specification. Raises RunError when training was never started, or when it cannot
        be read: a disk that failed, or another version's settings.
        """
        try:
            return Spec.from_json(self.spec_path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError("run_not_started", run=self.id) from error
        except (OSError, *UNREADABLE) as error:
            raise RunError("run_unreadable", run=self.id) from error

    @property
    def is_readable(self) -> bool:
        """Whether it was not started yet, or its specification can be read."""
        try:
            return not self.spec_path.exists() or bool(self.read_spec())
        except RunError:
            return False

    def read_comparison(self) -> dict:
        """`comparison.json` as written by evaluation/compare.py."""
        try:
            return json.loads(self.comparison_path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise RunError("run_not_compared", run=self.id) from error

    @property
    def has_adapter(self) -> bool:
        return (self.adapter_dir / "adapter_model.safetensors").exists()
