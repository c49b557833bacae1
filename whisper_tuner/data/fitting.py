"""A recording as a clip of at most 30 seconds; one hardly longer loses silence at its ends."""

import numpy as np

from whisper_tuner.audio import CODEC_PADDING_S, MAX_CLIP_S, SAMPLE_RATE
from whisper_tuner.data.sound_checks import measure
from whisper_tuner.errors import AudioError

LONGEST_S = MAX_CLIP_S + 1.0  # of a recording that may become a clip
KEPT_SILENCE_S = 0.1  # at each end
TOO_LONG = "audio_too_long"


def fit(samples: np.ndarray, name: str) -> tuple[np.ndarray, float]:
    """The sound of a clip, and how many seconds of silence were cut off its ends to make it fit.

    `samples`: up to `LONGEST_S` s at 16 kHz, shape = (n_samples,). Raises AudioError audio_too_long
    where the ends are not silent enough.
    """
    most = round(MAX_CLIP_S * SAMPLE_RATE)
    too_many = len(samples) - most
    if too_many <= CODEC_PADDING_S * SAMPLE_RATE:  # what a codec adds
        return samples[:most], 0.0
    sound = measure(samples)
    lead, tail = (
        max(0, round((silence_s - KEPT_SILENCE_S) * SAMPLE_RATE))
        for silence_s in (sound.lead_s, sound.tail_s)
    )
    if lead + tail < too_many:
        seconds = round(len(samples) / SAMPLE_RATE, 1)
        raise AudioError(TOO_LONG, file=name, seconds=seconds, limit=round(MAX_CLIP_S))
    from_end = min(tail, too_many)
    return samples[too_many - from_end : len(samples) - from_end], too_many / SAMPLE_RATE


def in_clips(error: AudioError) -> dict:
    """The parameters of an error of a recording that was to be a clip: which limit it breaks."""
    limit = {"limit": round(MAX_CLIP_S)} if error.code == TOO_LONG else {}
    return {**error.params, **limit}
