"""Where a run begins that goes on from another one: that run's adapter, in `start/`.

The adapter's two files are hard links; `origin.json` says which run it comes from, its settings,
and which clips it has learnt. So the new run needs nothing of the old one, which may be deleted.
"""

import json
import os
from dataclasses import asdict, dataclass

from whisper_tuner.config import TrainConfig
from whisper_tuner.errors import InputError
from whisper_tuner.runs import durable
from whisper_tuner.runs.folder import Run

ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")
ORIGIN_NAME = "origin.json"


@dataclass(frozen=True)
class Origin:
    """The run that another one goes on from.

    `learnt`: ids of the clips that the adapter was trained on, which are the same in both runs;
    `set_aside`: of those that only decided when that training ended (`training/early_stop.py`).
    """

    run: str
    config: TrainConfig
    learnt: tuple[str, ...]
    set_aside: tuple[str, ...]


def begin(new: Run, old: Run, train_ids: list[str]) -> None:
    """Let `new` start from the adapter of `old`, whose training clips are `train_ids`."""
    set_aside = set(read_set_aside(old))
    origin = Origin(
        old.id,
        old.read_spec().config,
        learnt=tuple(clip_id for clip_id in train_ids if clip_id not in set_aside),
        set_aside=tuple(clip_id for clip_id in train_ids if clip_id in set_aside),
    )
    new.start_dir.mkdir()
    for name in ADAPTER_FILES:
        os.link(old.adapter_dir / name, new.start_dir / name)
    text = json.dumps(asdict(origin), ensure_ascii=False)
    durable.write(new.start_dir / ORIGIN_NAME, text)


def read_origin(run: Run) -> Origin | None:
    """Which run this one goes on from; None when it begins from nothing."""
    try:
        data = json.loads((run.start_dir / ORIGIN_NAME).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    config = TrainConfig(**data["config"])
    return Origin(data["run"], config, tuple(data["learnt"]), tuple(data["set_aside"]))


def require_fit(origin: Origin, config: TrainConfig) -> None:
    """Raises InputError start_does_not_fit when `config` wants other weights than the adapter's."""
    for name, needed in shape_of(origin.config).items():
        value = shape_of(config)[name]
        if value != needed:
            raise InputError("start_does_not_fit", setting=name, value=value, needed=needed)


def shape_of(config: TrainConfig) -> dict[str, object]:
    """The settings that an adapter has for life."""
    lora = config.lora
    return {
        "base": config.base,
        "rank": lora.rank,
        "alpha": lora.alpha,
        "target_modules": ", ".join(sorted(lora.target_modules)),
    }


def write_set_aside(run: Run, ids: list[str]) -> None:
    """Note the clips of the training set that are not learnt from."""
    run.set_aside_path.write_text(json.dumps(ids), encoding="utf-8")


def read_set_aside(run: Run) -> list[str]:
    try:
        return json.loads(run.set_aside_path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
