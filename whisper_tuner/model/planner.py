"""The fastest way to train on a device that fits it, and how long it takes. No torch.

All times are estimates: arithmetic (`flops.py`) at a device's effective rate, or what launching it
costs, whichever is more; what was measured and what is guessed is said beside each constant.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from whisper_tuner.config import WINDOWS, TrainConfig
from whisper_tuner.model.catalogue import BaseModel, base_model
from whisper_tuner.model.flops import forward_flops, training_flops
from whisper_tuner.model.memory import (
    FULL_S,
    Clip,
    ClipGroup,
    Part,
    fewest_at_once,
    group_clips,
    parts_of_epoch,
    peak_bytes,
    resident_bytes,
    transcription_bytes,
)

USABLE_SHARE = 0.95  # of a device's memory; the driver keeps some (a T4: 0.4 of 16 GB)
ROOMY_SHARE = 0.9  # 16 bit is recommended when it leaves a tenth free
REFUSED_ABOVE = 1.25  # times the memory: a prediction must not forbid what may work
MOST_AT_ONCE = 32  # clips transcribed together (`evaluation/transcribe.py`)
QUANTISED_SLOWDOWN = {"8bit": 2.5, "4bit": 1.6}  # against 16 bit, on a T4 (earino.github.io)
GPU_32BIT_SLOWDOWN = 8.0  # of the arithmetic without tensor cores: T4 65 : 8, A100 312 : 19.5
START_S = 15.0  # imports (9 s of CPU time measured) and loading from disk
LAYER_S = 0.005  # GPU: the least time of a layer, forward and backward: Python's. H100: below 0.009
TOKEN_LAYER_S = {"cuda": 0.001, "cpu": 0.004}  # generate(): one decoder layer for one token
TOKEN_STEPS = 1.5  # a batch is decoded until its longest text ends


Parts = Mapping[int, Sequence[Part]]  # of an epoch, for each `gradient_accumulation`


class Device(Protocol):
    """What a plan needs of `runs.device.Device`."""

    kind: str
    memory_gb: float
    flops_per_s: float
    price_per_hour: float | None


@dataclass(frozen=True)
class Plan:
    """What was chosen and predicted. Bytes are of one GPU, on a CPU of all processes together.

    `hopeless`: even the smallest parts need far more than there is. `sixteen_bit_is_better`: the
    weights were to be quantised, but 16 bit leaves a tenth of the memory free and is faster.
    """

    peak_bytes: float
    device_bytes: float
    fits: bool
    hopeless: bool
    checkpointing: bool
    gradient_accumulation: int
    n_devices: int
    train_s: float
    total_s: float
    dollars: float | None
    sixteen_bit_is_better: bool

    @property
    def gigabytes(self) -> dict[str, float]:
        """For sentences: what is needed, what there is, and what is left, in GB (10^9 bytes)."""
        need, have = self.peak_bytes / 1e9, self.device_bytes / 1e9
        return {"need": need, "have": have, "spare": have - need}


def plan(
    config: TrainConfig, train: Sequence[Clip], test: Sequence[Clip], device: Device
) -> tuple[TrainConfig, Plan]:
    """The config with accumulation and checkpointing that fit, and what to expect of it.

    An accumulation or checkpointing asked for is kept as the least. Neither list may be empty.
    Raises InputError for a base that is not in the catalogue.
    """
    parts = parts_of_epoch(config, train, device.kind)
    chosen, peak, train_s = _fastest_that_fits(config, parts, len(train), device, USABLE_SHARE)
    total_s = train_s + _other_s(chosen, test, device)
    room, price = device.memory_gb * 1e9, device.price_per_hour
    return chosen, Plan(
        peak_bytes=peak,
        device_bytes=room,
        fits=peak <= USABLE_SHARE * room,
        hopeless=peak > REFUSED_ABOVE * room,
        checkpointing=chosen.checkpointing,
        gradient_accumulation=chosen.gradient_accumulation,
        n_devices=chosen.n_devices,
        train_s=train_s,
        total_s=total_s,
        dollars=None if price is None else price * total_s / 3600,
        sixteen_bit_is_better=_sixteen_bit_is_better(config, parts, len(train), device, train_s),
    )


def _fastest_that_fits(
    config: TrainConfig, parts: Parts, n_clips: int, device: Device, share: float
) -> tuple[TrainConfig, float, float]:
    """What fits into `share` of the memory in the least time, else the smallest.

    The fewest parts without checkpointing, or with it. Returns the config, its peak bytes and the
    seconds of its steps.
    """
    tried, fitting = [], []
    for checkpointing in sorted({config.checkpointing, True}):
        for n_parts, cut_so in parts.items():
            choice = replace(config, gradient_accumulation=n_parts, checkpointing=checkpointing)
            peak = peak_bytes(choice, cut_so, device.kind)
            tried.append((choice, peak, _training_s(choice, cut_so, n_clips, device)))
            if peak <= share * device.memory_gb * 1e9:
                fitting.append(tried[-1])
                break
    if not fitting:
        return min(tried, key=lambda item: item[1])
    return min(fitting, key=lambda item: item[2])


def _sixteen_bit_is_better(
    config: TrainConfig, parts: Parts, n_clips: int, device: Device, train_s: float
) -> bool:
    if device.kind != "cuda" or config.precision not in QUANTISED_SLOWDOWN:
        return False
    other = replace(config, precision="16bit")
    _, peak, other_s = _fastest_that_fits(other, parts, n_clips, device, ROOMY_SHARE)
    return peak <= ROOMY_SHARE * device.memory_gb * 1e9 and other_s < train_s


# --- time


def _training_s(config: TrainConfig, parts: Sequence[Part], n_clips: int, device: Device) -> float:
    """Seconds of all steps: the arithmetic, or on a GPU what Python needs to launch it."""
    base = base_model(config.base)
    arithmetic = sum(
        n
        * part.n_clips
        * training_flops(base, part.positions, part.n_tokens, config.lora, config.checkpointing)
        for part, n in Counter(parts).items()
    )
    n_gpus = config.n_devices if device.kind == "cuda" else 1  # a CPU's processes share it
    epoch_s = arithmetic / (n_gpus * _rate(config, device))
    if device.kind == "cuda":
        n_layers = base.n_encoder_layers + base.n_decoder_layers
        layer_s = LAYER_S * QUANTISED_SLOWDOWN.get(config.precision, 1.0)
        epoch_s = max(epoch_s, len(parts) / config.n_devices * n_layers * layer_s)
    n_epochs = config.epochs
    if config.max_steps:
        n_epochs = min(n_epochs, config.max_steps / math.ceil(n_clips / config.batch_size))
    return n_epochs * epoch_s


def _other_s(config: TrainConfig, test: Sequence[Clip], device: Device) -> float:
    """Loading, and transcribing the held-out clips: with the base and at the end at 30 seconds, at
    the end once more in the speech window, and some of them after every epoch, as it is trained."""
    scored = config.epochs * min(1.0, config.n_score_clips / len(test))
    s = {w: _transcription_s(config, group_clips(test, w), device) for w in WINDOWS}
    return START_S + 2 * s["full"] + s["speech"] + scored * s[config.window]


def listening_s(config: TrainConfig, clips: Sequence[Clip], device: Device) -> float:
    """Seconds in which the base hears all clips once, at 30 seconds."""
    return START_S + _transcription_s(config, group_clips(clips, "full"), device)


def _transcription_s(config: TrainConfig, clips: list[ClipGroup], device: Device) -> float:
    """All clips once, on one device: the arithmetic, and the decoder's steps, token by token."""
    base = base_model(config.base)
    arithmetic = sum(g.n * forward_flops(base, g.positions, g.mean_tokens) for g in clips)
    at_once_s = FULL_S * _at_once(base, config.precision, device)
    n_batches = math.ceil(sum(group.n * group.window_s for group in clips) / at_once_s)
    n_tokens = sum(g.n * g.mean_tokens for g in clips) / sum(g.n for g in clips)
    step_s = base.n_decoder_layers * TOKEN_LAYER_S[device.kind]
    step_s *= QUANTISED_SLOWDOWN.get(config.precision, 1.0)
    return arithmetic / _rate(config, device) + n_batches * TOKEN_STEPS * n_tokens * step_s


def _at_once(base: BaseModel, precision: str, device: Device) -> int:
    """Clips of 30 seconds transcribed together: as many as half of the free GPU memory holds."""
    fewest = fewest_at_once(base)
    if device.kind != "cuda":
        return fewest
    free = device.memory_gb * 1e9 - resident_bytes(base, precision, device.kind)
    one = transcription_bytes(base, 1, value=4)
    return min(max(int(free / 2 / one), fewest), MOST_AT_ONCE)


def _rate(config: TrainConfig, device: Device) -> float:
    """Effective FLOP a second of one device in the chosen precision."""
    slower = QUANTISED_SLOWDOWN.get(config.precision, 1.0)
    if device.kind == "cuda" and config.precision == "32bit":
        slower = GPU_32BIT_SLOWDOWN
    return device.flops_per_s / slower
