"""One long recording out of many clips, with known cuts: joined in a fixed order, with 0.4 to 1.2
seconds of their own room noise between.

Many clips are cut so tightly that they hold no noise but speech; the noise is then that of another.
"""

import csv
import random
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from whisper_tuner.audio import SAMPLE_RATE, read_flac, write_flac

SEED = 5
GAPS_S = (0.4, 1.2)
NOISE_S = 0.1  # the quietest stretch so long of a clip may be its room's noise
LEAST_ENERGY = NOISE_S * SAMPLE_RATE * 10**-7.6  # below -76 dB of full scale there is no room
FRAME_S = 0.02
VOICE_DB = 25.0  # below a clip's loudest 20 ms there is breath at most
NOISY_SHARE = 0.25  # of the clips have the quietest of these stretches: there it is


@dataclass(frozen=True)
class Spoken:
    """One of the clips: when somebody speaks in it, in the long recording, and from when to when
    its sound is there, with the silence that it begins and ends with itself.
    """

    text: str
    start_s: float
    end_s: float
    sound_start_s: float
    sound_end_s: float
    voiced_s: np.ndarray = field(repr=False)  # where each loud `FRAME_S` begins

    def voice_s(self, start_s: float, end_s: float) -> float:
        """Seconds of voice between two times."""
        first, last = np.searchsorted(self.voiced_s, [start_s, end_s])
        return float(last - first) * FRAME_S


def assemble(folder: Path, target: Path, n_clips: int = 0) -> list[Spoken]:
    """Write the long recording; `folder`: clips and a metadata.csv. Returns what is spoken when."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = sorted(csv.DictReader(file), key=lambda row: row["file_name"])
    draw = random.Random(SEED)
    draw.shuffle(rows)
    sounds = [read_flac(folder / row["file_name"]) for row in rows]
    noises = sorted(map(_quietest, sounds), key=_energy)
    noises = [noise for noise in noises if _energy(noise) > LEAST_ENERGY] or noises
    noises = noises[: max(1, int(NOISY_SHARE * len(rows)))]
    parts, spoken, n = [], [], 0
    for row, samples in list(zip(rows, sounds, strict=True))[: n_clips or None]:
        gap = _noise(draw.choice(noises), draw.uniform(*GAPS_S))
        begun_s, voiced_s = n / SAMPLE_RATE, n / SAMPLE_RATE + _voiced(samples)
        times = (voiced_s[0], voiced_s[-1] + FRAME_S, begun_s, begun_s + len(samples) / SAMPLE_RATE)
        spoken.append(Spoken(" ".join(row["transcription"].split()), *map(float, times), voiced_s))
        parts += [samples, gap]
        n += len(samples) + len(gap)
    write_flac(target, np.concatenate(parts))
    return spoken


def _voiced(samples: np.ndarray) -> np.ndarray:
    """Where the stretches of `FRAME_S` begin that are less than `VOICE_DB` below the loudest."""
    n = round(FRAME_S * SAMPLE_RATE)
    powers = np.square(samples[: len(samples) // n * n]).reshape(-1, n).mean(1)
    return np.flatnonzero(powers > powers.max() * 10 ** (-VOICE_DB / 10)) * FRAME_S


def _quietest(samples: np.ndarray) -> np.ndarray:
    n = round(NOISE_S * SAMPLE_RATE)
    starts = range(0, len(samples) - n, n // 4)
    return samples[(first := min(starts, key=lambda i: _energy(samples[i : i + n]))) : first + n]


def _energy(samples: np.ndarray) -> float:
    return float(np.square(samples).sum())


def _noise(quiet: np.ndarray, length_s: float) -> np.ndarray:
    """So much of the room's noise: a stretch of it, there and back again, seamless."""
    return np.resize(np.concatenate([quiet, quiet[::-1]]), round(length_s * SAMPLE_RATE))
