"""Clips → one batch: their audio, decoder inputs and labels."""

from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Dataset
from transformers import WhisperProcessor

from whisper_tuner.audio import change_speed, read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.model.batches import BatchPlan, Sample
from whisper_tuner.model.features import pad_audio

IGNORED = -100  # label value that the cross-entropy leaves out


def shift_right(labels: torch.Tensor, start_id: int, pad_id: int) -> torch.Tensor:
    """What the decoder reads to predict `labels`: the start token, then all labels but the last."""
    shifted = torch.full_like(labels, start_id)
    shifted[:, 1:] = labels[:, :-1]
    return shifted.masked_fill(shifted == IGNORED, pad_id)


class PlannedClips(Dataset):
    """Clips as the plan asks for them."""

    def __init__(self, clips: list[Clip], plan: BatchPlan) -> None:
        self.clips = clips
        self.plan = plan

    def set_epoch(self, epoch: int) -> None:
        """The data loader calls this, however many samplers are wrapped around the plan."""
        self.plan.set_epoch(epoch)

    def __len__(self) -> int:
        return len(self.clips)

    def __getitem__(self, sample: Sample) -> tuple[Clip, Sample]:
        return self.clips[sample.index], sample


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

    def __call__(self, batch: list[tuple[Clip, Sample]]) -> dict[str, torch.Tensor]:
        """What `training.trainer` cuts into parts: `audio` of shape (batch, frames * 160) and
        `n_frames` of each clip's window; the log-mel is made on the model's device.
        """
        audios = [
            change_speed(read_flac(self.dataset_dir / clip.audio), sample.speed)
            for clip, sample in batch
        ]
        labels = self._labels([clip.text for clip, _ in batch])
        counted = torch.tensor([sample.counted for _, sample in batch])
        pad_id = self.processor.tokenizer.pad_token_id
        return {
            "audio": pad_audio(audios, batch[0][1].n_frames),  # the first is the longest
            "n_frames": torch.tensor([sample.n_frames for _, sample in batch]),
            "decoder_input_ids": shift_right(labels, self.start_id, pad_id),
            "labels": labels.masked_fill(~counted[:, None], IGNORED),
        }

    def _labels(self, texts: list[str]) -> torch.Tensor:
        """Shape (batch, longest): language, task, no-timestamps, text, end, then IGNORED."""
        encoded = self.processor.tokenizer(texts, padding=True, return_tensors="pt")
        labels = encoded.input_ids.masked_fill(encoded.attention_mask == 0, IGNORED)
        if (labels[:, 0] == self.start_id).all():
            labels = labels[:, 1:]
        return labels
