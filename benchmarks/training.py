"""How much faster than the 2023 recipe does Whisper Tuner train, and how close to the device?

    python benchmarks/training.py --json FILE
    python benchmarks/training.py --base openai/whisper-large-v2 --random --precision 8bit 16bit

The seed's recipe (`seed_recipe.py`) and ours train on the same clips in processes of their own that
take turns: some steps of the one while the others wait, then some of the next, several rounds. Each
runs the Trainer's real `train()`. Rates are medians of the rounds, by wall clock and by the
processes' own CPU time (on a shared machine only the latter is steady). A further process trains
ours on the same batches held in memory, to show that the data never waits.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import speech
from benchmarks.turns import QUICK_BASE, Contestant, Task, race_environment
from whisper_tuner import steps
from whisper_tuner.config import PRECISIONS
from whisper_tuner.data.clips import read_report
from whisper_tuner.runs.device import find_device

N_WARM = 3  # steps of ours before the first turn; the first of them is the largest
N_TRAIN, N_TEST = 120, 8  # clips; held-out ones are not used, a dataset has to have some


def figures(contestant: Contestant) -> dict:
    """Medians of the turns' rates and sums of what they computed."""
    turns = contestant.turns
    real = sum(turn["real_positions"] for turn in turns)
    last = turns[-1]
    return {
        "precision": contestant.task.precision,
        "samples_per_s": _median(turns, "n_clips", "wall_s"),
        "samples_per_cpu_s": _median(turns, "n_clips", "cpu_s"),
        "audio_s_per_s": _median(turns, "audio_s", "wall_s"),
        "steps_per_s": _median(turns, "n_steps", "wall_s"),
        "padded_share": 1 - real / sum(turn["positions"] for turn in turns),
        "tflops": _median(turns, "flop", "wall_s") / 1e12,
        "tflops_cpu": _median(turns, "flop", "cpu_s") / 1e12,
        "useful_tflops": _median(turns, "useful_flop", "wall_s") / 1e12,
        "probe_tflops": statistics.median(turn["probe"]["tflops"] for turn in turns),
        "share_of_probe": _share_of_probe(turns, "wall_s", "tflops"),
        "share_of_probe_cpu": _share_of_probe(turns, "cpu_s", "tflops_cpu"),
        "data_share": sum(t["data_s"] for t in turns) / sum(t["wall_s"] for t in turns),
        "memory": {**last["memory"], "driver_mb": round(contestant.driver_mb)},
        "rounds": turns,
    }


def _median(turns: list[dict], what: str, seconds: str) -> float:
    return statistics.median(turn[what] / turn[seconds] for turn in turns)


def _share_of_probe(turns: list[dict], seconds: str, rate: str) -> float:
    """Each turn against the probe that ran right behind it in the same process."""
    return statistics.median(t["flop"] / t[seconds] / 1e12 / t["probe"][rate] for t in turns)


def ratio(ours: Contestant, other: Contestant, what: str, seconds: str) -> float:
    """Median over the rounds of our rate to the other's in the same round."""
    pairs = zip(ours.turns, other.turns, strict=True)
    return statistics.median((a[what] / a[seconds]) / (b[what] / b[seconds]) for a, b in pairs)


def against(seed: Contestant, ours: Contestant) -> dict:
    """One precision of ours against the seed's recipe."""
    result = figures(ours)
    return {
        "speedup": ratio(ours, seed, "n_clips", "wall_s"),
        "speedup_cpu": ratio(ours, seed, "n_clips", "cpu_s"),
        "share_of_probe": result["share_of_probe"],
        "share_of_probe_cpu": result["share_of_probe_cpu"],
        "ours": result,
    }


def tasks(options: argparse.Namespace, dataset_dir: Path) -> list[Task]:
    """The seed's recipe first, then ours in every precision, then the first of these from memory.

    The seed's is 8 bit, as published, unless all is 32 bit.
    """
    common = {
        "dataset_dir": str(dataset_dir),
        "base": options.base,
        "language": steps.EXAMPLE_LANGUAGE,
        "batch_size": options.batch_size,
        "n_turns": options.rounds,
        "probe_s": 0.2 if options.quick else 1.0,
    }
    is_32bit = options.precision == ["32bit"]
    seed = Task(
        role="seed",
        precision="32bit" if is_32bit else "8bit",
        n_warm=1,
        n_steps=options.seed_steps,
        **common,
    )
    common |= {"n_warm": N_WARM, "n_steps": options.steps}
    profile = str(options.profile.resolve()) if options.profile else ""
    first, *more = options.precision
    ours = [Task(role="ours", precision=first, profile=profile, **common)]
    ours += [Task(role="ours", precision=precision, **common) for precision in more]
    if not options.no_data_check:
        ours.append(Task(role="memory", precision=first, **common))
    return [seed, *ours]


