"""Sizes from the published configs, held against transformers and PEFT."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import WhisperConfig, WhisperForConditionalGeneration
from transformers.models.whisper.tokenization_whisper import LANGUAGES as THEIRS

from whisper_tuner.config import LoraSettings
from whisper_tuner.errors import InputError
from whisper_tuner.model.catalogue import BASE_MODELS, base_model, check_language
from whisper_tuner.model.languages import LANGUAGES


def test_the_two_published_numbers():
    base = base_model("openai/whisper-base")
    assert base.n_trainable(LoraSettings()) == 1_179_648
    large = base_model("openai/whisper-large-v2")
    trainable = large.n_trainable(LoraSettings())
    assert trainable == 15_728_640
    assert round(100 * trainable / (large.n_parameters + trainable), 2) == 1.01
    assert round(large.adapter_bytes(LoraSettings()) / 1e6) == 63


@pytest.mark.parametrize("base_id", BASE_MODELS)
@pytest.mark.parametrize(
    "settings",
    [LoraSettings(), LoraSettings(rank=8, target_modules=("q_proj", "out_proj", "fc1", "fc2"))],
)
def test_sizes_are_those_of_the_real_architecture(base_id, settings):
    base = BASE_MODELS[base_id]
    config = WhisperConfig(
        vocab_size=base.vocab_size,
        num_mel_bins=base.n_mels,
        d_model=base.d_model,
        encoder_layers=base.n_encoder_layers,
        decoder_layers=base.n_decoder_layers,
        encoder_ffn_dim=4 * base.d_model,
        decoder_ffn_dim=4 * base.d_model,
        encoder_attention_heads=base.d_model // 64,
        decoder_attention_heads=base.d_model // 64,
    )
    with torch.device("meta"):
        model = WhisperForConditionalGeneration(config)
        assert sum(weight.numel() for weight in model.parameters()) == base.n_parameters
        lora = LoraConfig(r=settings.rank, target_modules=list(settings.target_modules))
        model = get_peft_model(model, lora)
    trainable, total = model.get_nb_trainable_parameters()
    assert trainable == base.n_trainable(settings)
    assert total == base.n_parameters + trainable


def test_languages_are_transformers_own_in_their_order():
    assert list(LANGUAGES) == list(THEIRS)
    assert [name.lower() for name in LANGUAGES.values()] == list(THEIRS.values())


def test_only_known_bases_and_languages():
    with pytest.raises(InputError):
        base_model("someone/whisper-finetuned")
    with pytest.raises(InputError):
        check_language("openai/whisper-base", "tlh")
    with pytest.raises(InputError):
        check_language("openai/whisper-large-v2", "yue")
    check_language("openai/whisper-large-v3-turbo", "yue")
