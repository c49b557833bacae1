"""Base and tuned on the same held-out clips, from one loaded model → `comparison.json`."""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass

from peft import PeftModel
from transformers import WhisperProcessor

from whisper_tuner.data.clips import Clip
from whisper_tuner.evaluation.metrics import clip_score, score, word_diff
from whisper_tuner.evaluation.transcribe import clips_at_once, transcribe_clips
from whisper_tuner.runs import durable
from whisper_tuner.runs.folder import Run

OnBatch = Callable[[int, int], None]  # clips done, clips in all


@dataclass(frozen=True)
class Listener:
    """A loaded model that transcribes the clips of one run, as it was or as it was taught."""

    model: PeftModel
    processor: WhisperProcessor
    run: Run
    precision: str

    def tuned(
        self, clips: list[Clip], on_batch: OnBatch | None = None, window: str = "full"
    ) -> list[str]:
        """What the model hears with its adapter, in 30-second inference or the speech window."""
        return transcribe_clips(
            self.model,
            self.processor,
            clips,
            self.run.dataset_dir,
            self.precision,
            clips_at_once(self.model),
            on_batch,
            window,
        )

    def base(self, clips: list[Clip], on_batch: OnBatch | None = None) -> list[str]:
        """What they say without the adapter, at 30 seconds: exactly the base, no second model."""
        with self.model.disable_adapter():
            return self.tuned(clips, on_batch)


def write_comparison(
    run: Run,
    language: str,
    clips: list[Clip],
    base: list[str],
    tuned: list[str],
    tuned_speech_window: list[str],
) -> dict:
    """Score the lists of texts against the transcripts and write `comparison.json` whole.

    Rates are fractions: errors of all clips over words (WER) or characters (CER) of all clips.
    `base` and `tuned` are texts of 30-second inference.
    """
    references = [clip.text for clip in clips]
    base_score = score(references, base, language)
    tuned_score = score(references, tuned, language)
    rows = zip(clips, base, tuned, strict=True)
    fast = score(references, tuned_speech_window, language)
    comparison = {
        "language": language,
        "n_clips": len(clips),
        "n_words": base_score.n_words,
        "base": {"wer": base_score.wer, "cer": base_score.cer},
        "tuned": {"wer": tuned_score.wer, "cer": tuned_score.cer},
        "tuned_speech_window": {"wer": fast.wer, "cer": fast.cer},
        "clips": [_compare_clip(*row, language) for row in rows],
    }
    durable.write(run.comparison_path, json.dumps(comparison, ensure_ascii=False, indent=1))
    return comparison


def _compare_clip(clip: Clip, base: str, tuned: str, language: str) -> dict:
    return {
        "id": clip.id,
        "name": clip.name,
        "duration_s": clip.duration_s,
        "reference": clip.text,
        "base": base,
        "tuned": tuned,
        "base_wer": clip_score(clip.text, base, language).wer,
        "tuned_wer": clip_score(clip.text, tuned, language).wer,
        "base_edits": [asdict(edit) for edit in word_diff(clip.text, base, language)],
        "tuned_edits": [asdict(edit) for edit in word_diff(clip.text, tuned, language)],
    }
