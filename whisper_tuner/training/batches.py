"""Which clips every optimiser step learns from, and how long its speech window is.

Clips of similar length share a step, and steps hold about the same number of encoder frames, not of
clips: padding is what a Whisper training spends most of its time on. Everything is drawn from
(seed, epoch), so that every process of a training, and a resumed one, sees the same plan.
"""

import math
import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch.utils.data import Dataset

from whisper_tuner.data.clips import Clip
from whisper_tuner.model.frames import window_frames

JITTER = 0.15  # lengths are sorted after a random change of at most this share: batches vary


class Sample(NamedTuple):
    """One clip in a batch: its place in the dataset and the frames of its step's window.

    One that is not `counted` fills a place and must teach nothing: a step of few clips that many
    devices share has not enough for all.
    """

    index: int
    n_frames: int
    counted: bool = True


class BatchPlan:
    """A batch sampler: per step, one batch of `Sample`s for each device.

    `durations_s`: seconds of each clip. `batch_size`: clips a step holds on average. With `window`
    "full" every step has 3000 frames and exactly `batch_size` clips (the last may have fewer).
    """

    def __init__(
        self,
        durations_s: Sequence[float],
        batch_size: int,
        window: str,
        seed: int,
        n_devices: int = 1,
    ) -> None:
        self.durations_s = durations_s
        self.window = window
        self.seed = seed
        self.n_devices = n_devices
        self.n_steps = math.ceil(len(durations_s) / batch_size)
        self._per_step = batch_size
        self.epoch = 0

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
        groups = self._equal_counts(draw) if self.window == "full" else self._equal_frames(draw)
        draw.shuffle(groups)
        steps = [self._with_window(group) for group in groups]
        if self.epoch == 0:
            largest = max(range(len(steps)), key=lambda i: len(steps[i]) * steps[i][0].n_frames)
            steps[0], steps[largest] = steps[largest], steps[0]
        return steps

    def _equal_counts(self, draw: random.Random) -> list[list[int]]:
        order = draw.sample(range(len(self.durations_s)), len(self.durations_s))
        return [order[i : i + self._per_step] for i in range(0, len(order), self._per_step)]

    def _equal_frames(self, draw: random.Random) -> list[list[int]]:
        """`n_steps` groups of neighbours by length, each ending where its share of frames ends."""
        frames = [window_frames(seconds, self.window) for seconds in self.durations_s]
        jittered = [n * draw.uniform(1 - JITTER, 1 + JITTER) for n in frames]
        order = sorted(range(len(frames)), key=jittered.__getitem__)
        share = sum(frames) / self.n_steps
        groups: list[list[int]] = [[]]
        n_seen = 0
        for place, index in enumerate(order):
            n_groups_left = self.n_steps - len(groups)
            is_full = n_seen + frames[index] / 2 > len(groups) * share
            must_end = len(order) - place == n_groups_left  # one clip for every group to come
            if groups[-1] and n_groups_left and (is_full or must_end):
                groups.append([])
            groups[-1].append(index)
            n_seen += frames[index]
        return groups

    def _with_window(self, group: list[int]) -> list[Sample]:
        longest_s = max(self.durations_s[i] for i in group)
        return [Sample(index, window_frames(longest_s, self.window)) for index in group]


def _share(step: list[Sample], n_devices: int) -> list[list[Sample]]:
    """The step's clips dealt to the devices, as evenly as can be; none goes without."""
    shares = [step[i::n_devices] for i in range(n_devices)]
    return [share or [step[0]._replace(counted=False)] for share in shares]


class PlannedClips(Dataset):
    """Clips as the plan asks for them."""

    def __init__(self, clips: list[Clip], plan: BatchPlan) -> None:
        self.clips = clips
        self.plan = plan

    def set_epoch(self, epoch: int) -> None:
        """The data loader calls this, however many samplers are wrapped around the plan."""
        self.plan.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, sample: Sample) -> tuple[Clip, Sample]:
        return self.clips[sample.index], sample
