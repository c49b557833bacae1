"""The speech window: shorter inside, nearly as 30 seconds, and nothing changed after."""

import pytest
import torch

from tests.sounds import speech
from tests.tiny import TINY_ID
from whisper_tuner.config import LoraSettings
from whisper_tuner.model import frames
from whisper_tuner.model.features import clip_features
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.model.window import encoder_window, record_silence

START = torch.tensor([[50258], [50258]])


@pytest.fixture
def model(hub_cache):
    """A random base whose adapter changes what it hears."""
    model = add_lora(
        load_base(TINY_ID, "it", "32bit", torch.device("cpu")), TINY_ID, LoraSettings()
    )
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.1)
    return model.eval()


@pytest.fixture
def features(hub_cache):
    """Two clips of speech, in as many frames as asked for."""
    processor = load_processor(TINY_ID, "it")
    clips = [speech(0.7, seed=1), speech(1.3, seed=2)]
    return lambda n_frames: clip_features(processor, clips, n_frames, torch.zeros(1))


def logits(model, features):
    with torch.no_grad():
        return model(input_features=features, decoder_input_ids=START[: len(features)]).logits


def test_window_frames():
    assert frames.window_frames(0.3, "speech") == 100  # the floor
    assert frames.window_frames(4.0, "speech") == 420
    assert frames.window_frames(4.015, "speech") % 2 == 0
    assert frames.window_frames(29.9, "speech") == 3000  # never more than Whisper has positions
    assert frames.window_frames(4.0, "full") == 3000


def test_positions_that_are_read():
    assert frames.n_read(1500, 4) == 1500
    assert frames.n_read(1496, 4) == 1497
    assert frames.n_read(100, 4) == 100 + 350
    assert frames.n_read(100, 2) == 100 + 700


def test_with_its_own_silence_a_clip_is_heard_as_at_30_seconds(model, features):
    """Exactly so where nothing is left out: but for the last position, whose convolution ends."""
    alone, at_30_s = features(300)[:1], features(3000)[:1]
    wanted = logits(model, at_30_s)
    silence = record_silence(model, at_30_s, 1)
    for stride, tolerance in ((1, 1e-3), (2, 1e-2), (4, 1e-2)):
        with encoder_window(model, 300, silence._replace(stride=stride)):
            found = logits(model, alone)
        assert (found - wanted).abs().max() < tolerance * wanted.std()
    bare = silence._replace(
        layer_inputs=[t[:, :150] for t in silence.layer_inputs], output=silence.output[:, :150]
    )
    with encoder_window(model, 300, bare):  # nothing behind
        assert (logits(model, alone) - wanted).abs().max() > 1e-2 * wanted.std()


def test_model_is_bitwise_the_same_after(model, features):
    def hooks():
        return [
            (len(module._forward_hooks), len(module._forward_pre_hooks))
            for module in model.modules()
        ]

    before, names, had = logits(model, features(3000)), set(model.state_dict()), hooks()
    silence = record_silence(model, features(3000), 4)
    assert hooks() == had
    with encoder_window(model, 400, silence):
        assert hooks() != had
        assert logits(model, features(400)).shape == before.shape
    assert torch.equal(logits(model, features(3000)), before)
    assert set(model.state_dict()) == names
    assert hooks() == had


def test_window_is_closed_after_an_error(model, features):
    silence = record_silence(model, features(3000), 4)
    with pytest.raises(RuntimeError, match="inside"), encoder_window(model, 400, silence):
        raise RuntimeError("inside")
    assert model.config.max_source_positions == 1500
    logits(model, features(3000))


def test_full_window_is_the_plain_model(model, features):
    before = logits(model, features(3000))
    with encoder_window(model, 3000, None):
        assert torch.equal(logits(model, features(3000)), before)


def test_recording_changes_no_mode_and_holds_no_graph(model, features):
    model.train()
    silence = record_silence(model, features(3000), 4)
    assert model.training
    assert len(silence.layer_inputs) == 2
    for recorded in (*silence.layer_inputs, silence.output):
        assert recorded.shape == (1, 1500, 64)
        assert not recorded.requires_grad


def test_the_silence_teaches_the_adapter_too(model, features):
    """v_proj's adapter learns from what it makes of the silence: other silence, other gradient."""
    model.train()
    silence = record_silence(model, features(3000), 4)
    louder = silence._replace(layer_inputs=[2 * t for t in silence.layer_inputs])
    name, weight = next((n, w) for n, w in model.named_parameters() if "v_proj.lora_A" in n)
    gradients = []
    for behind in (silence, louder):
        with encoder_window(model, 400, behind):
            out = model(input_features=features(400), decoder_input_ids=START).logits
            gradients.append(torch.autograd.grad(out.square().mean(), weight)[0])
    assert not torch.allclose(*gradients), name


def test_a_wrong_length_is_still_refused(model, features):
    with pytest.raises(ValueError, match="expects the mel input features"):
        logits(model, features(400))