def race(options: argparse.Namespace, folder: Path) -> dict:
    """Run all contestants in turns; returns what goes into the JSON file."""
    run = speech.prepare(folder, options.clips, N_TEST, options.lengths)
    report = read_report(run.dataset_dir)
    with (
        race_environment(options.base, options.random, options.quick, options.threads) as environ,
        ExitStack() as stack,
    ):
        contestants = []
        for task in tasks(options, run.dataset_dir):
            contestants.append(Contestant(task, environ))
            stack.callback(contestants[-1].close)
            if find_device().kind == "cuda":
                contestants[-1].wait_until_warm()
        if find_device().kind != "cuda":
            for contestant in contestants:
                contestant.wait_until_warm()
        for _ in range(options.rounds):
            for contestant in contestants:
                contestant.turn()
    seed, *ours = contestants
    return {**summary(seed, ours, options), "mean_clip_s": report.train_s / report.n_train}


def summary(seed: Contestant, others: list[Contestant], options: argparse.Namespace) -> dict:
    ours = [contestant for contestant in others if contestant.task.role == "ours"]
    first, *more = [against(seed, contestant) for contestant in ours]
    result = {
        "base": options.base,
        "random_weights": options.random,
        "device": find_device().name,
        "threads": options.threads,
        **first,
        "seed": figures(seed),
        "more_precisions": more,
    }
    memory = [contestant for contestant in others if contestant.task.role == "memory"]
    if memory:
        result["data"] = {
            "steps_per_s_disk": _median(ours[0].turns, "n_steps", "wall_s"),
            "steps_per_s_memory": _median(memory[0].turns, "n_steps", "wall_s"),
            "disk_to_memory": ratio(ours[0], memory[0], "n_steps", "wall_s"),
            "disk_to_memory_cpu": ratio(ours[0], memory[0], "n_steps", "cpu_s"),
        }
    return result


def table(result: dict) -> str:
    """The figures as a person reads them."""
    rows = [result, *result["more_precisions"]]
    lines = [
        f"{result['base']} on {result['device']}, {result['threads']} threads, "
        f"clips of {result['mean_clip_s']:.1f} s in the mean",
        f"{'':12}{'samples/s':>11} {'/CPU-s':>7} {'audio-s/s':>10} {'padded':>7} {'TFLOP/s':>8} "
        f"{'useful':>7} {'of probe':>9} {'data':>5} {'MB':>7}",
        _row("seed", result["seed"]),
        *(_row("ours", row["ours"]) for row in rows),
    ]
    for row in rows:
        lines.append(
            f"ours in {row['ours']['precision']}: {row['speedup']:.1f}x the seed's samples/s by "
            f"wall clock, {row['speedup_cpu']:.1f}x by CPU time"
        )
    if "data" in result:
        data = result["data"]
        lines.append(
            f"steps/s from disk to steps/s from memory: {data['disk_to_memory']:.3f} by wall clock,"
            f" {data['disk_to_memory_cpu']:.3f} by CPU time"
        )
    return "\n".join(lines)


def _row(name: str, row: dict) -> str:
    memory_mb = row["memory"].get("allocated_mb", row["memory"]["resident_mb"])
    return (
        f"{name} {row['precision']:>5}  {row['samples_per_s']:11.2f} "
        f"{row['samples_per_cpu_s']:7.2f} {row['audio_s_per_s']:10.1f} "
        f"{row['padded_share']:7.0%} {row['tflops']:8.3f} {row['useful_tflops']:7.3f} "
        f"{row['share_of_probe']:9.0%} {row['data_share']:5.1%} {memory_mb:7,}"
    )


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="openai/whisper-base")
    parser.add_argument("--random", action="store_true", help="random weights, no Hub")
    parser.add_argument("--precision", nargs="+", choices=PRECISIONS)
    parser.add_argument("--lengths", type=float, metavar="MEAN_S", help="join clips to this mean")
    parser.add_argument("--clips", type=int, default=N_TRAIN)
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=15, help="ours, in a turn")
    parser.add_argument("--seed-steps", type=int, default=2, help="the seed's, in a turn")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-data-check", action="store_true")
    parser.add_argument("--profile", type=Path, help="operations, dtypes and times of some steps")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tiny model, under a minute")
    options = parser.parse_args(arguments)
    if not options.precision:
        options.precision = ["8bit" if find_device().kind == "cuda" else "32bit"]
    if options.quick:
        options.base, options.random, options.rounds = QUICK_BASE, True, 2
        options.threads = 1  # two wait for each other on a busy machine
        options.clips, options.steps, options.seed_steps = 24, 3, 1
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as folder:
        result = race(options, Path(folder))
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
