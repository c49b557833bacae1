"""The form's values make a configuration and come back from it."""

from dataclasses import fields

import pytest

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.errors import InputError
from whisper_tuner.ui.train_form import Form, to_config, to_values

CONFIG = TrainConfig(
    base="openai/whisper-small",
    language="sw",
    precision="16bit",
    lora=LoraSettings(rank=8, alpha=12),
    epochs=7,
    batch_size=3,
    n_devices=2,
    learning_rate=2e-4,
    window="full",
)


def test_there_and_back():
    values = to_values(CONFIG)
    assert to_config(values) == CONFIG
    assert len(values) == len(fields(Form))


@pytest.mark.parametrize(
    ("place", "code"), [(0, "train_choose_language"), (1, "train_choose_base")]
)
def test_what_must_be_chosen(place, code):
    values = list(to_values(CONFIG))
    values[place] = None
    with pytest.raises(InputError) as refused:
        to_config(tuple(values))
    assert refused.value.code == code


def test_an_emptied_number_is_named():
    values = [*to_values(CONFIG)[:-1], None]
    with pytest.raises(InputError, match="n_devices"):
        to_config(tuple(values))
