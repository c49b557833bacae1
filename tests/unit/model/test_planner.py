"""What the planner chooses: the fastest that fits; and what it says of time and money."""

from dataclasses import dataclass, replace

import pytest

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.model.catalogue import BASE_MODELS
from whisper_tuner.model.planner import plan
from whisper_tuner.runs.device import Device

T4 = Device("cuda", "Tesla T4", 16.1, (7, 5))
SMALL = Device("cuda", "NVIDIA GeForce RTX 4060", 8.6, (8, 9))
H100 = Device("cuda", "NVIDIA H100 80GB HBM3", 85.5, (9, 0))
CPU = Device("cpu", "8 CPU cores", 16.0)
SEED = TrainConfig(  # the 2023 recipe's job
    "openai/whisper-large-v2", "hi", "8bit", epochs=3, vary_speed=False
)


@dataclass
class Clip:
    duration_s: float
    n_tokens: int


TRAIN, TEST = [Clip(6.4, 36)] * 6760, [Clip(6.4, 36)] * 300


def expect(config=SEED, device=T4, train=TRAIN, test=TEST):
    return plan(config, train, test, device)[1]


def test_what_fits_is_left_alone():
    chosen, expected = plan(SEED, TRAIN, TEST, T4)
    assert chosen == SEED
    assert expected.fits and not expected.hopeless
    assert (expected.gradient_accumulation, expected.checkpointing) == (1, False)
    assert expected.peak_bytes < expected.device_bytes == pytest.approx(16.1e9)


def test_a_smaller_device_computes_in_parts():
    chosen, expected = plan(SEED, TRAIN, TEST, SMALL)
    assert expected.fits
    assert chosen == replace(SEED, gradient_accumulation=expected.gradient_accumulation)
    assert expected.gradient_accumulation > 1
    assert expected.peak_bytes < expect().peak_bytes


def test_checkpointing_comes_when_parts_are_not_enough():
    long = [Clip(29.0, 150)] * 100
    tight = Device("cuda", "NVIDIA GeForce RTX 3050", 6.4, (8, 6))
    expected = expect(device=tight, train=long, test=long[:20])
    assert expected.fits and expected.checkpointing


def test_what_was_asked_for_is_the_least():
    asked = replace(SEED, gradient_accumulation=3, checkpointing=True)
    assert plan(asked, TRAIN, TEST, H100)[0] == asked
    assert plan(asked, TRAIN, TEST, SMALL)[0].gradient_accumulation % 3 == 0


@pytest.mark.parametrize("base", BASE_MODELS)
@pytest.mark.parametrize("precision", ["8bit", "4bit", "16bit"])
def test_every_base_fits_a_t4(base, precision):
    assert expect(replace(SEED, base=base, precision=precision)).fits


def test_a_prediction_only_forbids_what_is_far_too_large():
    def of(gigabytes: float):
        return expect(device=replace(SMALL, memory_gb=gigabytes))

    least = of(1.0).peak_bytes / 1e9
    assert of(1.06 * least).fits
    near = of(0.85 * least)
    assert not near.fits and not near.hopeless
    assert of(0.79 * least).hopeless


def test_more_memory_is_needed_for_more():
    least = expect().peak_bytes
    for more in (
        replace(SEED, batch_size=16),
        replace(SEED, window="full"),
        replace(SEED, lora=LoraSettings(rank=256)),
        replace(SEED, lora=LoraSettings(target_modules=("q_proj", "v_proj", "fc1", "fc2"))),
    ):
        assert expect(more, H100).peak_bytes > least


def test_16_bit_is_better_where_it_fits_with_room():
    assert expect().sixteen_bit_is_better
    assert expect(replace(SEED, precision="4bit")).sixteen_bit_is_better
    assert not expect(replace(SEED, precision="16bit")).sixteen_bit_is_better
    assert not expect(device=replace(SMALL, memory_gb=5.5)).sixteen_bit_is_better
    assert not expect(device=CPU, train=TRAIN[:50]).sixteen_bit_is_better


def test_time_follows_the_work():
    once = expect().train_s
    assert expect(replace(SEED, epochs=6)).train_s == pytest.approx(2 * once)
    assert expect(train=TRAIN[:3380]).train_s == pytest.approx(once / 2)
    assert expect(replace(SEED, max_steps=845)).train_s == pytest.approx(once / 3)
    assert expect(replace(SEED, max_steps=99_999)).train_s == pytest.approx(once)
    assert expect(replace(SEED, window="full")).train_s > 3 * once
    assert expect(replace(SEED, precision="16bit")).train_s < once
    assert expect(device=H100).train_s < once
    assert expect(test=TEST[:30]).train_s == once
    assert expect(test=TEST[:30]).total_s < expect().total_s


def test_several_gpus_share_the_work_and_the_memory_of_a_step():
    long = [Clip(12.0, 60)] * 400  # enough work for launching not to be all of it
    one, two = expect(train=long), expect(replace(SEED, n_devices=2), train=long)
    assert two.train_s == pytest.approx(one.train_s / 2, rel=0.02)
    assert expect(replace(SEED, n_devices=2)).peak_bytes < expect().peak_bytes


def test_processes_on_a_cpu_are_no_faster():
    config = replace(SEED, precision="32bit", base="openai/whisper-base")
    one = expect(config, CPU, TRAIN[:50])
    assert expect(replace(config, n_devices=2), CPU, TRAIN[:50]).train_s == one.train_s


def test_money_is_the_devices_price_for_the_whole_time():
    assert expect().dollars is None
    priced = expect(device=replace(T4, price_per_hour=0.4))
    assert priced.dollars == pytest.approx(0.4 * priced.total_s / 3600)


def test_many_lengths_are_planned_at_once():
    clips = [Clip(0.3 + i % 297 / 10, i % 150) for i in range(10_000)]
    assert expect(device=SMALL, train=clips).fits
