"""What a base heard, kept between runs: no recording is transcribed twice by the same base.

One small file for each clip, in `cache/base_transcripts` beside the runs: the text, or where the
base listened before the training, what else it said (`doubts.Heard`). Its name is a SHA-256
over the sound itself and all that the text follows from. Visitors of one machine share the folder,
yet nobody reads another's texts: only who has the very recording arrives at the name. Folder and
files are for their owner only. A text that no run asked for in 30 days is deleted.
"""

import hashlib
import json
import os
import tempfile
import time
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch

from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.doubts import Heard
from whisper_tuner.evaluation.transcribe import SPARE_TOKENS, TOKENS_PER_S

KEPT_S = 30 * 24 * 3600.0


@dataclass(frozen=True)
class BaseCache:
    """Texts by one base in one setting; `setting` is everything they follow from but the sound."""

    folder: Path
    setting: str

    @classmethod
    def of(cls, listener: Listener) -> "BaseCache":
        """The texts of this listener's base, as it is loaded now."""
        spec, model = listener.run.read_spec(), listener.model
        device = model.get_encoder().conv1.weight.device
        on_gpu = device.type == "cuda"
        setting = {
            "base": spec.config.base,
            "revision": getattr(model.config, "_commit_hash", None),  # the Hub's; a folder has none
            "precision": listener.precision,
            "language": spec.config.language,
            "generation": model.generation_config.to_dict(),
            "limits": [TOKENS_PER_S, SPARE_TOKENS],
            "device": torch.cuda.get_device_name(device) if on_gpu else device.type,
            "versions": spec.versions,
        }
        folder = listener.run.dir.parent / "cache" / "base_transcripts"
        return cls(folder, json.dumps(setting, sort_keys=True))

    def read(self, audio: Path) -> str | None:
        """What the base heard in a clip; None when it is not known, or its file is damaged."""
        kept = self._kept(audio)
        return kept.text if isinstance(kept, Heard) else kept

    def read_heard(self, audio: Path) -> Heard | None:
        """The same with what else it said; None when that is not known."""
        kept = self._kept(audio)
        return kept if isinstance(kept, Heard) else None

    def write(self, audio: Path, heard: str | Heard) -> None:
        """Keep it, in place of a damaged one; a reader never sees half of it."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor, temporary = tempfile.mkstemp(dir=self.folder)  # for its owner only
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            kept = asdict(heard) if isinstance(heard, Heard) else heard
            json.dump(kept, file, ensure_ascii=False)
        Path(temporary).replace(self._path(audio))

    def _kept(self, audio: Path) -> str | Heard | None:
        path = self._path(audio)
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return None
        os.utime(path)
        if isinstance(kept, dict) and kept.keys() == {item.name for item in fields(Heard)}:
            return Heard(**kept)
        return kept if isinstance(kept, str) else None

    def drop_unused(self) -> None:
        for path in self.folder.glob("*"):
            if path.stat().st_mtime < time.time() - KEPT_S:
                path.unlink()

    def _path(self, audio: Path) -> Path:
        digest = hashlib.sha256(self.setting.encode() + b"\n" + audio.read_bytes())
        return self.folder / f"{digest.hexdigest()}.json"
