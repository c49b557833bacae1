"""Wrong transcripts, other languages, music and noise among real clips: does the base tell them?

    python -m benchmarks.fuzz_parts.mismatched FOLDER --language it --foreign OTHER --work DIR

FOLDER has a `metadata.csv` (file_name, transcription), and so has OTHER, in another language. What
the base hears is kept in `--work`, so a run that was ended (`--minutes`) goes on there. Then,
for each of ten seeds, the transcripts of a tenth of the clips (20 of 200) are replaced: half are
swapped, half are sentences of the other language. For all seeds alike there are as many clips that
do not belong there: half of the other language with their own transcripts, half of music and
noise with a transcript of FOLDER's.
"""

import argparse
import csv
import json
import random
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import soundfile

from whisper_tuner.audio import SAMPLE_RATE, write_flac
from whisper_tuner.data.clips import Clip
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.doubts import Heard, can_be_judged, judge
from whisper_tuner.evaluation.hearing import hear
from whisper_tuner.model.load import find_torch_device, load_base, load_processor

BASE, PRECISION = "openai/whisper-base", "32bit"
N_CLIPS, N_FOREIGN, N_SOUNDS, N_SEEDS = 200, 10, 5, 10
PLANTED = 0.1  # of the clips; as many are intruders: half in another language, half music and noise


@dataclass(frozen=True)
class Place:
    """What a `Listener` needs of a run: where its clips are."""

    dataset_dir: Path


