"""Exact and near copies of recordings, with texts of their own: does one cross the split?"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.fuzz_parts.clean import Row, clean_rows, saved_as, sentence, write
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data import upload
from whisper_tuner.data.clips import read_clips
from whisper_tuner.data.doctor import find_copies, group
from whisper_tuner.data.prepare import prepare
from whisper_tuner.data.sounds import read_sounds

N_CLEAN = 2000
N_COPIES = 100


def changed(samples: np.ndarray, i: int, rng: np.random.Generator) -> np.ndarray:
    """A near copy: re-encoded, louder or quieter, trimmed by some tenths of a second, or noisy."""
    cut = round(rng.uniform(0.1, 0.4) * SAMPLE_RATE)
    noise = rng.standard_normal(len(samples)) * np.sqrt(np.mean(samples**2)) * 10 ** (-25 / 20)
    ways = (
        lambda: saved_as(samples, "MP3"),
        lambda: saved_as(samples, "OGG"),
        lambda: samples * rng.uniform(0.2, 0.8),
        lambda: samples[cut:] if i % 2 else samples[:-cut],
        lambda: samples + noise,
        lambda: saved_as((samples + noise)[cut:] * 0.6, "MP3"),
    )
    return ways[i % len(ways)]()


def count_leaks(
    folder: Path,
    count_tokens: Callable[[str], int],
    n_clean: int = N_CLEAN,
    n_copies: int = N_COPIES,
    seed: int = 42,
) -> dict:
    """Plant exact and near copies with texts of their own, and count those that cross the split."""
    rng = np.random.default_rng(seed)
    clean = [replace(row, split="", speaker="") for row in clean_rows(n_clean, seed)]
    long = [row for row in clean if len(row.samples) > 1.2 * SAMPLE_RATE]
    chosen = [long[i] for i in rng.permutation(len(long))[: 2 * n_copies]]
    copied = []
    for i, row in enumerate(chosen):
        kind = "exact" if i < n_copies else "near"
        samples = row.samples if kind == "exact" else changed(row.samples, i, rng)
        text = sentence(f"{kind} numero {i} detto una volta")
        copied.append(Row(f"{kind}_{i:04d}.flac", text, samples=samples))
    source = write(folder / "source", clean + copied)
    prepare(upload.candidates([source]), folder / "dataset", count_tokens, seed)
    clips = read_clips(folder / "dataset")
    side = {clip.name: clip.split for clip in clips}
    sounds = read_sounds(folder / "dataset")
    by_id = {clip.id: clip.name for clip in clips}
    alike = {by_id[i]: first for i, first in group(find_copies(clips, sounds)).items()}
    pairs = [(copy.name, row.name) for copy, row in zip(copied, chosen, strict=True)]
    crossing = [copy for copy, original in pairs if side[copy] != side[original]]
    tied = [copy for copy, original in pairs if alike.get(copy) == alike.get(original) is not None]
    expected = {name for pair in pairs for name in pair}
    return {
        "leaks": len(pairs),
        "exact_apart": sum(name.startswith("exact") for name in crossing),
        "near_apart": sum(name.startswith("near") for name in crossing),
        "exact_tied": sum(name.startswith("exact") for name in tied),
        "near_tied": sum(name.startswith("near") for name in tied),
        "false_ties": len(alike.keys() - expected),
        "test_clips": sum(split == "test" for split in side.values()),
    }
