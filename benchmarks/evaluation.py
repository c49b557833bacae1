"""How fast are held-out clips heard with an adapter, and how well? Ours against four others.

    python benchmarks/evaluation.py --adapter DIR --json FILE

An adapter is trained first through the product (`steps.prepare`, `steps.train`), or one is taken
from an earlier call with the same `--adapter`. Then the seed's hand-written loop, transformers'
pipeline, ours (in the speech window and at 30 s) and faster-whisper (adapter merged, float32 and
int8, clip by clip and batched) hear the same clips, in turns. All greedy, with the language given.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import speech
from benchmarks.turns import QUICK_BASE, REPOSITORY, race_environment
from whisper_tuner import steps
from whisper_tuner.config import PRECISIONS, TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import find_device
from whisper_tuner.runs.folder import Run

POLL_S = 0.5


def trained_run(folder: Path, options: argparse.Namespace) -> Run:
    """The run with an adapter in `folder`; trained there when there is none."""
    for run_dir in sorted(folder.glob("runs/*/")):
        if Run(run_dir).has_adapter:
            return Run(run_dir)
    if options.source:
        run = Run.create(folder / "runs")
        steps.prepare(run, [options.source])
    else:
        n_train, n_test = (8, 2) if options.quick else (120, options.clips or 40)
        run = speech.prepare(folder, n_train, n_test)
    config = TrainConfig(
        base=options.base,
        language=options.language,
        precision=options.precision,
        epochs=options.epochs,
        max_steps=1 if options.random else 0,
        n_score_clips=0,
    )
    steps.train(run, config)
    while jobs.is_alive(run):
        time.sleep(POLL_S)
    if not run.has_adapter:
        raise SystemExit("\n".join([str(jobs.status(run)), *jobs.log_tail(run)]))
    return run


def measure(options: argparse.Namespace, folder: Path) -> dict:
    with race_environment(
        options.base, options.random, options.quick, options.threads
    ) as environment:
        os.environ.update(environment)  # for the worker that trains the adapter
        run = trained_run(folder, options)
        task = {
            "run_dir": str(run.dir),
            "n_clips": options.clips,
            "n_rounds": options.rounds,
            "with_faster_whisper": not options.no_faster_whisper,
        }
        command = [sys.executable, "-m", "benchmarks.listeners", json.dumps(task)]
        done = subprocess.run(
            command, env=environment, cwd=REPOSITORY, capture_output=True, text=True, check=False
        )
    if done.returncode:
        raise SystemExit(done.stderr)
    return {"device": find_device().name, **json.loads(done.stdout)}


def table(result: dict) -> str:
    lines = [
        f"{result['base']} in {result['precision']} on {result['device']}, "
        f"{result['threads']} threads, {result['n_clips']} clips, {result['audio_s']:.0f} s",
        f"{'':30}{'clips/s':>8} {'/CPU-s':>7} {'audio-s/s':>10} {'to seed':>8} {'WER':>7}",
    ]
    for name, row in result["rows"].items():
        lines.append(
            f"{name:30}{row['clips_per_s']:8.2f} {row['clips_per_cpu_s']:7.2f} "
            f"{row['audio_s_per_s']:10.1f} {row['speedup_vs_seed']:7.1f}x {row['wer']:7.1%}"
        )
    return "\n".join(lines)


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="openai/whisper-base")
    parser.add_argument("--source", type=Path, metavar="DIR", help="recordings instead of ours")
    parser.add_argument("--language", default=steps.EXAMPLE_LANGUAGE, help="of the recordings")
    parser.add_argument("--random", action="store_true", help="random weights, one training step")
    parser.add_argument("--precision", choices=PRECISIONS)
    parser.add_argument("--adapter", type=Path, metavar="DIR", help="kept here, and reused")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--clips", type=int, default=0, help="held-out clips (default: all)")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--no-faster-whisper", action="store_true")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tiny model, under a minute")
    options = parser.parse_args(arguments)
    if not options.precision:
        options.precision = "8bit" if find_device().kind == "cuda" else "32bit"
    if options.quick:
        options.base, options.random, options.rounds = QUICK_BASE, True, 1
        options.threads = 1  # two wait for each other on a busy machine
    return options


def main(arguments: list[str] | None = None) -> None:
    options = parse(arguments)
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(options, (options.adapter or Path(scratch)).resolve())
    print(table(result))
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
