from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import WhisperProcessor

from tests.sounds import speech
from tests.tiny import TINY_ID
from whisper_tuner.audio import write_flac
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Clip, Report, write_dataset
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.runs.folder import Run, Spec

CPU = torch.device("cpu")


def taught(base_id: str, precision: str) -> tuple[PeftModel, WhisperProcessor]:
    """A tiny random base with LoRA weights that change what it hears."""
    base = load_base(base_id, "it", precision, CPU)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        model = add_lora(base, base_id, LoraSettings())
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(weight, std=0.5)
    return model, load_processor(base_id, "it")


def make_run(root: Path, durations_s: tuple[float, ...], **changed: object) -> Run:
    """A run whose held-out clips last `durations_s`; `changed` are settings of its training."""
    config = TrainConfig(**{"base": TINY_ID, "language": "it", "precision": "32bit", **changed})
    run = Run.create(root)
    run.write_spec(Spec(config, 0.0, {"torch": "2"}))
    (run.dataset_dir / "clips").mkdir(parents=True)
    clips = []
    for i, duration_s in enumerate(durations_s):
        audio = f"clips/{i}.flac"
        write_flac(run.dataset_dir / audio, speech(duration_s, seed=i))
        clips.append(Clip(f"{i}", audio, "uno due", f"{i}.wav", duration_s, 4, "test"))
    write_dataset(run.dataset_dir, clips, Report(len(clips), 0, len(clips), 0.0, 0.0, []))
    return run


def listener_for(run: Run) -> Listener:
    config = run.read_spec().config
    model, processor = taught(config.base, config.precision)
    return Listener(model, processor, run, config.precision)


class Heard:
    """The shapes (clips, mels, frames) of all that a model's encoder is given."""

    def __init__(self, model: PeftModel) -> None:
        self.shapes: list[tuple[int, ...]] = []
        model.get_encoder().conv1.register_forward_pre_hook(
            lambda _, args: self.shapes.append(tuple(args[0].shape))
        )

    @property
    def n_clips(self) -> int:
        return sum(shape[0] for shape in self.shapes)


@pytest.fixture(scope="module")
def tiny(hub_cache: Path) -> tuple[PeftModel, WhisperProcessor]:
    return taught(TINY_ID, "32bit")
