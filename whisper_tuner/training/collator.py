"""Clips → one batch: log-mel features, decoder inputs and labels."""

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import WhisperProcessor

from whisper_tuner.audio import read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.model.features import log_mel
from whisper_tuner.model.window import FULL_FRAMES, window_frames

IGNORED = -100  # label value that the cross-entropy leaves out
MARGIN_S = (0.5, 1.3)  # silence behind the longest clip, drawn anew for every batch


def shift_right(labels: torch.Tensor, start_id: int, pad_id: int) -> torch.Tensor:
    """What the decoder reads to predict `labels`: the start token, then all labels but the last."""
    shifted = torch.full_like(labels, start_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, pad_id)


@dataclass
class Collator:
    """Builds the batches of a training. Labels begin with the language token.

    The tokenizer writes `<|startoftranscript|>` first; the decoder inputs get it from
    `shift_right`. So it is cut off the labels here, or the decoder would read it twice. Padding is
    found by length: the padding token is also the end token, which must be learnt.
    """

    processor: WhisperProcessor
    dataset_dir: Path
    start_id: int  # config.decoder_start_token_id, which is not the tokenizer's bos_token_id
    window: str
    dtype: torch.dtype

    def __call__(self, clips: list[Clip]) -> dict[str, torch.Tensor]:
        audios = [read_flac(self.dataset_dir / clip.audio) for clip in clips]
        labels = self._labels([clip.text for clip in clips])
        pad_id = self.processor.tokenizer.pad_token_id
        return {
            "input_features": log_mel(self.processor, audios, self._frames(clips), self.dtype),
            "decoder_input_ids": shift_right(labels, self.start_id, pad_id),
            "labels": labels,
        }

    def _frames(self, clips: list[Clip]) -> int:
        if self.window == "full":
            return FULL_FRAMES
        low, high = MARGIN_S
        margin_s = low + (high - low) * torch.rand(()).item()
        return window_frames(max(clip.duration_s for clip in clips), margin_s)

    def _labels(self, texts: list[str]) -> torch.Tensor:
        """Shape (batch, longest): language, task, no-timestamps, text, end, then IGNORED."""
        encoded = self.processor.tokenizer(texts, padding=True, return_tensors="pt")
        labels = encoded.input_ids.masked_fill(encoded.attention_mask == 0, IGNORED)
        if (labels[:, 0] == self.start_id).all():
            labels = labels[:, 1:]
        return labels