def clips_of(folder: Path, n: int, kind: str) -> list[Clip]:
    """`n` clips of at most 30 s, spread over the table."""
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    clips = []
    for row in rows[:: max(1, len(rows) // n)]:
        path = folder / row["file_name"]
        seconds = soundfile.info(path).duration
        if seconds <= 30:
            name = f"{kind}/{row['file_name']}"
            clips.append(Clip(name, str(path), row["transcription"], name, seconds, 0, "train"))
    return clips[:n]


def sounds(folder: Path, texts: list[str], rng: np.random.Generator) -> list[Clip]:
    """Chords that swell, and noise in bursts, each with a transcript of somebody's speech."""
    clips = []
    time_s = np.arange(6 * SAMPLE_RATE) / SAMPLE_RATE
    for i in range(2 * N_SOUNDS):
        kind = "music" if i < N_SOUNDS else "noise"
        swell = 0.5 + 0.4 * np.sin(2 * np.pi * (0.5 + 0.3 * i) * time_s)
        if kind == "music":
            notes = 110 * 2 ** (rng.choice([0, 3, 7, 10, 12, 15, 19], 4) / 12)
            samples = sum(np.sin(2 * np.pi * note * time_s) for note in notes) / 8
        else:
            samples = 0.2 * rng.standard_normal(len(time_s))
        path = folder / f"{kind}_{i}.flac"
        write_flac(path, (samples * swell).astype(np.float32))
        name = f"{kind}/{i}"
        clips.append(Clip(name, str(path), texts[i], name, 6.0, 0, "train"))
    return clips


def hear_all(clips: list[Clip], language: str, kept: Path, limit_s: float) -> dict[str, Heard]:
    """What the base hears in each, as far as it came in that time; goes on from `kept`."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept.exists() else []
    rows = [json.loads(line) for line in lines]
    heard = {row.pop("name"): Heard(**row) for row in rows}
    missing = [clip for clip in clips if clip.id not in heard]
    if not missing:
        return heard
    began_s = time.monotonic()
    base = load_base(BASE, language, PRECISION, find_torch_device())
    listener = Listener(base, load_processor(BASE, language), Place(Path("/")), PRECISION)
    with kept.open("a", encoding="utf-8") as file:
        for batch in hear(listener, missing):
            for clip, told in batch:
                heard[clip.id] = told
                row = {"name": clip.id, **asdict(told)}
                file.write(json.dumps(row, ensure_ascii=False) + "\n")
            file.flush()
            if time.monotonic() - began_s > limit_s:
                break
    return heard


def planted(clips: list[Clip], foreign: list[str], seed: int) -> tuple[list[Clip], set[str]]:
    """The clips with twenty wrong transcripts, and whose."""
    rng = random.Random(seed)
    chosen = rng.sample(range(len(clips)), round(PLANTED * len(clips)))
    swapped, strange = chosen[: len(chosen) // 2], chosen[len(chosen) // 2 :]
    texts = {i: clips[j].text for i, j in zip(swapped, swapped[1:] + swapped[:1], strict=True)}
    texts |= dict(zip(strange, rng.sample(foreign, len(strange)), strict=True))
    wrong = [replace(clip, text=texts.get(i, clip.text)) for i, clip in enumerate(clips)]
    changed = {c.name for c, old in zip(wrong, clips, strict=True) if c.text != old.text}
    return wrong, changed


def count(
    own: list[Clip],
    intruders: list[Clip],
    foreign: list[str],
    heard: dict[str, Heard],
    language: str,
) -> dict:
    """Means over the seeds, but for the intruders, which are the same in all."""
    before = {f.clip for f in judge(own, heard, language) if f.clip}
    told, named, accused, kinds = Counter(), 0, [], Counter()
    n_planted = n_long = 0
    for seed in range(N_SEEDS):
        clips, wrong = planted(own, foreign, seed)
        *found, about = judge([*clips, *intruders], heard, language)
        told[about.code] += 1
        names = {finding.clip for finding in found}
        n_planted += len(wrong)
        n_long += sum(
            can_be_judged(c.text, heard[c.id].text, language) for c in clips if c.name in wrong
        )
        named += len(names & wrong)
        accused.append(len({clip.name for clip in clips} & names - wrong))
        kinds.update(f.clip.split("/")[0] for f in found if f.clip in {c.id for c in intruders})
    present = Counter(clip.id.split("/")[0] for clip in intruders)
    return {
        "clips": len(own),
        "seeds": N_SEEDS,
        "planted": n_planted,
        "planted_judged": n_long,
        "planted_named": named,
        "clean_accused_mean": sum(accused) / N_SEEDS,
        "clean_accused_most": max(accused),
        "accused_with_nothing_planted": sorted(before),
        "said": dict(told),
        "intruders": {
            kind: {"n": n, "named_mean": kinds[kind] / N_SEEDS} for kind, n in present.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--language", required=True)
    parser.add_argument("--foreign", type=Path, required=True)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--clips", type=int, default=N_CLIPS)
    parser.add_argument("--minutes", type=float, default=600)
    parser.add_argument("--json", type=Path, help="updated: one entry for each language")
    options = parser.parse_args()
    options.work.mkdir(parents=True, exist_ok=True)
    own = clips_of(options.folder, options.clips, "own")
    share = len(own) / N_CLIPS
    others = clips_of(options.foreign, N_FOREIGN, "foreign")[: round(share * N_FOREIGN)]
    foreign = [clip.text for clip in clips_of(options.foreign, 60, "text")]
    kept = options.work / f"{options.language}.jsonl"
    with tempfile.TemporaryDirectory() as temp:
        texts = [clip.text for clip in own]
        played = sounds(Path(temp), texts, np.random.default_rng(42))
        n = round(share * N_SOUNDS)
        intruders = [*others, *played[:n], *played[N_SOUNDS : N_SOUNDS + n]]
        heard = hear_all([*intruders, *own], options.language, kept, 60 * options.minutes)
    if any(clip.id not in heard for clip in [*intruders, *own]):
        print(f"{len(heard)} of {len(own) + len(intruders)} clips heard; start it again")
        return
    figures = {options.language: count(own, intruders, foreign, heard, options.language)}
    print(json.dumps(figures, indent=1, ensure_ascii=False))
    if options.json:
        known = json.loads(options.json.read_text()) if options.json.exists() else {}
        text = json.dumps(known | figures, indent=1, ensure_ascii=False)
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
