"""The files that leave the machine, and the ZIP made of them.

Exactly the files named here, and only those that are there. A card and a marker are added: the
marker (`whisper_tuner.json`) says that a repository on the Hub is ours to update.
"""

import json
import re
import secrets
import zipfile
from pathlib import Path

from whisper_tuner import __version__
from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import REPORT_NAME, read_report
from whisper_tuner.errors import PublishError, RunError
from whisper_tuner.publish.card import model_card
from whisper_tuner.runs.folder import Run

WEIGHTS_NAME = "adapter_model.safetensors"
CONFIG_NAME = "adapter_config.json"
CARD_NAME = "README.md"
MARKER_NAME = "whisper_tuner.json"
ADAPTER_FILES = (
    WEIGHTS_NAME,
    CONFIG_NAME,
    "generation_config.json",
    "preprocessor_config.json",
    "processor_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "normalizer.json",
)
ALLOWED_FILES = (*ADAPTER_FILES, CARD_NAME, MARKER_NAME)

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)
EARLIEST_ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the same run gives the same bytes on every day
READABLE_FILE = 0o100644 << 16


def adapter_name(config: TrainConfig) -> str:
    """What an adapter is called unless the user says otherwise: whisper-base-it-lora."""
    return f"{config.base.rpartition('/')[2]}-{config.language}-lora"


def package_files(run: Run, adapter: str) -> dict[str, Path | bytes]:
    """Name → file or content of everything that leaves the machine, in a fixed order.

    `adapter` is what the card tells a reader to load. Raises RunError when there is no adapter yet,
    PublishError when its configuration names a folder of this machine as its base.
    """
    if not run.has_adapter:
        raise RunError("adapter_missing", run=run.id)
    config = run.read_spec().config
    _check_base(run, config)
    paths = [run.adapter_dir / name for name in ADAPTER_FILES]
    files: dict[str, Path | bytes] = {path.name: path for path in paths if path.is_file()}
    comparison = run.read_comparison() if run.comparison_path.exists() else None
    has_report = (run.dataset_dir / REPORT_NAME).exists()  # its recordings may have been deleted
    report = read_report(run.dataset_dir) if has_report else None
    card = model_card(run.read_spec(), comparison, report, adapter)
    marker = {"whisper_tuner": __version__, "base": config.base, "language": config.language}
    files[CARD_NAME] = card.encode()
    files[MARKER_NAME] = (json.dumps(marker, indent=1) + "\n").encode()
    return files


def zip_adapter(run: Run) -> Path:
    """Write `exports/<name>.zip` and return it. The same run gives the same bytes.

    Raises RunError when there is no adapter yet, PublishError when its base is a local folder.
    """
    name = adapter_name(run.read_spec().config)
    files = package_files(run, name)
    target = run.dir / "exports" / f"{name}.zip"
    target.parent.mkdir(exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        # Stored, not deflated: float weights hardly shrink, and zlib's bytes differ by version.
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for file_name, content in files.items():
                add_file(archive, file_name, content)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    return target


def add_file(archive: zipfile.ZipFile, name: str, content: Path | bytes) -> None:
    """Always with the same date and rights, so that the same files give the same bytes."""
    info = zipfile.ZipInfo(name, EARLIEST_ZIP_DATE)
    info.external_attr = READABLE_FILE
    archive.writestr(info, content if isinstance(content, bytes) else content.read_bytes())


def _check_base(run: Run, config: TrainConfig) -> None:
    """Refuse an adapter that names anything but the run's own base: nobody else could load it."""
    text = (run.adapter_dir / CONFIG_NAME).read_text(encoding="utf-8")
    base = json.loads(text).get("base_model_name_or_path")
    if base != config.base or not HUB_ID.fullmatch(config.base):
        raise PublishError("adapter_base_not_on_hub", base=config.base)
