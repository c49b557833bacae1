"""Audio → log-mel, as the base's own feature extractor does it, batched and on the model's device.

The method is openai/whisper's `audio.log_mel_spectrogram`; a test holds it against transformers'.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from transformers import WhisperProcessor

from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.model.frames import FRAMES_PER_S

N_FFT = 400  # samples: 25 ms at 16 kHz
HOP = SAMPLE_RATE // FRAMES_PER_S  # 160 samples: 10 ms
SMALLEST_POWER = 1e-10
RANGE_LOG10 = 8.0  # what lies more than 80 dB under a clip's loudest cell is raised to there
N_EXCERPTS = 4
EXCERPT_S = 0.8  # shorter than any window, so that only silence lies behind it


def pad_audio(audios: Sequence[np.ndarray], n_frames: int) -> torch.Tensor:
    """Mono float32 arrays at 16 kHz → shape (batch, n_frames * 160), cut off or zeros behind."""
    padded = torch.zeros(len(audios), n_frames * HOP)
    for row, audio in zip(padded, audios, strict=True):
        n = min(len(audio), row.shape[0])
        row[:n] = torch.from_numpy(audio[:n])
    return padded


def excerpts(paths: Iterable[Path]) -> list[np.ndarray]:
    """The beginnings of the first few recordings: what `record_silence` listens to.

    Which recordings they are hardly matters, that there is speech does (benchmarks/README.md).
    """
    n_samples = int(EXCERPT_S * SAMPLE_RATE)
    return [read_flac(path)[:n_samples] for path in islice(paths, N_EXCERPTS)]


def log_mel(audio: torch.Tensor, mel_filters: torch.Tensor) -> torch.Tensor:
    """Shape (batch, n_frames * 160) → (batch, mels, n_frames), float32, on the audio's device.

    `mel_filters`: shape (201 frequencies, mels), the feature extractor's.
    """
    hann = torch.hann_window(N_FFT, device=audio.device)
    spectrum = torch.stft(audio, N_FFT, HOP, window=hann, return_complex=True)
    power = torch.view_as_real(spectrum[..., :-1]).square().sum(-1)
    log_power = (mel_filters.T @ power).clamp(min=SMALLEST_POWER).log10()
    loudest = log_power.amax(dim=(1, 2), keepdim=True)
    return (torch.maximum(log_power, loudest - RANGE_LOG10) + 4.0) / 4.0


def mel_filters(processor: WhisperProcessor) -> torch.Tensor:
    """The base's mel filter bank, shape (201, mels), float32."""
    return torch.from_numpy(processor.feature_extractor.mel_filters).float()


def clip_features(
    processor: WhisperProcessor, audios: list[np.ndarray], n_frames: int, weight: torch.Tensor
) -> torch.Tensor:
    """Features for a model, shape (batch, mels, n_frames), dtype and device those of `weight`.

    `audios`: mono float32 arrays at 16 kHz. `weight`: the first convolution's: it refuses others.
    """
    audio = pad_audio(audios, n_frames).to(weight.device)
    return log_mel(audio, mel_filters(processor).to(weight.device)).to(weight.dtype)
