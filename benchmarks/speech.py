"""The bundled speech as a prepared dataset: as it is, or joined to clips of a given mean length."""

import csv
import math
import random
from pathlib import Path

import numpy as np

from whisper_tuner import steps
from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE, read_flac, write_flac
from whisper_tuner.runs.folder import Run

SHORTEST, LONGEST = 0.5, 2.0  # joined clips, as shares of about their mean
MEAN_OF_SPREAD = (LONGEST - SHORTEST) / math.log(LONGEST / SHORTEST)  # of a log-uniform draw
PAUSE_S = 0.2  # between two joined prompts
SEED = 1


def prepare(folder: Path, n_train: int, n_test: int, mean_s: float | None = None) -> Run:
    """A run with a dataset, made by the product's own `steps.prepare`.

    Without `mean_s` the bundled clips as they are, `n_train` and `n_test` of them at most. With it,
    so many clips of about that mean, joined from bundled ones of the same split, their lengths
    spread log-uniformly from 0.5 to 2 times the mean (and up to half a prompt, which is not cut).
    """
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    source = folder / "source"
    (source / "clips").mkdir(parents=True)
    draw = random.Random(SEED)
    made = []
    for split, n in (("train", n_train), ("test", n_test)):
        prompts = [_Prompt(row) for row in rows if row["split"] == split]
        for i in range(n if mean_s else min(n, len(prompts))):
            chosen = _join(prompts, mean_s, draw) if mean_s else [prompts[i]]
            made.append(_write(source, f"{split}-{i:04}", split, chosen))
    with (source / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "transcription", "split"])
        writer.writeheader()
        writer.writerows(made)
    run = Run.create(folder / "runs")
    steps.prepare(run, [source])
    return run


class _Prompt:
    def __init__(self, row: dict[str, str]) -> None:
        self.text = row["transcription"]
        self.samples = read_flac(steps.EXAMPLE_DIR / row["file_name"])

    @property
    def duration_s(self) -> float:
        return len(self.samples) / SAMPLE_RATE


def _join(prompts: list[_Prompt], mean_s: float, draw: random.Random) -> list[_Prompt]:
    spread = math.exp(draw.uniform(math.log(SHORTEST), math.log(LONGEST))) / MEAN_OF_SPREAD
    wanted_s = min(mean_s * spread, MAX_CLIP_S)
    chosen = [draw.choice(prompts)]
    length_s = chosen[0].duration_s
    while True:
        following = draw.choice(prompts)
        if length_s + PAUSE_S + following.duration_s / 2 > wanted_s:
            return chosen
        if length_s + PAUSE_S + following.duration_s > MAX_CLIP_S:
            return chosen
        chosen.append(following)
        length_s += PAUSE_S + following.duration_s


def _write(source: Path, name: str, split: str, prompts: list[_Prompt]) -> dict[str, str]:
    pause = np.zeros(int(PAUSE_S * SAMPLE_RATE), np.float32)
    parts = [part for prompt in prompts for part in (pause, prompt.samples)][1:]
    write_flac(source / "clips" / f"{name}.flac", np.concatenate(parts))
    text = " ".join(prompt.text for prompt in prompts)
    return {"file_name": f"clips/{name}.flac", "transcription": text, "split": split}
