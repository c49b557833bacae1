"""Does the speech window teach as well as 30-second training, and in how much less time?

    python benchmarks/quality.py --source FOLDER --work DIR --json FILE

The same base is trained on the same clips both ways, several seeds each: in 30-second windows as
the seed's recipe does (random batches of 8, 3 epochs, dropout 0.05; without its checkpointing,
which a CPU does not need, so the ratio is modest), and in the speech window with our defaults.
Every process has one thread, and time is its own CPU time: two run side by side on a machine that
may be busy. The held-out clips are transcribed at the end of every training, at 30 s and in the
speech window, and in the middle of ours at 30 s.
`--work` keeps every training and every transcript, so that a broken run goes on where it was.

`--source`: a folder with audio and a metadata.csv that has a `split` column, at least 150 clips
of it "test". The bundled example has 40, which shows the direction only.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import QUICK_BASE, REPOSITORY, race_environment
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.evaluation.metrics import clip_score, score
from whisper_tuner.runs.folder import Run

WINDOWS = ("full", "speech")
SEED_EPOCHS, SEED_LEARNING_RATE = 3, 1e-3
N_RESAMPLES = 10_000


def configurations(options: argparse.Namespace) -> list[TrainConfig]:
    """Both ways of training for every seed."""
    ours = TrainConfig(
        base=options.base,
        language=options.language,
        precision="32bit",
        epochs=options.epochs,
        window="speech",
    )
    seeds_recipe = replace(
        ours,
        window="full",
        vary_speed=False,
        learning_rate=SEED_LEARNING_RATE,
        epochs=options.seed_epochs,
    )
    return [replace(way, seed=s) for s in options.seeds for way in (seeds_recipe, ours)]


def run_arm(work: Path, config: TrainConfig, environment: dict[str, str]) -> None:
    """Train, then listen with every epoch's adapter; what is there already is not done again."""
    folder = work / f"{config.window}-{config.seed}"
    if not (folder / "done").exists():
        _child("train", work, config, environment)
    for epoch in points(config):
        heard_in = WINDOWS if epoch == config.epochs else ("full",)
        _child("listen", work, config, environment, f"{folder.name}/epoch-{epoch}", *heard_in)


