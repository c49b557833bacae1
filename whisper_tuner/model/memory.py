"""How much memory a training needs at its peak, before anything is loaded. No torch.

It is a prediction. Weights follow from the shapes; activations from what autograd was seen to keep;
the fixed costs are measured, as each constant says. What is not certain is taken `SAFETY` times, so
that a plan that fits does. `kind` is "cuda" or "cpu".
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.model.batches import BatchPlan, Sample, cut
from whisper_tuner.model.catalogue import BaseModel, base_model
from whisper_tuner.model.frames import (
    FRAMES_PER_POSITION,
    FRAMES_PER_S,
    FULL_S,
    POSITIONS_PER_S,
    STRIDE_LEARNING,
    n_read,
    window_frames,
)

PROMPT_TOKENS = 4

GPU_FIXED_BYTES = 0.9e9  # context, cuBLAS, allocator: large-v2 loaded on an H100 less its weights
CPU_FIXED_BYTES = 0.8e9  # torch, transformers, peft, bitsandbytes imported: 0.55 measured
# On whatever is not weights. Steps of drawn lengths are up to 1.2 times as large; a CPU's allocator
# keeps holes: whisper-base, 30 s, batch 8, 32 bit grew by 5.05 GB in training, of 3.25 counted.
SAFETY = {"cuda": 1.2, "cpu": 1.6}
LINEAR_BYTES = {"8bit": 1.0, "4bit": 0.52, "16bit": 2.0, "32bit": 4.0}  # a weight; 4 bit: + scales
LORA_BYTES = 16  # a trained weight in float32: itself, its gradient, two moments of AdamW
LOGIT_BYTES = 14  # a logit: half, float32, its log-softmax and the gradient
# Values of d_model that one layer keeps for the backward pass, a position or token: counted with
# saved-tensor hooks (torch 2.13, peft 0.21.2, SDPA); LoRA's own inputs come on top, `_lora_copies`.
ENCODER_VALUES = 8  # norms, q, out, and four wide the GELU's input
KEY_VALUES = 2  # k and v of every position that is read, in encoder and decoder layers
DECODER_VALUES = 13
INT8_ENCODER_VALUES, INT8_DECODER_VALUES = 6, 7  # inputs that bitsandbytes' MatMul8bitLt holds
FEWEST_AT_ONCE, FEWEST_AT_ONCE_LARGE = 8, 4  # clips of 30 s transcribed together
KEYS_AND_VALUES = 2  # times the cross-attention's; H100, large-v2: 1.9 to 2.0


class Clip(Protocol):
    """What a plan needs of `data.clips.Clip`."""

    duration_s: float
    n_tokens: int


class ClipGroup(NamedTuple):
    """Clips of one length, to a tenth of a second."""

    n: int
    window_s: float
    mean_tokens: float

    @property
    def positions(self) -> int:
        return round(self.window_s * POSITIONS_PER_S)


class Part(NamedTuple):
    """What one device computes at once: clips padded to one window and one length of text."""

    n_clips: int
    positions: int
    n_tokens: int


# --- clips


def group_clips(clips: Sequence[Clip], window: str) -> list[ClipGroup]:
    """The clips by the window they need, shortest first: thousands become a few hundred groups."""
    tokens: dict[float, list[int]] = {}
    for clip in clips:
        window_s = round(window_frames(clip.duration_s, window) / FRAMES_PER_S, 1)
        tokens.setdefault(window_s, []).append(clip.n_tokens + PROMPT_TOKENS)
    return [ClipGroup(len(n), window_s, sum(n) / len(n)) for window_s, n in sorted(tokens.items())]


def parts_of_epoch(config: TrainConfig, clips: Sequence[Clip], kind: str) -> dict[int, list[Part]]:
    """All parts of the first epoch, of all devices, for each `gradient_accumulation` to try.

    From the one asked for, parts are halved and halved again, down to one clip.
    """
    plan = BatchPlan.of(config, [clip.duration_s for clip in clips])
    batches, largest = list(plan), plan.largest_part(kind)
    n_parts = config.gradient_accumulation
    parts = {n_parts: _cut_batches(batches, clips, kind, largest / n_parts)}
    while max(part.n_clips for part in parts[n_parts]) > 1:
        n_parts *= 2
        parts[n_parts] = _cut_batches(batches, clips, kind, largest / n_parts)
    return parts


def _cut_batches(
    batches: list[list[Sample]], clips: Sequence[Clip], kind: str, most: float
) -> list[Part]:
    parts = []
    for batch in batches:
        rest = batch
        for size in cut([sample.n_frames for sample in batch], kind, most):
            part, rest = rest[:size], rest[size:]
            n_tokens = max(clips[sample.index].n_tokens for sample in part) + PROMPT_TOKENS
            parts.append(Part(size, part[0].n_frames // FRAMES_PER_POSITION, n_tokens))
    return parts


# --- memory


def peak_bytes(config: TrainConfig, parts: Sequence[Part], kind: str) -> float:
    """Of training or of transcription, whichever needs more; every process has its own base.

    `parts`: from `parts_of_epoch`.
    """
    base = base_model(config.base)
    value = value_bytes(config.precision, kind)
    training = base.n_trainable(config.lora) * LORA_BYTES + max(
        activation_bytes(base, config, part, value)
        + part.n_clips * part.n_tokens * base.vocab_size * LOGIT_BYTES
        for part in set(parts)
    )
    varying = SAFETY[kind] * max(training, transcription_bytes(base, fewest_at_once(base), value))
    peak = resident_bytes(base, config.precision, kind) + varying
    return peak if kind == "cuda" else config.n_devices * peak


def value_bytes(precision: str, kind: str) -> int:
    """Of an activation (`load.compute_dtype`): a GPU computes in half unless 32 bit was chosen."""
    return 2 if precision == "16bit" or (kind == "cuda" and precision != "32bit") else 4


def resident_bytes(base: BaseModel, precision: str, kind: str) -> float:
    """The libraries and the base: its layers' matrices as stored, all else as it is computed."""
    linears = (12 * base.n_encoder_layers + 16 * base.n_decoder_layers) * base.d_model**2
    others = base.n_parameters - linears
    fixed = GPU_FIXED_BYTES if kind == "cuda" else CPU_FIXED_BYTES
    return fixed + linears * LINEAR_BYTES[precision] + others * value_bytes(precision, kind)


