"""What a person can choose for one training, validated where it is built. Standard library only."""

from dataclasses import asdict, dataclass, field

from whisper_tuner.errors import InputError

PRECISIONS = ("8bit", "4bit", "16bit", "32bit")
WINDOWS = ("speech", "full")
METRICS = ("none", "tensorboard", "trackio")  # beside events.jsonl; packages of these names
TEMP_PREFIX = "whisper-tuner-"  # of our temporary folders: a kill leaves them behind
TARGET_MODULES = ("q_proj", "k_proj", "v_proj", "out_proj", "fc1", "fc2")


def _require(ok: bool, setting: str, value: object, allowed: str) -> None:
    if not ok:
        raise InputError("setting_invalid", setting=setting, value=value, allowed=allowed)


@dataclass(frozen=True)
class LoraSettings:
    """The low-rank adapter (LoRA, arXiv 2106.09685). Defaults are the 2023 seed recipe's."""

    rank: int = 32
    alpha: int = 64
    dropout: float = 0.05
    target_modules: tuple[str, ...] = ("q_proj", "v_proj")

    def __post_init__(self) -> None:
        object.__setattr__(self, "target_modules", tuple(self.target_modules))
        _require(1 <= self.rank <= 256, "rank", self.rank, "1 … 256")
        _require(1 <= self.alpha <= 1024, "alpha", self.alpha, "1 … 1024")
        _require(0 <= self.dropout < 1, "dropout", self.dropout, "0 … 0.99")
        known = bool(self.target_modules) and set(self.target_modules) <= set(TARGET_MODULES)
        _require(known, "target_modules", list(self.target_modules), ", ".join(TARGET_MODULES))


@dataclass(frozen=True)
class TrainConfig:
    """One training, complete: the same config on the same data gives the same adapter on a CPU.

    `batch_size`: clips of mean length that one optimiser step learns from; `gradient_accumulation`:
    parts that a step is computed in, to fit into memory; `checkpointing`: activations are computed
    again in the backward pass, for a tenth of their memory. Neither changes what is learnt.
    `n_devices`: GPUs (or CPU processes) that share every step; the parts are of each device.
    `stop_early`: end when the error on clips set aside for it no longer falls, keep the best.
    `vary_speed`: every clip is heard a tenth slower, as it is, or a tenth faster, drawn anew for
    each epoch, as is usual where recordings are few.
    `window`: "full" feeds the encoder 30 seconds for every clip, as Whisper was trained; "speech"
    feeds it only as many frames as the longest clip of a part needs (`model/window.py`).
    `n_score_clips`: held-out clips transcribed after each epoch for the WER curve on the page.
    `max_steps`: ends the training early when above 0.
    `metrics`: who else is told of losses and error rates.
    `keep_common_voice`: its recordings are not deleted when the training has ended.
    """

    base: str
    language: str
    precision: str
    lora: LoraSettings = field(default_factory=LoraSettings)
    epochs: int = 5
    batch_size: int = 8
    gradient_accumulation: int = 1
    checkpointing: bool = False
    n_devices: int = 1
    stop_early: bool = True
    learning_rate: float = 5e-4
    warmup_share: float = 0.1
    window: str = "speech"
    vary_speed: bool = True
    n_score_clips: int = 16
    max_steps: int = 0
    seed: int = 42
    metrics: str = "none"
    keep_common_voice: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.lora, dict):
            object.__setattr__(self, "lora", LoraSettings(**self.lora))
        _require(self.precision in PRECISIONS, "precision", self.precision, ", ".join(PRECISIONS))
        _require(self.metrics in METRICS, "metrics", self.metrics, ", ".join(METRICS))
        _require(self.window in WINDOWS, "window", self.window, ", ".join(WINDOWS))
        _require(1 <= self.epochs <= 100, "epochs", self.epochs, "1 … 100")
        _require(1 <= self.batch_size <= 256, "batch_size", self.batch_size, "1 … 256")
        accumulation = self.gradient_accumulation
        _require(1 <= accumulation <= 256, "gradient_accumulation", accumulation, "1 … 256")
        _require(1 <= self.n_devices <= 64, "n_devices", self.n_devices, "1 … 64")
        _require(0 < self.learning_rate <= 1, "learning_rate", self.learning_rate, "0 … 1")
        _require(0 <= self.warmup_share < 1, "warmup_share", self.warmup_share, "0 … 0.99")
        _require(self.n_score_clips >= 0, "n_score_clips", self.n_score_clips, "≥ 0")
        _require(self.max_steps >= 0, "max_steps", self.max_steps, "≥ 0")

    def to_dict(self) -> dict:
        return asdict(self)
