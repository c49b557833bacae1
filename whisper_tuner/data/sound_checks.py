"""What can be heard about a clip without a model: measured once, judged by small functions.

The limits were set on 1,726 real clips in twelve languages (telephone prompts, read news, Common
Voice), none of which may be called noisy or without speech. They are warnings all the same: a
level says little, and no clip is refused for it.
"""

import hashlib
from dataclasses import dataclass

import numpy as np

from whisper_tuner.audio import SAMPLE_RATE, to_pcm
from whisper_tuner.data.clips import Clip, Finding
from whisper_tuner.data.likeness import HOP, LOWEST_BIN, Print, band_energies, fingerprint, spectra

FULL_SCALE = 0.985  # resampling moves clipped samples a little away from 1.0
MAX_CLIPPED_SHARE = 0.01
SHORT_CLIP_S = 0.5
QUIET_DB = -50.0  # dBFS, root mean square; speech at a hand's breadth is at -35 … -15
SILENCE_BELOW_DB = 30.0  # below the loudest parts of a clip nobody speaks
MAX_SILENT_END_S = 2.0
JUDGED_FROM_S = 1.0  # a single word has no quiet parts to compare its loud ones with
MIN_CONTRAST_DB = 12.0  # speech with noise 5 dB below it has about 12, clean speech 15 … 120
STEADY_SPREAD_DB = 1.2  # a hum or a hiss; noise as loud as the speech in it has 1.6 or more
MUSIC_SPREAD_DB, MUSIC_PAUSES, MUSIC_FLATNESS = 5.0, 0.15, 0.28  # speech: 6 … 18, 0.16 … 0.84, any
RANGE_DB = 40.0  # how far below the loud parts a level still counts
EVERY = 4  # of the frames, for the flatness
TINY = 1e-9  # power of nothing


@dataclass(frozen=True, slots=True)
class Sound:
    """A clip's sound in numbers. Levels in dB; those of quiet ends are not counted as speech."""

    digest: str  # the same for the very same samples
    lead_s: float  # silence before the first sound
    tail_s: float  # and behind the last one
    level_db: float  # root mean square between these, against full scale
    clipped: float  # share of the samples that were cut off
    contrast_db: float  # loudest parts against the quietest: an estimate of the signal over noise
    spread_db: float  # standard deviation of the level
    pauses: float  # share of the time below half of the mean amplitude
    flatness: float  # of the loud parts' spectra: 0 a tone, 0.56 white noise
    print: Print


def measure(samples: np.ndarray) -> Sound:
    """`samples`: float32 in [-1, 1], shape = (n_samples,), 16 kHz."""
    power = spectra(samples)
    loudness = power[:, LOWEST_BIN:].sum(axis=1) + TINY
    levels = 10 * np.log10(loudness)
    loud, faint = np.percentile(levels, (95, 5))
    heard = np.flatnonzero(levels > loud - SILENCE_BELOW_DB)
    lead, tail = heard[0] * HOP, (len(levels) - 1 - heard[-1]) * HOP
    amplitude = np.sqrt(loudness)
    spoken = samples[lead : len(samples) - tail]
    some = np.log(power[levels > loud - SILENCE_BELOW_DB][::EVERY, LOWEST_BIN:] + TINY)
    flatness = np.exp(some.mean(axis=1)) / np.exp(some).mean(axis=1)
    return Sound(
        digest=hashlib.sha256(to_pcm(samples)).hexdigest()[:32],
        lead_s=round(float(lead) / SAMPLE_RATE, 3),
        tail_s=round(float(tail) / SAMPLE_RATE, 3),
        level_db=round(float(10 * np.log10(np.mean(np.square(spoken)) + TINY)), 1),
        clipped=round(float(np.mean(np.abs(samples) >= FULL_SCALE)), 5),
        contrast_db=round(float(loud - faint), 1),
        spread_db=round(float(np.maximum(levels, loud - RANGE_DB).std()), 2),
        pauses=round(float(np.mean(amplitude < amplitude.mean() / 2)), 3),
        flatness=round(float(np.median(flatness)), 3),
        print=fingerprint(band_energies(power)),
    )


def clipped(clip: Clip, sound: Sound) -> Finding | None:
    if sound.clipped <= MAX_CLIPPED_SHARE:
        return None
    return clip.finding("audio_clipped", percent=round(100 * sound.clipped))


def very_short(clip: Clip, sound: Sound) -> Finding | None:
    if clip.duration_s >= SHORT_CLIP_S:
        return None
    return clip.finding("audio_very_short", seconds=round(clip.duration_s, 1))


def quiet(clip: Clip, sound: Sound) -> Finding | None:
    if sound.level_db >= QUIET_DB:
        return None
    return clip.finding("audio_quiet", level=round(sound.level_db))


def silent_ends(clip: Clip, sound: Sound) -> Finding | None:
    if max(sound.lead_s, sound.tail_s) <= MAX_SILENT_END_S:
        return None
    lead, tail = round(sound.lead_s, 1), round(sound.tail_s, 1)
    return clip.finding("audio_silent_ends", lead=lead, tail=tail)


def no_speech(clip: Clip, sound: Sound) -> Finding | None:
    """A hum, a hiss, or sound without the pauses that speech has between its syllables."""
    if clip.duration_s < JUDGED_FROM_S or not _is_unlike_speech(sound):
        return None
    return clip.finding("audio_no_speech", spread=round(sound.spread_db, 1))


def noisy(clip: Clip, sound: Sound) -> Finding | None:
    """Its quietest parts are hardly quieter than the loudest. What is cut off has no loud parts."""
    is_judged = clip.duration_s >= JUDGED_FROM_S and sound.clipped <= MAX_CLIPPED_SHARE
    if not is_judged or _is_unlike_speech(sound) or sound.contrast_db >= MIN_CONTRAST_DB:
        return None
    return clip.finding("audio_noisy", decibels=round(sound.contrast_db))


def _is_unlike_speech(sound: Sound) -> bool:
    is_steady = sound.spread_db < STEADY_SPREAD_DB
    is_even = sound.spread_db < MUSIC_SPREAD_DB and sound.pauses < MUSIC_PAUSES
    return is_steady or (is_even and sound.flatness < MUSIC_FLATNESS)


CHECKS = (clipped, very_short, quiet, silent_ends, no_speech, noisy)
