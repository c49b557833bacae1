"""When to end a training: the error on clips set aside for it no longer falls."""

import json
import math
from collections.abc import Collection
from pathlib import Path

import torch
from peft import PeftModel
from safetensors.torch import load_file, save_file

from whisper_tuner.data.clips import Clip
from whisper_tuner.data.split import draw_apart, sentence_key

MIN_TRAIN_CLIPS = 300  # with fewer, a tenth says too little and is missed too much
DEV_SHARE = 0.1
MAX_DEV_CLIPS = 100
PATIENCE = 3  # scores in a row without a new best one
WEIGHTS_NAME, STATE_NAME = "best.safetensors", "best.json"  # in a checkpoint
STEPS_BETWEEN_SCORES = 250  # at most; an epoch when it is shorter


def set_aside(
    clips: list[Clip],
    seed: int,
    learnt_ids: Collection[str] = (),
    dev_ids: Collection[str] = (),
) -> tuple[list[Clip], list[Clip]]:
    """(clips to learn from, dev clips): whole sentences, the same for the same seed and clips.

    The held-out clips must not decide when to stop, or the final comparison would flatter. No dev
    clips when there are fewer than `MIN_TRAIN_CLIPS`.

    `learnt_ids`, `dev_ids`: what the adapter learnt from in an earlier run, and what was set aside
    there. It hears the former too well to decide; so the latter are set aside again, and a share of
    what is new. No dev clips when these are too few.
    """
    if len(clips) < MIN_TRAIN_CLIPS:
        return clips, []
    keys = [sentence_key(clip.text) for clip in clips]
    known = {key for key, clip in zip(keys, clips, strict=True) if clip.id in learnt_ids}
    chosen = {key for key, clip in zip(keys, clips, strict=True) if clip.id in dev_ids} - known
    n_kept = sum(key in chosen for key in keys)
    free = [c for key, c in zip(keys, clips, strict=True) if key not in known | chosen]
    n_wanted = min(MAX_DEV_CLIPS - n_kept, round(DEV_SHARE * len(free)))
    if n_wanted > 0:
        chosen |= {sentence_key(free[i].text) for i in draw_apart(free, n_wanted, seed)}
    dev = [clip for key, clip in zip(keys, clips, strict=True) if key in chosen]
    if known and len(dev) < DEV_SHARE * MIN_TRAIN_CLIPS:
        return clips, []
    return [clip for key, clip in zip(keys, clips, strict=True) if key not in chosen], dev


class BestAdapter:
    """The LoRA weights at the lowest error rate so far, and how long ago that was."""

    def __init__(self, model: PeftModel) -> None:
        self._weights = [weight for weight in model.parameters() if weight.requires_grad]
        self._best: list[torch.Tensor] = []
        self._rate = math.inf
        self._n_worse = 0
        self.step = 0

    def saw(self, step: int, rate: float) -> bool:
        """Note the error rate after `step` steps; returns whether it is time to stop."""
        if rate < self._rate:
            self._best = [weight.detach().to("cpu", copy=True) for weight in self._weights]
            self._rate, self._n_worse, self.step = rate, 0, step
        else:
            self._n_worse += 1
        return self._n_worse >= PATIENCE

    def is_before(self, step: int) -> bool:
        """Whether a rate was seen, and the lowest one before `step` steps."""
        return bool(self._best) and self.step < step

    def restore(self) -> None:
        """Put the best weights back into the model."""
        with torch.no_grad():
            for weight, best in zip(self._weights, self._best, strict=True):
                weight.copy_(best)

    def save(self, folder: Path) -> None:
        """Add what this knows to a checkpoint."""
        weights = {str(i): weight for i, weight in enumerate(self._best)}
        save_file(weights, folder / WEIGHTS_NAME)
        state = {"rate": self._rate, "n_worse": self._n_worse, "step": self.step}
        (folder / STATE_NAME).write_text(json.dumps(state))

    def load(self, folder: Path) -> None:
        """Know again what `save` wrote."""
        weights = load_file(folder / WEIGHTS_NAME)
        self._best = [weights[str(i)] for i in range(len(weights))]
        state = json.loads((folder / STATE_NAME).read_text())
        self._rate, self._n_worse, self.step = state["rate"], state["n_worse"], state["step"]
