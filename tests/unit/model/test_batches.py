"""The plan of steps and their parts: every clip once, by chance, the same for every process."""

import random
from dataclasses import replace
from itertools import chain

import pytest

from whisper_tuner.config import TrainConfig
from whisper_tuner.model.batches import PART_FRAMES, BatchPlan, areas, cut
from whisper_tuner.model.frames import FULL_FRAMES, window_frames

_draw = random.Random(3)
SPREAD = [_draw.uniform(0.6, 12) for _ in range(200)]  # seconds


def indices(plan):
    return [[sample.index for sample in step if sample.counted] for step in plan.steps()]


@pytest.mark.parametrize("window", ["speech", "full"])
@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 200])
def test_every_clip_is_learnt_once_an_epoch(window, n):
    plan = BatchPlan(SPREAD[:n], 8, window, seed=1)
    for epoch in range(3):
        plan.set_epoch(epoch)
        steps = indices(plan)
        assert sorted(chain(*steps)) == list(range(n))
        assert len(steps) == plan.n_steps == -(-n // 8)
        assert all(steps)


def test_epochs_differ_and_a_seed_repeats():
    plan, same, other = (BatchPlan(SPREAD, 8, "speech", seed) for seed in (1, 1, 2))
    first = plan.steps()
    assert same.steps() == first != other.steps()
    plan.set_epoch(1)
    assert sorted(map(sorted, indices(plan))) != sorted(map(sorted, indices(same)))


def test_a_step_holds_as_many_clips_as_asked_of_all_lengths():
    steps = BatchPlan(SPREAD, 8, "speech", seed=1).steps()
    assert {len(step) for step in steps} == {8}
    spans = [step[0].n_frames / step[-1].n_frames for step in steps]
    assert sum(span > 2 for span in spans) > len(steps) / 2


def test_windows_hold_each_clip_and_its_margin_longest_first():
    for step in BatchPlan(SPREAD, 8, "speech", seed=1).steps():
        assert step == sorted(step, key=lambda sample: -sample.n_frames)
        for sample in step:
            assert sample.n_frames % 2 == 0
            seconds = SPREAD[sample.index]
            assert seconds + 0.19 <= sample.n_frames / 100 <= max(1.0, seconds + 0.21)


def every_cut(n):
    """All ways to cut n clips into consecutive parts."""
    if n == 0:
        yield []
    for size in range(1, n + 1):
        for rest in every_cut(n - size):
            yield [size, *rest]


@pytest.mark.parametrize("kind", PART_FRAMES)
@pytest.mark.parametrize("most", [float("inf"), 3000, 900])
def test_parts_are_the_cheapest_that_are_allowed(kind, most):
    def cost(sizes):
        return sum(areas(frames, sizes)) + PART_FRAMES[kind] * len(sizes)

    def allowed(sizes):
        return all(
            size == 1 or area <= most
            for size, area in zip(sizes, areas(frames, sizes), strict=True)
        )

    for i in range(0, 90, 9):
        frames = sorted((round(100 * s) for s in SPREAD[i : i + 9]), reverse=True)
        found = cut(frames, kind, most)
        assert allowed(found)
        assert cost(found) == min(cost(sizes) for sizes in every_cut(9) if allowed(sizes))


def test_a_cpu_computes_little_padding_and_a_gpu_few_parts():
    steps = [[s.n_frames for s in x] for x in BatchPlan(SPREAD, 8, "speech", seed=1).steps()]
    cuts = {kind: [cut(frames, kind) for frames in steps] for kind in PART_FRAMES}
    computed = sum(sum(areas(*both)) for both in zip(steps, cuts["cpu"], strict=True))
    assert sum(map(sum, steps)) / computed > 0.85
    assert sum(map(len, cuts["cuda"])) < 1.5 * len(steps)


def test_the_largest_part_is_what_the_devices_share():
    plan = BatchPlan([5.0] * 16, 8, "speech", seed=1)
    assert plan.largest_part("cuda") == 8 * 520
    assert BatchPlan([5.0] * 16, 8, "speech", 1, n_devices=2).largest_part("cuda") == 4 * 520


def test_speeds_are_drawn_anew_for_every_epoch_and_change_the_window():
    config = TrainConfig("openai/whisper-tiny", "it", "32bit")
    plan = BatchPlan.of(config, SPREAD)
    speeds = []
    for epoch in range(2):
        plan.set_epoch(epoch)
        samples = sorted(chain(*plan.steps()))
        speeds.append([sample.speed for sample in samples])
        for sample in samples:
            assert sample.n_frames == window_frames(SPREAD[sample.index] / sample.speed, "speech")
    assert set(speeds[0]) == {0.9, 1.0, 1.1}
    assert sum(a != b for a, b in zip(*speeds, strict=True)) > 100  # two thirds of 200
    same = BatchPlan.of(replace(config, vary_speed=False), SPREAD)
    assert {sample.speed for sample in chain(*same.steps())} == {1.0}


def test_a_clip_that_would_outlast_30_seconds_keeps_its_speed():
    plan = BatchPlan([29.0] * 60, 8, "speech", seed=1, speeds=(0.9, 1.1))
    assert {sample.speed for sample in chain(*plan.steps())} == {1.0, 1.1}


def test_full_window_is_thirty_seconds_for_exactly_as_many_clips_as_asked():
    steps = BatchPlan(SPREAD, 8, "full", seed=1).steps()
    assert {sample.n_frames for sample in chain(*steps)} == {FULL_FRAMES}
    assert {len(step) for step in steps} == {8}


def test_the_first_step_of_all_is_the_largest():
    steps = BatchPlan(SPREAD, 8, "speech", seed=1).steps()
    assert len(steps[0]) * steps[0][0].n_frames == max(len(s) * s[0].n_frames for s in steps)


@pytest.mark.parametrize("n_devices", [2, 3])
def test_devices_share_the_steps_of_one(n_devices):
    one = BatchPlan(SPREAD, 8, "speech", seed=1)
    several = BatchPlan(SPREAD, 8, "speech", seed=1, n_devices=n_devices)
    dealt = list(several)
    assert len(dealt) == len(several) == n_devices * one.n_steps
    for i, step in enumerate(one.steps()):
        shares = dealt[i * n_devices : (i + 1) * n_devices]
        counted = [sample for share in shares for sample in share if sample.counted]
        assert sorted(counted) == sorted(step)
        assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_a_device_without_a_clip_gets_one_that_does_not_count():
    dealt = list(BatchPlan([5.0], 8, "speech", seed=1, n_devices=2))
    assert [[sample.counted for sample in share] for share in dealt] == [[True], [False]]
