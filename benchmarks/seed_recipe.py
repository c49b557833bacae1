"""The recipe to beat: LoRA on Whisper in 8 bit, as first published in May 2023.

After Vaibhavs10/fast-whisper-finetuning, `Whisper_w_PEFT.ipynb`, in today's names: features of 30
seconds made once and kept on disk, k-bit preparation with re-entrant gradient checkpointing and its
casts to float32, r=32 on q and v, batch 8, float16 autocast on CUDA, the stock Trainer; then a
hand-written evaluation loop. Kept as it was, its faults too: the labels keep the start token, so
that the decoder reads it twice.
"""

import gc
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import LoraConfig, PeftModel, get_peft_model, prepare_model_for_kbit_training
from torch.utils.data import DataLoader, Dataset
from transformers import (
    BitsAndBytesConfig,
    Seq2SeqTrainer,
    Seq2SeqTrainingArguments,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.model.locate import model_source

BATCH_SIZE = 8
MAX_NEW_TOKENS = 255
N_PROMPT_TOKENS = 4  # start, language, task, no-timestamps
N_FRAMES = 3000  # 30 s
LORA = {
    "r": 32,
    "lora_alpha": 64,
    "lora_dropout": 0.05,
    "target_modules": ["q_proj", "v_proj"],
    "bias": "none",
}


def load_for_training(base_id: str, precision: str, device: torch.device) -> PeftModel:
    """The base in 8 bit (or in 32 bit, for a CPU) as the notebook prepares it, LoRA on it."""
    base = _load_base(base_id, precision, device)
    base = prepare_model_for_kbit_training(base, use_gradient_checkpointing=False)  # casts, freezes
    base.enable_input_require_grads()  # the hook on conv1
    base.activation_checkpointing_enable(activation_checkpointing_kwargs={"use_reentrant": True})
    base.config.use_cache = False
    return get_peft_model(base, LoraConfig(**LORA))


def load_for_evaluation(
    base_id: str, precision: str, adapter_dir: Path, device: torch.device
) -> PeftModel:
    """A fresh base with a trained adapter on it, not merged."""
    return PeftModel.from_pretrained(_load_base(base_id, precision, device), adapter_dir)


def _load_base(
    base_id: str, precision: str, device: torch.device
) -> WhisperForConditionalGeneration:
    return WhisperForConditionalGeneration.from_pretrained(
        model_source(base_id),
        dtype=torch.float16 if device.type == "cuda" else torch.float32,
        quantization_config=BitsAndBytesConfig(load_in_8bit=True) if precision == "8bit" else None,
        device_map={"": device},
    )


class StoredFeatures(Dataset):
    """Log-mel of 30 seconds for every clip, in a file that is mapped, as `datasets` keeps them."""

    def __init__(
        self, clips: list[Clip], dataset_dir: Path, scratch: Path, processor: WhisperProcessor
    ) -> None:
        n_mels = processor.feature_extractor.feature_size
        shape = (len(clips), n_mels, N_FRAMES)
        self._features = np.memmap(scratch / "features.bin", np.float32, "w+", shape=shape)
        for row, clip in enumerate(clips):
            audio = read_flac(dataset_dir / clip.audio)
            made = processor.feature_extractor(audio, sampling_rate=SAMPLE_RATE)
            self._features[row] = made.input_features[0]
        self._labels = [processor.tokenizer(clip.text).input_ids for clip in clips]

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"input_features": self._features[index], "labels": self._labels[index]}


class PaddingCollator:
    """`DataCollatorSpeechSeq2SeqWithPadding` of the notebook."""

    def __init__(self, processor: WhisperProcessor) -> None:
        self._processor = processor

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        features = [{"input_features": row["input_features"]} for row in rows]
        batch = self._processor.feature_extractor.pad(features, return_tensors="pt")
        texts = [{"input_ids": row["labels"]} for row in rows]
        padded = self._processor.tokenizer.pad(texts, return_tensors="pt")
        labels = padded["input_ids"].masked_fill(padded.attention_mask.ne(1), -100)
        if (labels[:, 0] == self._processor.tokenizer.bos_token_id).all():  # never true: the fault
            labels = labels[:, 1:]
        return {"input_features": batch["input_features"], "labels": labels}


def build_trainer(
    model: PeftModel,
    data: StoredFeatures,
    processor: WhisperProcessor,
    output_dir: Path,
    max_steps: int,
    callbacks: list,
) -> Seq2SeqTrainer:
    """The stock Trainer with the notebook's arguments; the clips come in the order of `data`."""
    on_gpu = torch.cuda.is_available()
    arguments = Seq2SeqTrainingArguments(
        output_dir=str(output_dir),
        per_device_train_batch_size=BATCH_SIZE,
        learning_rate=1e-3,
        warmup_steps=50,
        max_steps=max_steps,
        fp16=on_gpu,
        use_cpu=not on_gpu,
        logging_steps=25,
        remove_unused_columns=False,
        label_names=["labels"],
        train_sampling_strategy="sequential",  # shuffled before, so that a step's clips are known
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
    )
    return Seq2SeqTrainer(
        model=model,
        args=arguments,
        train_dataset=data,
        data_collator=PaddingCollator(processor),
        processing_class=processor.feature_extractor,
        callbacks=callbacks,
    )


def transcribe(
    model: PeftModel,
    processor: WhisperProcessor,
    data: StoredFeatures,
    device: torch.device,
) -> list[str]:
    """The notebook's evaluation loop: batches in the order of the data, adapter not merged."""
    texts = []
    model.eval()
    for batch in DataLoader(data, batch_size=BATCH_SIZE, collate_fn=PaddingCollator(processor)):
        with torch.autocast("cuda", enabled=device.type == "cuda"), torch.no_grad():
            ids = model.generate(
                input_features=batch["input_features"].to(device),
                decoder_input_ids=batch["labels"][:, :N_PROMPT_TOKENS].to(device),
                max_new_tokens=MAX_NEW_TOKENS,
            )
        texts += processor.tokenizer.batch_decode(ids.cpu().numpy(), skip_special_tokens=True)
        del ids, batch
        gc.collect()
    return [text.strip() for text in texts]
