"""A base model in the chosen precision, with LoRA on it. The only use of bitsandbytes."""

import errno
import json
import logging
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path

import torch
import transformers
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import SafetensorError
from safetensors.torch import load_file
from transformers import (
    BitsAndBytesConfig,
    WhisperForConditionalGeneration,
    WhisperProcessor,
)

from whisper_tuner.config import LoraSettings
from whisper_tuner.errors import ModelError
from whisper_tuner.model.catalogue import check_language
from whisper_tuner.model.locate import model_source

TASK = "transcribe"

logging.getLogger("bitsandbytes").setLevel(logging.ERROR)  # it says "inputs will be cast" per call
transformers.logging.disable_progress_bar()  # its bar fills a log file with half lines


def find_torch_device() -> torch.device:
    """This process's GPU: where several train together, each has its own."""
    if not torch.cuda.is_available():
        return torch.device("cpu")
    return torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")))


def half_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the hardware has it, else float16.

    Asked by compute capability: `torch.cuda.is_bf16_supported()` says yes to a T4's slow emulation.
    """
    if device.type == "cuda" and torch.cuda.get_device_capability(device)[0] < 8:
        return torch.float16
    return torch.bfloat16


def autocast(device: torch.device, precision: str) -> AbstractContextManager:
    """Mixed precision for inference as in training: on CUDA unless 32 bit was asked for."""
    if device.type == "cuda" and precision != "32bit":
        return torch.autocast("cuda", half_dtype(device))
    return nullcontext()


@contextmanager
def _named_download(base_id: str) -> Iterator[None]:
    """transformers says OSError whatever went wrong with a download; a full disk stays one."""
    try:
        yield
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise
        raise ModelError("base_unreachable", base=base_id) from error


def load_processor(base_id: str, language: str) -> WhisperProcessor:
    """Feature extractor and tokenizer; the tokenizer writes `language` before every transcript.

    Raises InputError when this base has no token for the language: the tokenizer would silently
    write another token (Cantonese becomes `<|translate|>` before large-v3).
    """
    check_language(base_id, language)
    with _named_download(base_id):
        processor = WhisperProcessor.from_pretrained(model_source(base_id))
    processor.tokenizer.set_prefix_tokens(language=language, task=TASK, predict_timestamps=False)
    return processor


def _quantization(precision: str, device: torch.device) -> BitsAndBytesConfig | None:
    if precision == "8bit":
        # llm_int8_skip_modules stays unset: setting it replaces the default list that protects
        # the output projection, which is tied to the token embedding.
        return BitsAndBytesConfig(load_in_8bit=True)
    if precision == "4bit":
        return BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=compute_dtype(precision, device),
        )
    return None


def compute_dtype(precision: str, device: torch.device) -> torch.dtype:
    """What everything but the quantised weights is kept and computed in.

    A CPU gains nothing from half precision without AMX, so 8 and 4 bit compute in float32 there.
    """
    half = precision == "16bit" or (device.type == "cuda" and precision != "32bit")
    return half_dtype(device) if half else torch.float32


def _keep_dtype(_: torch.nn.Module, inputs: tuple[torch.Tensor], out: torch.Tensor) -> torch.Tensor:
    return out.to(inputs[0].dtype)


def keep_norms_in_compute_dtype(model: torch.nn.Module) -> None:
    """Layer norms give back the dtype they were given, as linear layers do.

    Under autocast they compute in float32 and answer in it. bitsandbytes then runs the backward
    matrix products of all that they feed (query, key, value, fc1) in float32 too, because it takes
    the dtype of a layer's input for them; the activations kept for it are twice as large.
    """
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.register_forward_hook(_keep_dtype)


def load_base(
    base_id: str, language: str, precision: str, device: torch.device
) -> WhisperForConditionalGeneration:
    """The frozen base model on `device`, its generation settings fixed to `language`.

    PEFT's `prepare_model_for_kbit_training` is not used: it casts norms and embeddings to float32.

    Raises InputError for an unknown base, ModelError when its files cannot be had.
    """
    quantization = _quantization(precision, device)
    dtype = compute_dtype(precision, device)
    with _named_download(base_id):
        model = WhisperForConditionalGeneration.from_pretrained(
            model_source(base_id),
            dtype=dtype,
            quantization_config=quantization,
            device_map={"": device} if quantization else None,
        )
    model.requires_grad_(False)
    if not quantization:
        model.to(device)
    if dtype != torch.float32:
        keep_norms_in_compute_dtype(model)
    model.generation_config.language = language
    model.generation_config.task = TASK
    model.generation_config.forced_decoder_ids = None  # contradicts language and task
    return model


def add_lora(
    base: WhisperForConditionalGeneration, base_id: str, settings: LoraSettings
) -> PeftModel:
    """LoRA on a frozen base, its weights in float32. `base_id` is what the adapter will name."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=list(settings.target_modules),
        bias="none",  # else disable_adapter() no longer gives the base back
        # task_type stays unset: PEFT's seq2seq wrapper passes input_ids, which Whisper has not
    )
    model = get_peft_model(base, config)
    model.peft_config["default"].base_model_name_or_path = base_id  # not the folder it came from
    return model


def take_weights(model: PeftModel, adapter_dir: Path) -> None:
    """Put a saved adapter's weights into the LoRA that `add_lora` made; they stay float32, trained.

    Raises ModelError start_does_not_fit when it was made with other settings, start_damaged when
    its files cannot be read.
    """
    try:
        theirs = json.loads((adapter_dir / "adapter_config.json").read_text(encoding="utf-8"))
        saved = load_file(adapter_dir / "adapter_model.safetensors")
    except (OSError, ValueError, SafetensorError) as error:
        raise ModelError("start_damaged") from error
    ours = model.peft_config["default"].to_dict()
    for name in ("base_model_name_or_path", "r", "lora_alpha", "target_modules"):
        value, needed = (_plain(settings.get(name)) for settings in (ours, theirs))
        if value != needed:
            raise ModelError("start_does_not_fit", setting=name, value=value, needed=needed)
    trained = {
        name.replace(".default.", "."): weight  # PEFT saves without the adapter's name
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }
    if {n: w.shape for n, w in saved.items()} != {n: w.shape for n, w in trained.items()}:
        raise ModelError("start_damaged")
    with torch.no_grad():
        for name, weight in trained.items():
            weight.copy_(saved[name])


def _plain(value: object) -> object:
    return ", ".join(sorted(value)) if isinstance(value, list | set) else value


def load_adapter(base: WhisperForConditionalGeneration, adapter_dir: Path) -> PeftModel:
    """A saved adapter on its base, for inference."""
    return PeftModel.from_pretrained(base, adapter_dir)
