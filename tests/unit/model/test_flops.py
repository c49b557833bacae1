"""The counted FLOP against published figures of ours and against torch's own counter."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import WhisperConfig, WhisperForConditionalGeneration

from whisper_tuner.config import LoraSettings
from whisper_tuner.model.catalogue import BASE_MODELS, BaseModel
from whisper_tuner.model.flops import (
    decoder_flops,
    encoder_flops,
    forward_flops,
    training_flops,
)

SEED = LoraSettings()  # rank 32 on q and v
TABLE = {  # TFLOP of one sample: 30 s, 30 s with checkpointing, 6.4 s (n = 384); 40 tokens
    "openai/whisper-tiny": (0.101, 0.142, 0.021),
    "openai/whisper-base": (0.234, 0.332, 0.050),
    "openai/whisper-small": (0.895, 1.29, 0.199),
    "openai/whisper-medium": (2.92, 4.24, 0.669),
    "openai/whisper-large-v2": (5.76, 8.42, 1.36),
    "openai/whisper-large-v3-turbo": (5.06, 7.38, 1.10),
}


@pytest.mark.parametrize("base_id", TABLE)
def test_training_costs_what_the_table_says(base_id):
    base = BASE_MODELS[base_id]
    counted = (
        training_flops(base, 1500, 40, SEED) / 1e12,
        training_flops(base, 1500, 40, SEED, checkpointing=True) / 1e12,
        training_flops(base, 384, 40, SEED) / 1e12,
    )
    assert counted == pytest.approx(TABLE[base_id], rel=0.03)


def test_every_chosen_module_is_counted():
    base = BASE_MODELS["openai/whisper-small"]
    light = training_flops(base, 384, 40, SEED)
    more = training_flops(base, 384, 40, LoraSettings(rank=64))
    wider = training_flops(base, 384, 40, LoraSettings(target_modules=("q_proj", "fc1")))
    frozen = training_flops(base, 384, 40, LoraSettings(rank=1))
    assert (more - frozen) / (light - frozen) == pytest.approx(63 / 31)
    # v of encoder and decoder gives way to fc1: 5d wide instead of 2d, no rows of cross-attention
    n, t, d, layers = 384, 40, base.d_model, base.n_encoder_layers
    swapped = 5 * d * layers * (n + t) - 2 * d * layers * (n + t + n)
    assert wider - light == pytest.approx(3 * 2 * 32 * swapped)


def test_forward_is_what_torch_counts():
    n, n_tokens = 100, 12
    base = BaseModel("tiny", 64, 2, 3, n_mels=80, vocab_size=200)
    config = WhisperConfig(
        vocab_size=200,
        d_model=64,
        encoder_layers=2,
        decoder_layers=3,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        encoder_ffn_dim=256,
        decoder_ffn_dim=256,
        max_source_positions=n,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
        decoder_start_token_id=1,
        attn_implementation="eager",  # the counter does not see into the CPU's fused attention
    )
    model = WhisperForConditionalGeneration(config).eval()
    features = torch.zeros(1, 80, 2 * n)
    tokens = torch.ones(1, n_tokens, dtype=torch.long)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        encoded = model.model.encoder(features).last_hidden_state
    assert encoder_flops(base, n) == pytest.approx(counter.get_total_flops(), rel=0.001)
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(encoder_outputs=(encoded,), decoder_input_ids=tokens)
    assert decoder_flops(base, n, n_tokens) == pytest.approx(counter.get_total_flops(), rel=0.001)
    both = encoder_flops(base, n) + decoder_flops(base, n, n_tokens)
    assert forward_flops(base, n, n_tokens) == both
