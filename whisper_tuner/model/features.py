"""Audio → log-mel, by the base's own feature extractor."""

import numpy as np
import torch
from transformers import WhisperProcessor

from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.model.window import FRAMES_PER_S


def log_mel(
    processor: WhisperProcessor, audios: list[np.ndarray], n_frames: int, dtype: torch.dtype
) -> torch.Tensor:
    """Log-mel features, shape (batch, mels, n_frames), zero audio behind each clip.

    `audios`: mono float32 arrays at 16 kHz. `dtype`: the base's, or its first convolution refuses.
    """
    features = processor.feature_extractor(
        audios,
        sampling_rate=SAMPLE_RATE,
        padding="max_length",
        max_length=n_frames * SAMPLE_RATE // FRAMES_PER_S,
        truncation=True,
        return_tensors="pt",
    )
    return features.input_features.to(dtype)
