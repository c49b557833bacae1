"""Where nobody speaks in a recording: by its energy alone, without a model and without torch.

Levels are compared with the quiet and the loud parts of their own surroundings, so that neither a
change of room nor of voice matters. A 12-hour recording is 4.3 million levels, 17 MB.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from whisper_tuner.audio import SAMPLE_RATE

HOP_S = 0.01
HOP = round(HOP_S * SAMPLE_RATE)  # samples
SMOOTH = 5  # levels: a glottal stop is no pause
BLOCK = 1000  # levels: 10 s, the grid on which the surroundings are looked at
AROUND = 3  # blocks on either side
QUIET, LOUD = 10, 90  # percentiles of the surroundings' levels
SHARE = 0.35  # of the way from quiet to loud; what lies above it is speech
LEAST_RANGE_DB = 12.0  # between quiet and loud; with less there is no pause to be seen
PAUSE_S = 0.15  # shorter ones are within words too
SILENCE_DB = -100.0


@dataclass(frozen=True, slots=True)
class Pause:
    start_s: float
    end_s: float

    @property
    def middle_s(self) -> float:
        return (self.start_s + self.end_s) / 2

    @property
    def length_s(self) -> float:
        return self.end_s - self.start_s


def levels(path: Path) -> np.ndarray:
    """dB of full scale, one a 10 ms, float32; read block by block. `path`: 16 kHz mono."""
    found = []
    with soundfile.SoundFile(path) as file:
        while len(samples := file.read(BLOCK * HOP, dtype="float32")):
            hops = np.resize(samples, (-(-len(samples) // HOP), HOP))  # the last one may repeat
            power = np.mean(np.square(hops), axis=1)
            found.append(10 * np.log10(np.maximum(power, 10 ** (SILENCE_DB / 10))))
    return np.concatenate(found).astype(np.float32) if found else np.zeros(0, np.float32)


def is_speech(levels_db: np.ndarray) -> np.ndarray:
    """Which of the levels are of speech, shape = (n_levels,), bool."""
    kernel = np.ones(SMOOTH, np.float32) / SMOOTH
    padded = np.pad(levels_db, SMOOTH // 2, mode="edge") if len(levels_db) else levels_db
    smooth = np.convolve(padded, kernel, mode="valid") if len(padded) else padded
    loud = np.zeros(len(levels_db), bool)
    for first in range(0, len(levels_db), BLOCK):
        around = levels_db[max(0, first - AROUND * BLOCK) : first + (AROUND + 1) * BLOCK]
        floor_db, speech_db = np.percentile(around, [QUIET, LOUD])
        if speech_db - floor_db >= LEAST_RANGE_DB:
            limit_db = floor_db + SHARE * (speech_db - floor_db)
        else:
            limit_db = -60.0 if speech_db > -60.0 else 0.0  # all of it speech, or none
        loud[first : first + BLOCK] = smooth[first : first + BLOCK] > limit_db
    return loud


def pauses(speech: np.ndarray) -> list[Pause]:
    """The stretches of at least `PAUSE_S` without speech, in the order of time; first and last the
    beginning and the end of the recording, however short. `speech`: see `is_speech`.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[True], speech, [True]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if len(starts) == 0 or starts[0] > 0:
        starts, ends = np.append(0, starts), np.append(0, ends)
    if ends[-1] < len(speech):
        starts, ends = np.append(starts, len(speech)), np.append(ends, len(speech))
    kept = ends - starts >= PAUSE_S / HOP_S
    kept[[0, -1]] = True
    times_s = zip((starts[kept] * HOP_S).tolist(), (ends[kept] * HOP_S).tolist(), strict=True)
    return [Pause(start_s, end_s) for start_s, end_s in times_s]


def windows(
    found: list[Pause], duration_s: float, least_s: float, most_s: float
) -> list[tuple[float, float]]:
    """The whole recording in parts of `least_s` to `most_s`, each cut in the middle of the longest
    pause there; where there is none, at `most_s`. The last may be shorter.
    """
    parts, start_s, first = [], 0.0, 0
    while duration_s - start_s > most_s:
        while first < len(found) and found[first].middle_s < start_s + least_s:
            first += 1
        best, end_s = 0.0, start_s + most_s
        for pause in found[first:]:
            if pause.middle_s > start_s + most_s:
                break
            if pause.length_s > best:
                best, end_s = pause.length_s, pause.middle_s
        parts.append((start_s, end_s))
        start_s = end_s
    if duration_s > start_s:
        parts.append((start_s, duration_s))
    return parts
