"""What a base hears in a window of a recording, and when it hears each token.

The times are read off the decoder's cross-attention, by dynamic time warping over the heads that
follow the sound, as openai/whisper's `timing.py` (`find_alignment`) does it; the text is given to
the decoder in one pass behind its own transcription.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from transformers import WhisperForConditionalGeneration, WhisperProcessor

from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.evaluation.transcribe import MAX_TOKENS, transcribe_arrays
from whisper_tuner.model.features import clip_features
from whisper_tuner.model.frames import FULL_FRAMES, FULL_POSITIONS
from whisper_tuner.model.load import autocast

POSITIONS_PER_S = FULL_POSITIONS / 30  # of the encoder
MEDIAN_WIDTH = 7  # positions, as in timing.py


@dataclass(frozen=True, slots=True)
class Heard:
    """`times`: for rising numbers of letters of `text`, when so many have been said, in seconds
    from the beginning of the window; begins with (0, …) unless there is no text.
    """

    text: str
    times: list[tuple[int, float]]


def hear(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    audios: list[np.ndarray],
    precision: str,
) -> list[Heard]:
    """One batch of mono float32 arrays (16 kHz, at most 30 s each) → what is said in each."""
    encoded: list[torch.Tensor] = []  # by `generate`; the encoder is most of the work
    hook = model.get_encoder().register_forward_hook(lambda *seen: encoded.append(seen[-1][0]))
    try:
        texts = transcribe_arrays(model, processor, audios, precision)
    finally:
        hook.remove()
    return [
        Heard(text, _times(model, processor, states, audio, text, precision) if text else [])
        for audio, text, states in zip(audios, texts, encoded[0].split(1), strict=True)
    ]


def follow(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    audio: np.ndarray,
    text: str,
    precision: str,
) -> list[tuple[int, float]]:
    """When a text is said that is known: the `times` of `Heard`; empty where it cannot be."""
    weight = model.get_encoder().conv1.weight
    features = clip_features(processor, [audio], FULL_FRAMES, weight)
    with torch.inference_mode(), autocast(weight.device, precision):
        states = model.get_encoder()(features).last_hidden_state
    return _times(model, processor, states, audio, text, precision)


def _times(
    model: WhisperForConditionalGeneration,
    processor: WhisperProcessor,
    states: torch.Tensor,
    audio: np.ndarray,
    text: str,
    precision: str,
) -> list[tuple[int, float]]:
    """`states`: of the encoder, shape (1, 1500, d_model)."""
    tokenizer = processor.tokenizer
    start = [model.config.decoder_start_token_id, *tokenizer.prefix_tokens[1:]]
    tokens = tokenizer(f" {text}", add_special_tokens=False, return_offsets_mapping=True)
    room = MAX_TOKENS - len(start) - 1
    ids, offsets = tokens["input_ids"][:room], tokens["offset_mapping"][:room]
    n_positions = min(FULL_POSITIONS, int(len(audio) / SAMPLE_RATE * POSITIONS_PER_S))
    if not ids or n_positions < len(ids):
        return []
    row = torch.tensor([[*start, *ids, tokenizer.eos_token_id]], device=states.device)
    with torch.inference_mode(), autocast(states.device, precision):
        attention = _attention(model, row, states, n_positions)
    begun_s = _warp(attention[len(start) - 1 : -1]) / POSITIONS_PER_S
    ends = [max(0, end - 1) for _, end in offsets]  # without the space that was put before
    said = list(zip([0, *ends], begun_s.tolist(), strict=True))
    rising = [pair for pair, (n, _) in pairwise([*said, (len(text) + 1, 0)]) if n > pair[0]]
    return [(n, round(time_s, 2)) for n, time_s in rising]


def _attention(
    model: WhisperForConditionalGeneration, ids: torch.Tensor, states: torch.Tensor, n: int
) -> np.ndarray:
    """Which of the first `n` positions each token attends to, the alignment heads' mean, each
    head's weights in units of their spread: shape (n_tokens, n).
    """
    layers = model.get_decoder().layers
    heads = getattr(model.generation_config, "alignment_heads", None) or [
        (layer, head)
        for layer in range(len(layers) // 2, len(layers))
        for head in range(model.config.decoder_attention_heads)
    ]
    with _watched(model, {layer for layer, _ in heads}) as seen:
        model.get_decoder()(input_ids=ids, encoder_hidden_states=states, use_cache=False)
    weights = torch.stack([seen[layer][0, head, :, :n] for layer, head in heads]).float()
    weights = weights / weights.sum(-1, keepdim=True)  # as if nothing lay behind
    spread, mean = torch.std_mean(weights, dim=-2, keepdim=True, unbiased=False)
    return _median((weights - mean) / spread.clamp_min(1e-6)).mean(0).cpu().numpy()


@contextmanager
def _watched(
    model: WhisperForConditionalGeneration, layers: set[int]
) -> Iterator[dict[int, torch.Tensor]]:
    """The cross-attention weights of these decoder layers, by layer, as soon as it has run."""
    seen: dict[int, torch.Tensor] = {}
    implementation = model.config._attn_implementation
    model.set_attn_implementation("eager")  # the others do not give the weights
    hooks = [
        model.get_decoder()
        .layers[i]
        .encoder_attn.register_forward_hook(
            lambda _module, _inputs, out, i=i: seen.__setitem__(i, out[1])
        )
        for i in layers
    ]
    try:
        yield seen
    finally:
        for hook in hooks:
            hook.remove()
        model.set_attn_implementation(implementation)


def _median(weights: torch.Tensor) -> torch.Tensor:
    """Along the positions, the ends mirrored."""
    half = MEDIAN_WIDTH // 2
    if weights.shape[-1] <= half:
        return weights
    padded = torch.nn.functional.pad(weights, (half, half), mode="reflect")
    return padded.unfold(-1, MEDIAN_WIDTH, 1).median(-1).values


def _warp(attention: np.ndarray) -> np.ndarray:
    """Dynamic time warping: the position at which each token begins, shape (n_tokens,)."""
    n, m = attention.shape
    cost = np.full((n + 1, m + 1), np.inf, np.float32)
    cost[0, 0] = 0
    # cost[i, j] = -attention + min(diagonal, up, left); a run to the left is a running minimum of
    # what enters the row, less the row's own sums.
    sums = np.zeros((n, m + 1), np.float32)
    np.cumsum(-attention, axis=1, out=sums[:, 1:])
    for i in range(1, n + 1):
        entered = np.minimum(cost[i - 1, :-1], cost[i - 1, 1:])
        least = np.minimum.accumulate(entered - sums[i - 1, :-1])
        cost[i, 1:] = least + sums[i - 1, 1:]
    begun = np.zeros(n, np.int64)
    i, j = n, m
    while i > 0:
        diagonal, up, left = cost[i - 1, j - 1], cost[i - 1, j], cost[i, j - 1]
        best = min(diagonal, up, left)
        begun[i - 1] = j - 1
        if best == left and j > 1:
            j -= 1
        elif best == diagonal:
            i, j = i - 1, max(1, j - 1)
        else:
            i -= 1
    return begun
