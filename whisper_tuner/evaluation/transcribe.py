"""Clips → texts by `generate()`, greedily, in ordinary 30-second inference."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.audio import read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.model.features import log_mel
from whisper_tuner.model.load import autocast
from whisper_tuner.model.window import FULL_FRAMES

TOKENS_PER_S = 25  # no language speaks more tokens a second; a looping decoder is cut off here
SPARE_TOKENS = 40
PROMPT_TOKENS = 4  # start, language, task, no-timestamps; generate() counts them
MAX_TOKENS = 448  # the decoder's positions


def transcribe_arrays(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    audios: list[np.ndarray],
    precision: str,
) -> list[str]:
    """One batch of mono float32 arrays (16 kHz, at most 30 s each) → one text each."""
    first = model.get_encoder().conv1.weight
    features = log_mel(processor, audios, FULL_FRAMES, first.dtype).to(first.device)
    longest_s = max(len(audio) for audio in audios) / processor.feature_extractor.sampling_rate
    limit = min(MAX_TOKENS, PROMPT_TOKENS + SPARE_TOKENS + int(TOKENS_PER_S * longest_s))
    heard = torch.ones(features.shape[0], features.shape[-1], device=features.device)
    was_training = model.training
    model.eval()
    with torch.inference_mode(), autocast(first.device, precision):
        ids = model.generate(
            input_features=features, attention_mask=heard, max_length=limit, num_beams=1
        )
    model.train(was_training)
    return [text.strip() for text in processor.batch_decode(ids, skip_special_tokens=True)]


def transcribe_clips(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    clips: list[Clip],
    dataset_dir: Path,
    precision: str,
    batch_size: int,
    on_batch: Callable[[int, int], None] | None = None,
) -> list[str]:
    """The texts of `clips`, in their order. `on_batch(done, total)` may raise to end early."""
    order = sorted(
        range(len(clips)), key=lambda i: clips[i].duration_s
    )  # a batch waits for its longest
    texts = [""] * len(clips)
    for start in range(0, len(order), batch_size):
        chosen = order[start : start + batch_size]
        audios = [read_flac(dataset_dir / clips[i].audio) for i in chosen]
        batch = transcribe_arrays(model, processor, audios, precision)
        for index, text in zip(chosen, batch, strict=True):
            texts[index] = text
        if on_batch:
            on_batch(min(start + batch_size, len(clips)), len(clips))
    return texts
