"""Thousands of clean clips out of the 160 bundled ones: at other speeds, and halves of two joined.

No two are copies of one another: the speeds at which one recording comes are 9 % apart, and a join
shares half of its sound with another clip at most. It takes a few seconds to make 2,000.
"""

import csv
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, change_speed, read_flac
from whisper_tuner.data.split import sentence_key

SPEEDS = tuple(round(0.73 + 0.09 * i, 2) for i in range(7))  # of single clips
N_PARTNERS = 6  # that each clip is joined with
GAIN = (0.5, 1.0)
COLUMNS = ("file_name", "transcription", "split", "speaker")


@dataclass(frozen=True)
class Row:
    """One row of the table and, unless the file is written already, its sound."""

    name: str
    text: str
    split: str = ""
    speaker: str = ""
    samples: np.ndarray | None = None


def sources() -> list[tuple[np.ndarray, str]]:
    """The bundled clips with their transcripts, written in one way: Capital, words, full stop."""
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        (read_flac(steps.EXAMPLE_DIR / row["file_name"]), sentence(row["transcription"]))
        for row in rows
    ]


def sentence(text: str) -> str:
    bare = text.strip(".!?… ").replace("’", "'")
    return bare[:1].upper() + bare[1:] + "."


def clean_rows(n: int, seed: int = 42) -> list[Row]:
    """`n` rows, 2,080 at most: single clips first, slowest last, then joins. A fifth is the test:
    all that says the same.
    """
    rng = np.random.default_rng(seed)
    found = sources()
    said = sorted({sentence_key(text) for _, text in found})
    held_out = {said[i] for i in rng.permutation(len(said))[: len(said) // 5]}
    splits = ["test" if sentence_key(text) in held_out else "train" for _, text in found]
    rows: list[Row] = []
    for speed in sorted(SPEEDS, key=lambda speed: abs(speed - 1)):
        for (samples, text), split in zip(found, splits, strict=True):
            varied = change_speed(samples, speed) * rng.uniform(*GAIN)
            rows.append(Row(f"one_{len(rows):04d}.flac", text, split, f"{split}er", varied))
            if len(rows) == n:
                return rows
    return (rows + _joins(found, splits, rng))[:n]


def _joins(
    found: list[tuple[np.ndarray, str]], splits: list[str], rng: np.random.Generator
) -> list[Row]:
    """The first half of a clip and the second one of the next longer ones of the same split."""
    rows = []
    for distance in range(1, N_PARTNERS + 1):
        for side in ("train", "test"):
            same = [clip for clip, split in zip(found, splits, strict=True) if split == side]
            same.sort(key=lambda clip: len(clip[0]))
            for (one, first), (other, second) in zip(same, same[distance:], strict=False):
                samples = np.concatenate([one[: len(one) // 2], other[len(other) // 2 :]])
                first_words, second_words = first.split(), second.split()
                words = first_words[: -(-len(first_words) // 2)]
                words += second_words[len(second_words) // 2 :]
                text, name = sentence(" ".join(words)), f"two_{len(rows):04d}.flac"
                rows.append(Row(name, text, side, f"{side}er", samples * rng.uniform(*GAIN)))
    return rows


def saved_as(samples: np.ndarray, kind: str) -> np.ndarray:
    file = io.BytesIO()
    soundfile.write(file, samples, SAMPLE_RATE, format=kind)
    return soundfile.read(io.BytesIO(file.getvalue()), dtype="float32")[0]


def write(folder: Path, rows: list[Row]) -> Path:
    """The rows as a table beside their recordings, as a person uploads them."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "metadata.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(COLUMNS)
        table.writerows((row.name, row.text, row.split, row.speaker) for row in rows)
    for row in rows:
        if row.samples is not None:
            soundfile.write(folder / row.name, np.clip(row.samples, -1, 1), SAMPLE_RATE)
    return folder
