"""What a base hears in clips, and what it takes them for: a language, or no speech at all.

Whisper says both before its first word: its first decoding step, behind the start token alone,
spreads probability over the tokens of its languages and over the one for "no speech"
(openai/whisper, decoding.py: `detect_language` and `no_speech_prob`). The encoder's work for the
text serves it too.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import WhisperForConditionalGeneration
from transformers.modeling_outputs import BaseModelOutput

from whisper_tuner.audio import read_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.doubts import Heard
from whisper_tuner.evaluation.transcribe import batches, clips_at_once, transcribe_arrays
from whisper_tuner.model.load import autocast

NO_SPEECH = "<|nospeech|>"
N_LANGUAGES = 5  # the likeliest, which are kept
DIGITS = 4


def hear(listener: Listener, clips: list[Clip]) -> Iterator[list[tuple[Clip, Heard]]]:
    """Batch by batch, longest clips first, in 30-second inference: texts as `Listener.base` has
    them. `listener.model` has no adapter, or it is off.
    """
    model, folder = listener.model, listener.run.dataset_dir
    for chosen in batches([clip.duration_s for clip in clips], clips_at_once(model), "full"):
        batch = [clips[i] for i in chosen]
        audios = [read_flac(folder / clip.audio) for clip in batch]
        with _encoded(model) as kept:
            texts = transcribe_arrays(model, listener.processor, audios, listener.precision)
        languages, no_speech = _first_step(listener, kept[0])
        told = zip(texts, languages, no_speech, strict=True)
        yield list(zip(batch, (Heard(*row) for row in told), strict=True))


@contextmanager
def _encoded(model: WhisperForConditionalGeneration) -> Iterator[list[torch.Tensor]]:
    """What the encoder gives while the block runs, each of shape (clips, positions, d_model). The
    first is of all clips; others are of those that `generate` went on with.
    """
    kept: list[torch.Tensor] = []
    hook = model.get_encoder().register_forward_hook(
        lambda _, inputs, output: kept.append(output[0])
    )
    try:
        yield kept
    finally:
        hook.remove()


@torch.inference_mode()
def _first_step(
    listener: Listener, encoded: torch.Tensor
) -> tuple[list[dict[str, float]], list[float]]:
    """Of each clip: the likeliest languages by code, and how likely it is no speech."""
    model, settings = listener.model, listener.model.generation_config
    codes = {id: token.strip("<|>") for token, id in settings.lang_to_id.items()}
    start = torch.full((len(encoded), 1), settings.decoder_start_token_id, device=encoded.device)
    with autocast(encoded.device, listener.precision):
        step = model(encoder_outputs=BaseModelOutput(encoded), decoder_input_ids=start)
    logits = step.logits[:, 0].float()  # (clips, vocabulary)
    silent = logits.softmax(-1)[:, listener.processor.tokenizer.convert_tokens_to_ids(NO_SPEECH)]
    ids = torch.tensor(sorted(codes), device=logits.device)
    likeliest = logits[:, ids].softmax(-1).topk(N_LANGUAGES)
    languages = [
        {codes[ids[i].item()]: round(p, DIGITS) for p, i in zip(*row, strict=True)}
        for row in zip(likeliest.values.tolist(), likeliest.indices.tolist(), strict=True)
    ]
    return languages, [round(p, DIGITS) for p in silent.tolist()]
