"""The sentence about a plan: fits, how long, how much; in the reader's language."""

from dataclasses import replace

import pytest

from whisper_tuner.locales import LANGUAGES
from whisper_tuner.model.planner import Plan
from whisper_tuner.narrate import plan_advice, plan_sentence, rough_duration
from whisper_tuner.runs.device import Device

T4 = Device("cuda", "Tesla T4", 16.1, (7, 5))
PLAN = Plan(
    peak_bytes=10.1e9,
    device_bytes=16.1e9,
    fits=True,
    hopeless=False,
    checkpointing=False,
    gradient_accumulation=1,
    n_devices=1,
    train_s=700.0,
    total_s=840.0,
    dollars=None,
    sixteen_bit_is_better=False,
)


def test_a_plan_that_fits_is_one_sentence():
    sentence = "Fits your 16 GB T4 with 6 GB to spare; about 14 minutes."
    assert plan_sentence(PLAN, T4) == sentence
    priced = replace(PLAN, dollars=0.0993)
    assert plan_sentence(priced, T4) == f"{sentence[:-1]}, about $0.10."
    assert plan_sentence(replace(PLAN, dollars=0.002), T4).endswith("about $0.01.")


def test_several_gpus_and_a_cpu():
    two = plan_sentence(replace(PLAN, n_devices=2), replace(T4, n_devices=2))
    assert two.startswith("Fits each of 2 graphics cards (16 GB T4) with 6 GB to spare;")
    cpu = plan_sentence(PLAN, Device("cpu", "2 CPU cores", 16.1))
    assert cpu == "Fits this computer's 16 GB of memory; about 14 minutes."


def test_what_does_not_fit_says_what_to_do():
    near = plan_sentence(replace(PLAN, peak_bytes=17e9, fits=False), T4)
    assert near.startswith("May not fit: this needs about 17.0 GB")
    assert "smaller base model" in near and "about 14 minutes" in near
    far = plan_sentence(replace(PLAN, peak_bytes=30e9, fits=False, hopeless=True), T4)
    assert "30.0 GB" in far and "16.1 GB" in far and "smaller base model" in far
    assert "minutes" not in far


def test_advice_only_where_there_is_some():
    assert plan_advice(PLAN) == ""
    assert plan_advice(replace(PLAN, sixteen_bit_is_better=True)).startswith("16 bit")


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (3, "about a minute"),
        (89, "about a minute"),
        (120, "about 2 minutes"),
        (5300, "about 88 minutes"),
        (5400, "about 1.5 hours"),
        (7300, "about 2 hours"),
        (200_000, "about 55.5 hours"),
    ],
)
def test_estimates_are_rough(seconds, said):
    assert rough_duration(seconds) == said


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("fits", [True, False])
@pytest.mark.parametrize("hopeless", [True, False])
@pytest.mark.parametrize("n", [1, 4])
def test_every_plan_can_be_said(lang, fits, hopeless, n):
    plan = replace(PLAN, fits=fits, hopeless=hopeless, n_devices=n, dollars=1.25)
    for device in (T4, Device("cpu", "2 CPU cores", 16.1)):
        assert plan_sentence(plan, device, lang)
