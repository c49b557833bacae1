"""The speech window: an encoder that sees only as much time as there is speech.

Whisper was trained on 30 seconds and uses them: every position of the silence behind the speech is
read by all others, and a model that suddenly lacks them loops. So the window keeps what attention
reads there. The silence is recorded once at 30 seconds and is the same for every clip of a batch:
each layer computes keys and values of every `stride`th of its positions once, and each weighs as
`stride` positions. The model then answers nearly as at 30 seconds, trained in the window or not
(benchmarks/README.md), for a fraction of the work.

transformers refuses any input but 30 seconds, so positions and the length it checks are swapped
for a moment; hooks append the silence.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

import torch
from transformers import WhisperForConditionalGeneration
from transformers.models.whisper.modeling_whisper import WhisperAttention

from whisper_tuner.model.frames import FRAMES_PER_POSITION, FULL_FRAMES


class Silence(NamedTuple):
    """What a model makes of the silence behind speech, at all positions of 30 seconds.

    `layer_inputs`: for each encoder layer, what its self-attention reads, (1, 1500, d_model).
    `output`: what the decoder reads, (1, 1500, d_model).
    `stride`: one of so many positions is read, and weighs as all of them.
    """

    layer_inputs: list[torch.Tensor]
    output: torch.Tensor
    stride: int


def record_silence(
    model: WhisperForConditionalGeneration, features: torch.Tensor, stride: int
) -> Silence:
    """Listen to `features`, shape (batch, mels, 3000): short recordings with silence behind.

    Only positions behind the speech will be read, so recordings should be shorter than any window.
    """
    encoder = model.get_encoder()
    inputs: list[torch.Tensor] = []

    def keep(_: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
        hidden = args[0] if args else kwargs["hidden_states"]
        inputs.append(hidden.mean(0, keepdim=True))

    was_training = model.training
    model.eval()
    with ExitStack() as hooks, torch.no_grad():
        for layer in encoder.layers:
            handle = layer.self_attn.register_forward_pre_hook(keep, with_kwargs=True)
            hooks.callback(handle.remove)
        output = encoder(features).last_hidden_state.mean(0, keepdim=True)
    model.train(was_training)
    return Silence(inputs, output, stride)


@contextmanager
def encoder_window(
    model: WhisperForConditionalGeneration, n_frames: int, silence: Silence | None
) -> Iterator[None]:
    """Inside, the encoder takes input_features of shape (batch, mels, n_frames); after, 3000 again.

    `silence`: what lies behind the window, needed unless that is the full 3000 frames. `model` may
    be wrapped by PEFT. The model is left exactly as it was. A backward pass that computes
    activations again belongs inside. Not for several threads.
    """
    if n_frames == FULL_FRAMES:
        yield
        return
    encoder = model.get_encoder()
    full, full_length = encoder.embed_positions, encoder.config.max_source_positions
    n_positions = n_frames // FRAMES_PER_POSITION
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(full.weight[:n_positions])
    encoder.config.max_source_positions = n_positions
    with ExitStack() as hooks:
        for layer, inputs in zip(encoder.layers, silence.layer_inputs, strict=True):
            _read_behind(layer.self_attn, inputs, silence.stride, n_positions, hooks)
        for layer in model.get_decoder().layers:
            _read_behind(layer.encoder_attn, silence.output, silence.stride, n_positions, hooks)
        try:
            yield
        finally:
            encoder.embed_positions = full
            encoder.config.max_source_positions = full_length


def _read_behind(
    attention: WhisperAttention,
    recorded: torch.Tensor,
    stride: int,
    n_positions: int,
    hooks: ExitStack,
) -> None:
    """Let `attention` read the middle one of every `stride` positions behind its own.

    `recorded`: shape (1, 1500, d_model).
    """
    silence = recorded[:, n_positions + stride // 2 :: stride]
    weights = torch.zeros(1, 1, 1, n_positions + silence.shape[1], device=silence.device)
    weights[..., n_positions:] = math.log(stride)

    def weigh(_: torch.nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
        hidden = args[0] if args else kwargs["hidden_states"]
        return args, {**kwargs, "attention_mask": weights.to(hidden.dtype)}

    handle = attention.register_forward_pre_hook(weigh, with_kwargs=True)
    hooks.callback(handle.remove)
    for projection in (attention.k_proj, attention.v_proj):
        handle = projection.register_forward_hook(_append(silence))
        hooks.callback(handle.remove)


def _append(silence: torch.Tensor) -> Callable[..., torch.Tensor]:
    """A hook that projects `silence` as well, once, and appends it to every row of the batch."""

    def hook(projection: torch.nn.Module, _: tuple, projected: torch.Tensor) -> torch.Tensor:
        behind = projection.forward(silence).to(projected.dtype)  # past its hooks
        return torch.cat([projected, behind.expand(len(projected), -1, -1)], dim=1)

    return hook
