"""Precision, LoRA, and the settings an adapter must carry."""

import json

import bitsandbytes
import pytest
import torch
from peft import prepare_model_for_kbit_training
from torch.utils._python_dispatch import TorchDispatchMode

from tests.tiny import TINY_ID
from whisper_tuner.config import LoraSettings
from whisper_tuner.model import load
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


# --- half precision, as on a GPU: bfloat16 everywhere and autocast, here on the CPU


class MatrixProducts(TorchDispatchMode):
    """Counts matrix products by the dtype of their first factor."""

    def __init__(self):
        super().__init__()
        self.dtypes = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func._schema.name in ("aten::mm", "aten::addmm", "aten::bmm"):
            self.dtypes += [arg.dtype for arg in args if torch.is_tensor(arg)][-1:]
        return func(*args, **(kwargs or {}))


@pytest.fixture
def half_8bit(hub_cache, monkeypatch):
    monkeypatch.setattr(load, "compute_dtype", lambda *_: torch.bfloat16)
    torch.manual_seed(0)
    base = load_base(TINY_ID, "it", "8bit", CPU)
    return add_lora(base, TINY_ID, LoraSettings(dropout=0.0)).train()


def step(model):
    """Loss, LoRA gradients, and the dtypes of the backward pass's matrix products."""
    torch.manual_seed(1)
    for name, weight in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.02)
    features = torch.randn(2, 80, 3000).to(model.get_encoder().conv1.weight.dtype)
    labels = torch.tensor([[50274, 50359, 50363, 1000, 1001, 50257]] * 2)
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(input_features=features, labels=labels).loss
    with MatrixProducts() as products:
        loss.backward()
    gradients = [w.grad.flatten() for w in model.parameters() if w.requires_grad]
    return loss.item(), torch.cat(gradients), products.dtypes


def test_half_precision_backward_runs_in_half_precision(half_8bit):
    """The fp32 trap: norms answer in float32 and bitsandbytes goes backward in it."""
    ours, gradient, dtypes = step(half_8bit)
    assert dtypes
    assert set(dtypes) == {torch.bfloat16}

    torch.manual_seed(0)
    plain = prepare_model_for_kbit_training(
        load_base(TINY_ID, "it", "8bit", CPU), use_gradient_checkpointing=False
    )
    for module in plain.modules():
        module._forward_hooks.clear()  # of our load_base
    plain_model = add_lora(plain, TINY_ID, LoraSettings(dropout=0.0)).train()
    theirs, their_gradient, their_dtypes = step(plain_model)
    assert torch.float32 in their_dtypes  # the common recipe: this test can fail
    assert ours == pytest.approx(theirs, rel=2e-3)
    assert torch.cosine_similarity(gradient, their_gradient, dim=0) > 0.99


def test_lora_weights_stay_float32_in_half_precision(half_8bit):
    trained = [weight for weight in half_8bit.parameters() if weight.requires_grad]
    assert {weight.dtype for weight in trained} == {torch.float32}


@pytest.mark.parametrize(
    ("precision", "capability", "dtype"),
    [
        ("8bit", (7, 5), torch.float16),  # T4
        ("16bit", (8, 0), torch.bfloat16),
        ("4bit", (9, 0), torch.bfloat16),
        ("32bit", (9, 0), torch.float32),
    ],
)
def test_compute_dtype_on_a_gpu(precision, capability, dtype, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert load.compute_dtype(precision, torch.device("cuda", 0)) == dtype
