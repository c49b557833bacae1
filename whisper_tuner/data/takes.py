"""One take of one sentence: what is heard in it, and the FLAC file that keeps it.

What is worth saying of a take lies in the file itself, as FLAC's comment: so both are replaced in
one step.
"""

import io
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import soundfile

from whisper_tuner.audio import SAMPLE_RATE, to_pcm
from whisper_tuner.data import sound_checks
from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.sound_checks import measure
from whisper_tuner.data.text_checks import speech_rate
from whisper_tuner.decoder import Decoder

QUIET_DB = -42.0  # stricter than for a clip that cannot be had again
END_S = 0.04  # at either end: as loud as speech when a word is cut off
# Below the loudest parts. None of 119 recordings of German sentences is called cut off, and 82 of
# them when they are cut at a random place: the others in a pause. Of 405 clips of Common Voice in
# nine languages 8 are called so, and 10 are told something else.
CUT_DB = 15.0
FRAME_S = 0.02


@dataclass(frozen=True)
class Take:
    """`told`: code of what is worth saying of it, "" when it is good, with its `params`."""

    duration_s: float
    told: str = ""
    params: dict = field(default_factory=dict)


def examine(path: Path, sentence: str) -> tuple[np.ndarray, Take]:
    """The sound of a take, and the worst of what is wrong with it.

    Raises: AudioError as `Decoder.decode` does: of what cannot be a clip.
    """
    with Decoder() as decoder:
        samples = decoder.decode(path)
    duration_s = round(len(samples) / SAMPLE_RATE, 3)
    clip = Clip("", "", sentence, "", duration_s, n_tokens=0, split="")
    sound = measure(samples)
    found = (
        sound_checks.clipped(clip, sound)
        or quiet(clip, sound)
        or sound_checks.no_speech(clip, sound)
        or speech_rate(clip, sound)
        or sound_checks.noisy(clip, sound)
        or cut_off(clip, samples)
        or sound_checks.silent_ends(clip, sound)
        or sound_checks.very_short(clip, sound)
    )
    return samples, Take(duration_s, found.code, found.params) if found else Take(duration_s)


def quiet(clip: Clip, sound: sound_checks.Sound) -> Finding | None:
    if sound.level_db >= QUIET_DB:
        return None
    return clip.finding("audio_quiet", level=round(sound.level_db))


def cut_off(clip: Clip, samples: np.ndarray) -> Finding | None:
    """A take that begins or ends in the middle of a word: as loud there as anywhere."""
    frame, end = round(FRAME_S * SAMPLE_RATE), round(END_S * SAMPLE_RATE)
    whole = samples[: len(samples) // frame * frame].reshape(-1, frame)
    loud = np.percentile(np.square(whole).mean(axis=1), 90)
    limit = loud * 10 ** (-CUT_DB / 10)
    begins, ends = (np.square(part).mean() > limit for part in (samples[:end], samples[-end:]))
    if not begins and not ends:
        return None
    return clip.finding("cut_begin" if begins else "cut_end")


def to_flac(samples: np.ndarray, take: Take) -> bytes:
    """A clip as `audio.read_flac` and everybody else reads it, with the comment."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", SAMPLE_RATE, 1, "PCM_16", format="FLAC") as sound:
        sound.comment = json.dumps({"told": take.told, "params": take.params})
        sound.write(to_pcm(samples))
    return file.getvalue()


def read_take(path: Path) -> Take:
    """What is known of a kept take; of one that the disk has damaged, that it is."""
    try:
        with soundfile.SoundFile(path) as sound:
            said = json.loads(sound.comment or "{}")
            return Take(round(sound.frames / sound.samplerate, 3), **said)
    except (soundfile.LibsndfileError, ValueError, TypeError):
        return Take(0.0, "damaged")
