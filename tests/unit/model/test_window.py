"""The encoder window: shorter inside, and nothing changed after."""

import pytest
import torch

from tests.tiny import TINY_ID
from whisper_tuner.config import LoraSettings
from whisper_tuner.model.load import add_lora, load_base
from whisper_tuner.model.window import encoder_window, window_frames

START = torch.tensor([[50258]])


@pytest.fixture
def model(hub_cache):
    base = load_base(TINY_ID, "it", "32bit", torch.device("cpu"))
    return add_lora(base, TINY_ID, LoraSettings()).eval()


def logits(model, n_frames):
    features = torch.linspace(-1, 1, 80 * n_frames).reshape(1, 80, n_frames)
    with torch.no_grad():
        return model(input_features=features, decoder_input_ids=START).logits


def test_window_frames():
    assert window_frames(0.3, 0.5) == 200  # the floor
    assert window_frames(4.0, 1.0) == 500
    assert window_frames(4.0, 1.015) % 2 == 0
    assert window_frames(29.9, 1.0) == 3000  # never more than Whisper has positions for


def test_model_is_bitwise_the_same_after(model):
    before = logits(model, 3000)
    names = set(model.state_dict())
    with encoder_window(model, 400):
        assert logits(model, 400).shape == before.shape
    assert torch.equal(logits(model, 3000), before)
    assert set(model.state_dict()) == names


def test_window_is_closed_after_an_error(model):
    with pytest.raises(RuntimeError, match="inside"), encoder_window(model, 400):
        raise RuntimeError("inside")
    assert model.config.max_source_positions == 1500
    logits(model, 3000)


def test_full_window_is_the_plain_model(model):
    before = logits(model, 3000)
    with encoder_window(model, 3000):
        assert torch.equal(logits(model, 3000), before)


def test_a_wrong_length_is_still_refused(model):
    with pytest.raises(ValueError, match="expects the mel input features"):
        logits(model, 400)
