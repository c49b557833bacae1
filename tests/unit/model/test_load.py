"""Precision, LoRA, and the settings an adapter must carry."""

import json

import bitsandbytes
import pytest
import torch

from tests.tiny import TINY_ID
from whisper_tuner.config import LoraSettings
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.training.adapter import save_adapter

CPU = torch.device("cpu")


@pytest.fixture(params=["8bit", "4bit", "16bit", "32bit"])
def precision(request, hub_cache) -> str:
    return request.param


def test_every_precision_takes_its_own_dtype_and_goes_backward(precision):
    base = load_base(TINY_ID, "it", precision, CPU)
    assert not any(weight.requires_grad for weight in base.parameters())
    model = add_lora(base, TINY_ID, LoraSettings())
    dtype = model.get_encoder().conv1.weight.dtype
    assert dtype == (torch.bfloat16 if precision == "16bit" else torch.float32)
    features = torch.zeros(1, 80, 3000, dtype=dtype)
    loss = model(input_features=features, labels=torch.tensor([[50274, 50359, 50257]])).loss
    loss.backward()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    assert trained
    assert all(weight.dtype == torch.float32 and weight.grad is not None for weight in trained)


def test_8_bit_keeps_the_output_projection_in_float(hub_cache):
    """The default skip list protects `proj_out`; setting `llm_int8_skip_modules` replaces it."""
    base = load_base(TINY_ID, "it", "8bit", CPU)
    assert base.config.quantization_config.llm_int8_skip_modules is None
    assert base.proj_out.weight.dtype == torch.float32
    assert base.proj_out.weight.data_ptr() == base.model.decoder.embed_tokens.weight.data_ptr()
    linears = [m for n, m in base.named_modules() if n.endswith(("q_proj", "fc1"))]
    assert linears
    assert all(isinstance(m, bitsandbytes.nn.Linear8bitLt) for m in linears)
    assert all(m.weight.dtype == torch.int8 for m in linears)


def test_disabled_adapter_is_exactly_the_base(hub_cache):
    base = load_base(TINY_ID, "it", "8bit", CPU)
    batch = {
        "input_features": torch.randn(1, 80, 3000),
        "decoder_input_ids": torch.tensor([[50258, 50274, 50359, 50363]]),
    }
    with torch.no_grad():
        before = base(**batch).logits
        model = add_lora(base, TINY_ID, LoraSettings()).eval()
        for name, weight in model.named_parameters():
            if "lora_B" in name:
                weight.fill_(0.1)
        assert not torch.equal(model(**batch).logits, before)
        with model.disable_adapter():
            assert torch.equal(model(**batch).logits, before)


def test_saved_adapter_has_what_others_need(hub_cache, tmp_path):
    model = add_lora(load_base(TINY_ID, "it", "8bit", CPU), TINY_ID, LoraSettings())
    save_adapter(model, load_processor(TINY_ID, "it"), tmp_path / "adapter", 1)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == TINY_ID
    assert config["task_type"] is None
    assert (config["r"], config["lora_alpha"], config["lora_dropout"]) == (32, 64, 0.05)
    assert sorted(config["target_modules"]) == ["q_proj", "v_proj"]
    generation = json.loads((tmp_path / "adapter" / "generation_config.json").read_text())
    assert (generation["language"], generation["task"]) == ("it", "transcribe")
    assert generation.get("forced_decoder_ids") is None
    names = {path.name for path in (tmp_path / "adapter").iterdir()}
    assert names == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "generation_config.json",
        "preprocessor_config.json",
        "processor_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_no_local_path_is_in_the_adapter(hub_cache, tmp_path):
    model = add_lora(load_base(TINY_ID, "it", "32bit", CPU), TINY_ID, LoraSettings())
    save_adapter(model, load_processor(TINY_ID, "it"), tmp_path / "adapter", 1)
    for path in (tmp_path / "adapter").iterdir():
        assert str(hub_cache).encode() not in path.read_bytes(), path.name
