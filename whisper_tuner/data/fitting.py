"""A recording as a clip of at most 30 seconds; one hardly longer loses silence at its ends."""

from pathlib import Path

import numpy as np

from whisper_tuner.audio import CODEC_PADDING_S, MAX_CLIP_S, SAMPLE_RATE, decode
from whisper_tuner.data.sound_checks import measure
from whisper_tuner.errors import AudioError

SLACK_S = 1.0  # so much longer than a clip may be, and no more
KEPT_SILENCE_S = 0.1  # at each end


def decode_clip(path: Path, name: str) -> tuple[np.ndarray, float]:
    """The sound, and how many seconds of silence were cut off its ends to make it fit.

    Raises: AudioError as `audio.decode`; audio_too_long also where the ends are not silent enough.
    """
    try:
        samples = decode(path, name, MAX_CLIP_S + SLACK_S)
    except AudioError as error:
        limit = {"limit": round(MAX_CLIP_S)} if error.code == "audio_too_long" else {}
        raise AudioError(error.code, **{**error.params, **limit}) from error
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
        seconds, limit = round(len(samples) / SAMPLE_RATE, 1), round(MAX_CLIP_S)
        raise AudioError("audio_too_long", file=name, seconds=seconds, limit=limit)
    from_end = min(tail, too_many)
    return samples[too_many - from_end : len(samples) - from_end], too_many / SAMPLE_RATE
