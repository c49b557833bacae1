"""The adapter on disk: what plain transformers + peft need to use it, and nothing else."""

import shutil
from pathlib import Path

import torch
from peft import PeftModel
from transformers import WhisperProcessor

from whisper_tuner.errors import TrainingError
from whisper_tuner.runs import disk, durable

NOT_FINITE = "training_not_finite"  # the error that a roll-back may mend


def require_finite(model: PeftModel, step: int) -> None:
    """Raises TrainingError when a weight that is trained is not finite after `step` steps."""
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    if not all(torch.isfinite(weight).all() for weight in trained):
        raise TrainingError(NOT_FINITE, step=step)


def save_adapter(
    model: PeftModel, processor: WhisperProcessor, adapter_dir: Path, step: int
) -> None:
    """Write weights (safetensors), processor and generation files, in place of an earlier save.

    Raises TrainingError when a weight is not finite: such an adapter is never saved; OSError when
    the disk is full, and the earlier one is still there.
    """
    require_finite(model, step)
    temporary = adapter_dir.with_name(f".{adapter_dir.name}-new")
    shutil.rmtree(temporary, ignore_errors=True)
    with disk.no_room_named(adapter_dir.parent):
        model.save_pretrained(temporary, save_embedding_layers=False)
        (temporary / "README.md").unlink(missing_ok=True)  # PEFT's template; the card is ours
        processor.save_pretrained(temporary)
        processor.feature_extractor.save_pretrained(temporary)  # transformers 5 leaves it out
        model.generation_config.save_pretrained(temporary)
        for path in temporary.iterdir():
            durable.fsync(path)
    shutil.rmtree(adapter_dir, ignore_errors=True)
    temporary.rename(adapter_dir)
    durable.fsync(adapter_dir.parent)
