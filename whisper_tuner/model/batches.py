"""Which clips every optimiser step learns from, and in which parts it is computed. No torch.

A step learns from clips drawn by chance, of all lengths, as the 2023 recipe's does. It is computed
in parts of similar length, one window each, because padding is what a Whisper training spends most
of its time on; the gradient is the step's, nearly whatever its parts. All is drawn from (seed,
epoch), so that every process of a training, and a resumed one, sees the same plan.
"""

import itertools
import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from whisper_tuner.config import TrainConfig
from whisper_tuner.model.frames import FULL_S, window_frames

# What a part costs beside its frames, in frames: on a CPU to read the silence, on a GPU to launch
# it all (large-v2 on a T4: `planner.LAYER_S`).
PART_FRAMES = {"cpu": 200, "cuda": 3000}
MAX_HALVINGS = 2  # times parts are halved in a training when the memory does not hold one
# Speed perturbation (Ko et al., Audio Augmentation for Speech Recognition, Interspeech 2015).
SPEEDS = (0.9, 1.0, 1.1)


class Sample(NamedTuple):
    """One clip in a step: its place in the dataset, its window's frames, and how fast it is played.

    One that is not `counted` fills a place and must teach nothing: a step of few clips that many
    devices share has not enough for all.
    """

    index: int
    n_frames: int
    speed: float = 1.0
    counted: bool = True


class BatchPlan:
    """A batch sampler: per step, one batch of `Sample`s for each device, longest first.

    `durations_s`: seconds of each clip. The last step of an epoch may have fewer than `batch_size`.
    Of `speeds` each clip gets one, anew in each epoch.
    """

    def __init__(
        self,
        durations_s: Sequence[float],
        batch_size: int,
        window: str,
        seed: int,
        n_devices: int = 1,
        speeds: Sequence[float] = (1.0,),
    ) -> None:
        self.durations_s = durations_s
        self._per_step = batch_size  # accelerate drops unequal batches of what has a `batch_size`
        self.window = window
        self.seed = seed
        self.n_devices = n_devices
        self.speeds = speeds
        self.n_steps = math.ceil(len(durations_s) / batch_size)
        self.epoch = 0

    @classmethod
    def of(cls, config: TrainConfig, durations_s: Sequence[float]) -> "BatchPlan":
        """The plan of a training."""
        speeds = SPEEDS if config.vary_speed else (1.0,)
        return cls(
            durations_s, config.batch_size, config.window, config.seed, config.n_devices, speeds
        )

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        """Batches of one epoch, for all devices together."""
        return self.n_steps * self.n_devices

    def __iter__(self) -> Iterator[list[Sample]]:
        for step in self.steps():
            yield from _share(step, self.n_devices)

    def steps(self) -> list[list[Sample]]:
        """The clips of every step of this epoch, in the order of training.

        The first epoch begins with its largest step: what does not fit fails at once.
        """
        draw = random.Random(f"{self.seed} {self.epoch}")
        n_clips = len(self.durations_s)
        order = [self._sample(i, draw) for i in draw.sample(range(n_clips), n_clips)]
        chosen = [order[i : i + self._per_step] for i in range(0, n_clips, self._per_step)]
        steps = [sorted(step, key=lambda sample: -sample.n_frames) for step in chosen]
        if self.epoch == 0:
            largest = max(range(len(steps)), key=lambda i: len(steps[i]) * steps[i][0].n_frames)
            steps[0], steps[largest] = steps[largest], steps[0]
        return steps

    def largest_part(self, kind: str) -> int:
        """Frames of this epoch's largest part. Half of it is a limit for parts half as large."""
        batches = ([sample.n_frames for sample in batch] for batch in self)
        return max(max(areas(frames, cut(frames, kind))) for frames in batches)

    def _sample(self, index: int, draw: random.Random) -> Sample:
        seconds, speed = self.durations_s[index], draw.choice(self.speeds)
        if seconds / speed > FULL_S:
            speed = 1.0
        return Sample(index, window_frames(seconds / speed, self.window), speed)


def cut(frames: Sequence[int], kind: str, most: float = math.inf) -> list[int]:
    """Clips of each part of a batch: the cuts that cost least.

    `frames`: of each clip, longest first. A part costs its longest clip's frames for each of its
    clips, and `PART_FRAMES` of the device's `kind` ("cuda" or "cpu"). It has at most `most` frames
    unless it is a single clip.
    """
    least = [0.0] + [math.inf] * len(frames)  # cost of the first clips
    sizes = [0] * (len(frames) + 1)  # of the last part of them
    for end in range(1, len(frames) + 1):
        for size in range(1, end + 1):
            area = size * frames[end - size]
            if size > 1 and area > most:
                break  # larger parts only begin with longer clips
            cost = least[end - size] + PART_FRAMES[kind] + area
            if cost < least[end]:
                least[end], sizes[end] = cost, size
    parts: list[int] = []
    end = len(frames)
    while end:
        parts.append(sizes[end])
        end -= sizes[end]
    return parts[::-1]


def areas(frames: Sequence[int], sizes: Sequence[int]) -> list[int]:
    """Frames that each part computes, padding included."""
    begins = itertools.accumulate(sizes, initial=0)
    return [size * frames[begin] for size, begin in zip(sizes, begins, strict=False)]


def _share(step: list[Sample], n_devices: int) -> list[list[Sample]]:
    """The step's clips dealt to the devices, as evenly as can be; none goes without."""
    shares = [step[i::n_devices] for i in range(n_devices)]
    return [share or [step[0]._replace(counted=False)] for share in shares]
