"""The plan of batches: every clip once, similar lengths, equal work, the same for every process."""

import random
from itertools import chain

import pytest

from whisper_tuner.model.frames import FULL_FRAMES
from whisper_tuner.training.batches import BatchPlan

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


def padded_share(steps):
    window_s = sum(len(step) * step[0].n_frames / 100 for step in steps)
    return 1 - sum(SPREAD[s.index] for step in steps for s in step) / window_s


def test_similar_lengths_share_a_step():
    planned = padded_share(BatchPlan(SPREAD, 8, "speech", seed=1).steps())
    by_chance = [
        [s._replace(n_frames=round(100 * max(SPREAD[t.index] for t in step) + 20)) for s in step]
        for step in BatchPlan(SPREAD, 8, "full", seed=1).steps()
    ]
    assert planned < 0.2 < 0.4 < padded_share(by_chance)


def test_steps_hold_as_many_frames_not_as_many_clips():
    steps = BatchPlan(SPREAD, 8, "speech", seed=1).steps()
    frames = [len(step) * step[0].n_frames for step in steps]
    assert max(frames) < 2 * min(frames)
    assert max(map(len, steps)) > 2 * min(map(len, steps))


def test_window_holds_the_longest_clip_and_its_margin():
    for step in BatchPlan(SPREAD, 8, "speech", seed=1).steps():
        longest_s = max(SPREAD[sample.index] for sample in step)
        assert len({sample.n_frames for sample in step}) == 1
        assert step[0].n_frames % 2 == 0
        assert longest_s + 0.19 <= step[0].n_frames / 100 <= max(1.0, longest_s + 0.21)


def test_full_window_is_thirty_seconds_for_exactly_as_many_clips_as_asked():
    steps = BatchPlan(SPREAD, 8, "full", seed=1).steps()
    assert {sample.n_frames for sample in chain(*steps)} == {FULL_FRAMES}
    assert {len(step) for step in steps} == {8}


def test_the_first_step_of_all_is_the_largest():
    steps = BatchPlan(SPREAD, 8, "speech", seed=1).steps()
    assert len(steps[0]) * steps[0][0].n_frames == max(len(s) * s[0].n_frames for s in steps)


def test_one_clip_far_longer_than_all_others():
    steps = BatchPlan([1.0] * 15 + [30.0], 8, "speech", seed=1).steps()
    assert sorted(map(len, steps)) == [1, 15]


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
