"""Clips → texts by `generate()`, greedily, in 30-second inference or in the speech window.

30 seconds is ordinary inference. In the speech window (`model/window.py`) the encoder sees only the
longest clip of the batch: several times cheaper, with nearly the same texts.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.model.features import clip_features, excerpts
from whisper_tuner.model.frames import (
    FRAMES_PER_POSITION,
    FULL_FRAMES,
    FULL_POSITIONS,
    STRIDE_LISTENING,
    n_read,
    window_frames,
)
from whisper_tuner.model.load import autocast
from whisper_tuner.model.window import Silence, encoder_window, record_silence

SPREAD = 1.5  # the window of a batch over the one that its shortest clip alone would have
TOKENS_PER_S = 25  # no language speaks more tokens a second; a looping decoder is cut off here
SPARE_TOKENS = 44
MAX_TOKENS = 448  # the decoder's positions
GPU_BYTES_PER_CLIP = 1e9  # large-v2 in 8 bit at 30 seconds: 4 clips take 7 GB in all, 8 take 10.9
LARGE_WIDTH = 1280  # d_model of the large bases
MOST_AT_ONCE = 32


def transcribe_arrays(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    audios: list[np.ndarray],
    precision: str,
    silence: Silence | None = None,
) -> list[str]:
    """One batch of mono float32 arrays (16 kHz, at most 30 s each) → one text each.

    In the speech window when given the `silence` behind it, else at 30 seconds. There a text
    follows from its own clip: which others share the batch changes no more than the rounding of
    sums.
    """
    first = model.get_encoder().conv1.weight
    durations_s = [len(audio) / SAMPLE_RATE for audio in audios]
    n_frames = window_frames(max(durations_s), "speech" if silence else "full")
    features = clip_features(processor, audios, n_frames, first)
    heard = torch.ones(features.shape[0], features.shape[-1], device=features.device)
    was_training = model.training
    model.eval()
    with (
        torch.inference_mode(),
        autocast(first.device, precision),
        encoder_window(model, n_frames, silence),
    ):
        ids = model.generate(
            input_features=features,
            attention_mask=heard,  # all of it; without one transformers warns
            max_length=_most_tokens(max(durations_s)),
            num_beams=1,
        )
    model.train(was_training)
    rows = [row[: _most_tokens(s)] for row, s in zip(ids.tolist(), durations_s, strict=True)]
    return [text.strip() for text in processor.batch_decode(rows, skip_special_tokens=True)]


def transcribe_clips(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    clips: list[Clip],
    dataset_dir: Path,
    precision: str,
    n_at_once: int,
    on_batch: Callable[[int, int], None] | None = None,
    window: str = "full",
) -> list[str]:
    """The texts of `clips`, in their order. `on_batch(done, total)` may raise to end early.

    `window`: "full" or "speech", as in `TrainConfig`. `n_at_once`: clips of 30 seconds that fit
    into memory together.
    """
    silence = None
    if clips and window == "speech":
        beginnings = excerpts(dataset_dir / clip.audio for clip in clips)
        silence = listen_to_silence(model, processor, beginnings, precision)
    texts = [""] * len(clips)
    n_done = 0
    for chosen in batches([clip.duration_s for clip in clips], n_at_once, window):
        audios = [read_flac(dataset_dir / clips[i].audio) for i in chosen]
        heard = transcribe_arrays(model, processor, audios, precision, silence)
        for index, text in zip(chosen, heard, strict=True):
            texts[index] = text
        n_done += len(chosen)
        if on_batch:
            on_batch(n_done, len(clips))
    return texts


def listen_to_silence(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    beginnings: list[np.ndarray],
    precision: str,
) -> Silence:
    """What this model hears behind speech, for `transcribe_arrays`; `beginnings`: `excerpts`."""
    weight = model.get_encoder().conv1.weight
    features = clip_features(processor, beginnings, FULL_FRAMES, weight)
    with autocast(weight.device, precision):
        return record_silence(model, features, STRIDE_LISTENING)


def batches(durations_s: list[float], n_at_once: int, window: str) -> Iterator[list[int]]:
    """Places in `durations_s`, batch by batch, longest first: a batch waits for its longest.

    The decoder keeps keys and values of every position that it reads, so memory goes by these: a
    batch has at most those of `n_at_once` clips of 30 seconds, and many short clips share one.
    Clips much shorter than the longest wait for the next batch: they would be mostly silence.
    """
    order = sorted(range(len(durations_s)), key=lambda i: -durations_s[i])
    while order:
        n_frames = window_frames(durations_s[order[0]], window)
        read = n_read(n_frames // FRAMES_PER_POSITION, STRIDE_LISTENING)
        fitting = order[: n_at_once * FULL_POSITIONS // read]
        batch = [i for i in fitting if SPREAD * window_frames(durations_s[i], window) >= n_frames]
        yield batch
        order = order[len(batch) :]


def clips_at_once(model: WhisperForConditionalGeneration) -> int:
    """How many clips of 30 seconds to transcribe together on the model's device."""
    device, width = model.get_encoder().conv1.weight.device, model.config.d_model
    if device.type != "cuda":
        return n_that_fit(width, 0)
    reusable = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return n_that_fit(width, torch.cuda.mem_get_info(device)[0] + reusable)


def n_that_fit(width: int, free_bytes: int) -> int:
    """Clips of 30 seconds for half of the free GPU memory; `width` is the base's d_model.

    A decoding step costs nearly the same for one clip as for many, so a large GPU takes many. At
    least 4 of a large base, which fit beside it into 8 GB, and 8 of a small one.
    """
    n = int(free_bytes / 2 / (GPU_BYTES_PER_CLIP * width / LARGE_WIDTH))
    return min(max(n, 4 if width >= 1024 else 8), MOST_AT_ONCE)


def _most_tokens(duration_s: float) -> int:
    """Tokens that a clip's text may have: what can be said in so many seconds, and a few more."""
    return min(MAX_TOKENS, SPARE_TOKENS + int(TOKENS_PER_S * duration_s))
