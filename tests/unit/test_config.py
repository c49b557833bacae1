"""Settings are refused where they are built, with the setting's name."""

import pytest

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.errors import InputError


def test_defaults_are_the_seed_recipe():
    lora = LoraSettings()
    assert (lora.rank, lora.alpha, lora.dropout) == (32, 64, 0.05)
    assert lora.target_modules == ("q_proj", "v_proj")


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("precision", "7bit"),
        ("window", "short"),
        ("epochs", 0),
        ("batch_size", 0),
        ("gradient_accumulation", 0),
        ("learning_rate", 0.0),
        ("learning_rate", float("nan")),
        ("warmup_share", 1.0),
        ("n_score_clips", -1),
        ("max_steps", -1),
        ("metrics", "wandb"),
    ],
)
def test_bad_settings_are_named(setting, value):
    good = {"base": "openai/whisper-base", "language": "it", "precision": "32bit"}
    with pytest.raises(InputError) as caught:
        TrainConfig(**{**good, setting: value})
    assert caught.value.params["setting"] == setting
    assert str(value) in caught.value.sentence()


@pytest.mark.parametrize(
    "bad",
    [
        {"rank": 0},
        {"alpha": 0},
        {"dropout": 1.0},
        {"target_modules": ()},
        {"target_modules": ("proj_out",)},
    ],
)
def test_bad_lora_settings_are_named(bad):
    with pytest.raises(InputError) as caught:
        LoraSettings(**bad)
    assert caught.value.params["setting"] == next(iter(bad))
