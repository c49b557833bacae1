"""The speech window: an encoder that sees only as much time as there is speech.

Whisper's encoder adds sinusoidal positions and knows no mask, so its first `n` positions work
for a shorter input once it was trained so. It is the way icefall and WeNet fine-tune Whisper.
transformers refuses any input but 30 seconds, so positions and the length it checks are swapped
for a moment.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from transformers import WhisperForConditionalGeneration

FRAMES_PER_S = 100  # log-mel frames: a hop of 160 samples at 16 kHz
FRAMES_PER_POSITION = 2  # the second convolution's stride
FULL_S = 30.0
FULL_FRAMES = int(FULL_S * FRAMES_PER_S)
FLOOR_S = 2.0


def window_frames(longest_s: float, margin_s: float) -> int:
    """Log-mel frames for a batch whose longest clip lasts `longest_s`: even, 2 … 30 seconds."""
    seconds = min(max(longest_s + margin_s, FLOOR_S), FULL_S)
    positions = int(seconds * FRAMES_PER_S) // FRAMES_PER_POSITION
    return positions * FRAMES_PER_POSITION


@contextmanager
def encoder_window(model: WhisperForConditionalGeneration, n_frames: int) -> Iterator[None]:
    """Inside, the encoder takes input_features of shape (batch, mels, n_frames); after, 3000 again.

    `model` may be wrapped by PEFT. The model is left exactly as it was. Not for several threads.
    """
    if n_frames == FULL_FRAMES:
        yield
        return
    encoder = model.get_encoder()
    full, full_length = encoder.embed_positions, encoder.config.max_source_positions
    n_positions = n_frames // FRAMES_PER_POSITION
    encoder.embed_positions = torch.nn.Embedding.from_pretrained(full.weight[:n_positions])
    encoder.config.max_source_positions = n_positions
    try:
        yield
    finally:
        encoder.embed_positions = full
        encoder.config.max_source_positions = full_length