def activation_bytes(base: BaseModel, config: TrainConfig, part: Part, value: int) -> float:
    """What the backward pass keeps of one part, at `value` bytes a value: all that every layer saw,
    or with checkpointing only its input; and the gradients, or the values, of one layer."""
    positions, tokens = part.n_clips * part.positions, part.n_clips * part.n_tokens
    read = part.n_clips * n_read(part.positions, STRIDE_LEARNING)
    copies = _lora_copies(config.lora, value)
    widths = {m: (4 if m == "fc2" else 1) for m in config.lora.target_modules}  # of inputs, in d
    cross = [m for m in widths if m in ("k_proj", "v_proj")]  # read the encoder's positions
    also = [m for m in widths if m in ("q_proj", "out_proj")]  # twice in a decoder layer
    int8 = config.precision == "8bit"
    wide = copies * sum(widths.values())
    of_silence = (n_read(part.positions, STRIDE_LEARNING) - part.positions) * copies * len(cross)
    encoder = positions * (ENCODER_VALUES + int8 * INT8_ENCODER_VALUES + wide)
    encoder += read * KEY_VALUES + of_silence
    decoder = tokens * (DECODER_VALUES + int8 * INT8_DECODER_VALUES + wide + copies * len(also))
    decoder += read * KEY_VALUES + positions * copies * len(cross) + of_silence
    n_encoder, n_decoder = base.n_encoder_layers, base.n_decoder_layers
    if config.checkpointing:
        kept = n_encoder * positions + n_decoder * tokens + max(encoder, decoder)
    else:
        kept = n_encoder * encoder + n_decoder * decoder
    return base.d_model * value * (kept + max(encoder, decoder))


def _lora_copies(lora: LoraSettings, value: int) -> int:
    """Copies of its input that a target keeps: the input as it is multiplied, and with dropout the
    mask and, under autocast, what the mask was multiplied with."""
    if not lora.dropout:
        return 1
    return 2 if value == 4 else 3


def transcription_bytes(base: BaseModel, n_at_once: int, value: int) -> float:
    """Keys and values that the decoder keeps of `n_at_once` clips of 30 seconds."""
    positions = n_at_once * FULL_S * POSITIONS_PER_S
    return KEYS_AND_VALUES * base.n_decoder_layers * 2 * positions * base.d_model * value


def fewest_at_once(base: BaseModel) -> int:
    return FEWEST_AT_ONCE_LARGE if base.d_model >= 1024 else FEWEST_AT_ONCE