def points(config: TrainConfig) -> list[int]:
    """The epochs behind which a training is heard: of ours the middle too."""
    middle = -(-config.epochs // 2)
    return sorted({config.epochs} if config.window == "full" else {middle, config.epochs})


def _child(
    what: str, work: Path, config: TrainConfig, environment: dict[str, str], *name: str
) -> None:
    command = [sys.executable, "-m", "benchmarks.quality_arm", what, str(work)]
    with (work / f"{config.window}-{config.seed}.log").open("a") as log:
        subprocess.run(
            [*command, json.dumps(config.to_dict()), *name],
            env={**environment, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
            cwd=REPOSITORY,
            stdout=log,
            stderr=log,
            check=True,
        )


def curve(work: Path, configs: list[TrainConfig], clips: list[Clip]) -> list[dict]:
    """Points of one way to train, each a mean over the seeds: samples, CPU seconds, WER at 30 s."""
    points_of_curve = []
    for epoch in points(configs[0]):
        rates = [_rate(clips, _texts(work, c, epoch, "full"), c.language) for c in configs]
        points_of_curve.append(
            {
                "epoch": epoch,
                "samples": epoch * len(read_clips(work / "dataset", "train")),
                "cpu_s": mean(_cpu_s(work, config, epoch) for config in configs),
                "wer_30s": mean(rates),
                "wer_30s_seeds": rates,
            }
        )
    return points_of_curve


def _cpu_s(work: Path, config: TrainConfig, epoch: int) -> float:
    lines = (work / f"{config.window}-{config.seed}" / "steps.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in lines]
    return max(row["cpu_s"] for row in rows if row["epoch"] <= epoch + 1e-6)


def _texts(work: Path, config: TrainConfig, epoch: int, window: str) -> list[str]:
    name = f"{config.window}-{config.seed}/epoch-{epoch}.{window}.json"
    return json.loads((work / name).read_text())


def _rate(clips: list[Clip], texts: list[str], language: str) -> float:
    return score([clip.text for clip in clips], texts, language).wer


def seconds_to(curve_points: list[dict], base_wer: float, wanted: float) -> float | None:
    """When a curve first reaches a WER at 30 s: straight lines between its points."""
    before_s, before = 0.0, base_wer
    for point in curve_points:
        if point["wer_30s"] <= wanted:
            share = (before - wanted) / (before - point["wer_30s"]) if before > wanted else 0.0
            return before_s + share * (point["cpu_s"] - before_s)
        before_s, before = point["cpu_s"], point["wer_30s"]
    return None


def interval(
    clips: list[Clip], ours: list[list[str]], theirs: list[list[str]], language: str
) -> list[float]:
    """95 % of the paired bootstrap (over clips, all seeds of a clip together) of ours - theirs."""
    rows = []
    for i, clip in enumerate(clips):
        a, b = (
            [clip_score(clip.text, way[i], language) for way in ways] for ways in (ours, theirs)
        )
        rows.append((mean(s.n_word_errors for s in a) - mean(s.n_word_errors for s in b), a[0]))
    draw = random.Random(1)
    differences = []
    for _ in range(N_RESAMPLES):
        chosen = draw.choices(rows, k=len(rows))
        differences.append(sum(row[0] for row in chosen) / sum(row[1].n_words for row in chosen))
    differences.sort()
    return [differences[int(share * N_RESAMPLES)] for share in (0.025, 0.975)]


def summary(work: Path, configs: list[TrainConfig]) -> dict:
    clips = read_clips(work / "dataset", "test")
    ways = {window: [c for c in configs if c.window == window] for window in WINDOWS}
    curves = {window: curve(work, ways[window], clips) for window in WINDOWS}
    language = configs[0].language
    base_wer, base_speech_wer = (
        _rate(clips, json.loads((work / f"base.{w}.json").read_text()), language) for w in WINDOWS
    )
    ends = {window: curves[window][-1] for window in WINDOWS}
    last = {w: [_texts(work, c, c.epochs, "full") for c in ways[w]] for w in WINDOWS}
    in_window = {
        w: mean(_rate(clips, _texts(work, c, c.epochs, "speech"), language) for c in ways[w])
        for w in WINDOWS
    }
    ours_s = seconds_to(curves["speech"], base_wer, ends["full"]["wer_30s"])
    return {
        "time_ratio": ends["full"]["cpu_s"] / ours_s if ours_s else None,
        "time_share_of_ours_at_its_end": ends["speech"]["cpu_s"] / ends["full"]["cpu_s"],
        "wer_30s_ours": ends["speech"]["wer_30s"],
        "wer_30s_seed": ends["full"]["wer_30s"],
        "wer_30s_base": base_wer,
        "wer_speech_window_ours": in_window["speech"],
        "wer_speech_window_seed": in_window["full"],
        "wer_speech_window_base": base_speech_wer,
        "difference": ends["speech"]["wer_30s"] - ends["full"]["wer_30s"],
        "interval": interval(clips, last["speech"], last["full"], language),
        "n_train": len(read_clips(work / "dataset", "train")),
        "n_held_out": len(clips),
        "n_words": score([c.text for c in clips], [c.text for c in clips], language).n_words,
        "seeds": [config.seed for config in ways["full"]],
        "curves": curves,
    }


def show(result: dict) -> None:
    print("training  epoch  samples   CPU s   WER at 30 s   of each seed")
    for window, curve_points in result["curves"].items():
        for p in curve_points:
            each = "  ".join(f"{rate:.1%}" for rate in p["wer_30s_seeds"])
            numbers = f"{p['epoch']:5}  {p['samples']:7}  {p['cpu_s']:6.0f}   {p['wer_30s']:11.1%}"
            print(f"{window:8}  {numbers}   {each}")
    print(
        f"WER in the speech window: base {result['wer_speech_window_base']:.1%}, "
        f"ours {result['wer_speech_window_ours']:.1%}, "
        f"the seed's {result['wer_speech_window_seed']:.1%}"
    )
    low, high = result["interval"]
    print(
        f"WER at 30 s, base {result['wer_30s_base']:.1%}: ours {result['wer_30s_ours']:.1%}, "
        f"the seed's {result['wer_30s_seed']:.1%}; difference {result['difference']:+.1%} "
        f"(95 % {low:+.1%} … {high:+.1%}, {result['n_held_out']} clips, {len(result['seeds'])} "
        f"seeds), ours in {result['time_share_of_ours_at_its_end']:.0%} of the time"
    )
    ratio = result["time_ratio"]
    print(f"time_ratio {ratio:.2f}" if ratio else "ours did not reach the seed's WER")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--source", type=Path, default=steps.EXAMPLE_DIR)
    parser.add_argument("--language", default=steps.EXAMPLE_LANGUAGE)
    parser.add_argument("--base", default="openai/whisper-base")
    parser.add_argument("--work", type=Path, help="where trainings and transcripts are kept")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=6, help="of ours")
    parser.add_argument("--seed-epochs", type=int, default=SEED_EPOCHS, help="of the seed's recipe")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes side by side")
    parser.add_argument("--quick", action="store_true", help="under a minute, to see that it runs")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.quick:
        options.base, options.seeds = QUICK_BASE, [1]
        options.epochs = options.seed_epochs = 1
    with tempfile.TemporaryDirectory() as scratch:
        work = options.work or Path(scratch) / "work"
        work.mkdir(parents=True, exist_ok=True)
        with race_environment(
            options.base, is_random=options.quick, is_tiny=options.quick, threads=1
        ) as environment:
            result = measure(options, work, environment)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


def measure(options: argparse.Namespace, work: Path, environment: dict[str, str]) -> dict:
    if not (work / "dataset").exists():
        source = Run(work)
        steps.prepare(source, [options.source])
    configs = configurations(options)
    with ThreadPoolExecutor(options.jobs) as pool:
        base = pool.submit(_child, "listen", work, configs[0], environment, "base", *WINDOWS)
        arms = [pool.submit(run_arm, work, config, environment) for config in configs]
        for job in (base, *arms):
            job.result()
    return summary(work, configs)


if __name__ == "__main__":
    main()
