"""One training of `quality.py` in a process of its own, or the listening of one adapter.

python -m benchmarks.quality_arm train WORK '{"window": "speech", "seed": 1, ...}'
python -m benchmarks.quality_arm listen WORK '{...}' speech-1/epoch-3 full speech
"""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import read_clips
from whisper_tuner.evaluation.transcribe import clips_at_once, transcribe_clips
from whisper_tuner.model.batches import BatchPlan
from whisper_tuner.model.load import add_lora, load_adapter, load_base, load_processor
from whisper_tuner.training.adapter import save_adapter
from whisper_tuner.training.collator import Collator, PlannedClips
from whisper_tuner.training.trainer import WhisperTrainer, training_arguments

CPU = torch.device("cpu")


class Clock(TrainerCallback):
    """Writes seconds and loss of every step; saves the adapter after every epoch, off the clock."""

    def __init__(self, folder: Path, save: Callable[[int, int], None]) -> None:
        self.path = folder / "steps.jsonl"
        self.save = save
        self.cpu_s = self.wall_s = 0.0

    def on_train_begin(self, *_: object, **__: object) -> None:
        self.path.unlink(missing_ok=True)
        self._began = (time.process_time(), time.monotonic())

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float],
        **_: object,
    ) -> None:
        if "loss" not in logs:
            return
        now = (time.process_time(), time.monotonic())
        self.cpu_s += now[0] - self._began[0]
        self.wall_s += now[1] - self._began[1]
        row = {"step": state.global_step, "epoch": state.epoch, "loss": float(logs["loss"])}
        row |= {"cpu_s": round(self.cpu_s, 2), "wall_s": round(self.wall_s, 2)}
        with self.path.open("a") as file:
            file.write(json.dumps(row) + "\n")
        self._began = now

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, *_: object, **__: object
    ) -> None:
        self.save(round(state.epoch), state.global_step)
        self._began = (time.process_time(), time.monotonic())


def train(work: Path, config: TrainConfig) -> None:
    """Train as `training.stage` does, on all training clips; adapters to WORK/<window>-<seed>/."""
    folder = work / f"{config.window}-{config.seed}"
    folder.mkdir(exist_ok=True)
    set_seed(config.seed)
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, CPU)
    model = add_lora(base, config.base, config.lora)
    clips = read_clips(work / "dataset", "train")
    plan = BatchPlan.of(config, [clip.duration_s for clip in clips])

    def save(epoch: int, step: int) -> None:
        save_adapter(model, processor, folder / f"epoch-{epoch}", step)

    WhisperTrainer(
        model=model,
        args=training_arguments(config, folder / "unused", CPU),
        train_dataset=PlannedClips(clips, plan),
        data_collator=Collator(processor, work / "dataset", model.config.decoder_start_token_id),
        processing_class=processor,
        callbacks=[Clock(folder, save)],
    ).train()
    (folder / "done").touch()


def listen(work: Path, config: TrainConfig, name: str, windows: list[str]) -> None:
    """Transcribe the held-out clips with WORK/<name>, or the base, unless they are there."""
    processor = load_processor(config.base, config.language)
    model = load_base(config.base, config.language, config.precision, CPU)
    if name != "base":
        model = load_adapter(model, work / name).merge_and_unload()
    clips = read_clips(work / "dataset", "test")
    for window in windows:
        path = work / f"{name}.{window}.json"
        if not path.exists():
            n = clips_at_once(model)
            texts = transcribe_clips(
                model, processor, clips, work / "dataset", config.precision, n, window=window
            )
            path.write_text(json.dumps(texts, ensure_ascii=False, indent=1))


def main() -> None:
    what, work, settings, *heard = sys.argv[1:]
    torch.set_num_threads(1)
    config = TrainConfig(**json.loads(settings))
    if what == "train":
        train(Path(work), config)
    else:
        name, *windows = heard
        listen(Path(work), config, name, windows)


if __name__ == "__main__":
    main()
