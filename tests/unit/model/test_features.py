"""Our log-mel against transformers' own feature extractor."""

import numpy as np
import pytest
import torch

from tests.sounds import decode
from tests.tiny import LARGE_V3_ID, TINY_ID
from whisper_tuner import steps
from whisper_tuner.model.features import clip_features, pad_audio
from whisper_tuner.model.load import load_processor


@pytest.fixture
def audios() -> list[np.ndarray]:
    paths = sorted((steps.EXAMPLE_DIR / "clips").glob("*.flac"))
    return [decode(path) for path in (paths[0], paths[10])]


@pytest.mark.parametrize("base", [TINY_ID, LARGE_V3_ID])
@pytest.mark.parametrize("n_frames", [300, 3000])
def test_log_mel_is_the_feature_extractors(base, n_frames, audios, hub_cache):
    processor = load_processor(base, "it")
    theirs = processor.feature_extractor(
        audios,
        sampling_rate=16_000,
        padding="max_length",
        max_length=n_frames * 160,
        truncation=True,
        return_tensors="pt",
    ).input_features
    ours = clip_features(processor, audios, n_frames, torch.zeros(1))
    assert ours.shape == theirs.shape == (2, 128 if base == LARGE_V3_ID else 80, n_frames)
    assert torch.allclose(ours, theirs, atol=2e-5)


def test_features_have_the_weights_dtype(audios, hub_cache):
    weight = torch.zeros(1, dtype=torch.bfloat16)
    assert clip_features(load_processor(TINY_ID, "it"), audios, 300, weight).dtype == torch.bfloat16


def test_audio_is_padded_with_silence_or_cut():
    padded = pad_audio([np.ones(100, np.float32), np.ones(1000, np.float32)], n_frames=2)
    assert padded.shape == (2, 320)
    assert padded.sum(dim=1).tolist() == [100, 320]
