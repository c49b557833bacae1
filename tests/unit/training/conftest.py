"""A run that has learnt something, without a training."""

import pytest
import torch
from peft import PeftModel
from transformers import set_seed

from tests.tiny import TINY_ID
from whisper_tuner.config import TrainConfig
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.training.adapter import save_adapter

CPU = torch.device("cpu")


def model_of(config: TrainConfig) -> PeftModel:
    set_seed(config.seed)
    base = load_base(config.base, config.language, config.precision, CPU)
    return add_lora(base, config.base, config.lora)


def trained(model: PeftModel) -> dict[str, torch.nn.Parameter]:
    return {name: w for name, w in model.named_parameters() if w.requires_grad}


@pytest.fixture
def learnt(prepared, tiny_config) -> Run:
    """A run whose adapter has learnt something, as far as anybody can tell from its files."""
    prepared.write_spec(Spec(tiny_config, 1.0, {}))
    model = model_of(tiny_config)
    with torch.no_grad():
        for weight in trained(model).values():
            weight.normal_(std=0.05)
    processor = load_processor(TINY_ID, "it")
    save_adapter(model, processor, prepared.adapter_dir, step=2)
    return prepared
