"""`Seq2SeqTrainer` for Whisper: the right loss scale, the speech window, our settings."""

from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments

from whisper_tuner.config import TrainConfig
from whisper_tuner.model.load import half_dtype
from whisper_tuner.model.window import encoder_window
from whisper_tuner.training.collator import IGNORED


def token_mean_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross-entropy per label token over the whole accumulated batch.

    `labels` has shape (batch, length), IGNORED where padded. The sum over this micro-batch is
    divided by the tokens of all micro-batches, so that 1 x 8 and 4 x 2 clips give one gradient.
    Whisper's own loss is a mean per micro-batch, which the Trainer takes for scaled already.
    """
    logits = outputs.logits.float().flatten(0, 1)
    total = functional.cross_entropy(
        logits, labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)


class WhisperTrainer(Seq2SeqTrainer):
    """The stock Trainer with `token_mean_loss` and the encoder window of each batch."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, compute_loss_func=token_mean_loss, **kwargs)
        self.model_accepts_loss_kwargs = False  # Whisper takes any keyword and ignores this one

    def compute_loss(self, model: torch.nn.Module, inputs: dict, *args: Any, **kwargs: Any) -> Any:
        n_frames = inputs["input_features"].shape[-1]
        with encoder_window(self.accelerator.unwrap_model(model), n_frames):
            return super().compute_loss(model, inputs, *args, **kwargs)


def training_arguments(
    config: TrainConfig, output_dir: Path, device: torch.device
) -> Seq2SeqTrainingArguments:
    """Our settings in the Trainer's words. Nothing that reaches the Hub: no token, no push."""
    on_gpu = device.type == "cuda"
    mixed = on_gpu and config.precision != "32bit"
    bf16 = half_dtype(device) == torch.bfloat16
    return Seq2SeqTrainingArguments(
        output_dir=str(output_dir),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        per_device_train_batch_size=config.batch_size,
        gradient_accumulation_steps=config.gradient_accumulation,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_share,
        seed=config.seed,
        use_cpu=not on_gpu,
        bf16=mixed and bf16,
        fp16=mixed and not bf16,
        activation_checkpointing=on_gpu,
        activation_checkpointing_kwargs={"use_reentrant": False} if on_gpu else None,
        train_sampling_strategy="random",
        remove_unused_columns=False,  # the collator takes clips, not columns
        label_names=["labels"],
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a NaN loss would be shown as the last good one
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=min(4, torch.get_num_threads()) if on_gpu else 0,
        dataloader_pin_memory=on_gpu,
    )
