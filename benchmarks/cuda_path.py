"""Does the whole job hold on a CUDA device? The real worker, real speech, random weights.

    python benchmarks/cuda_path.py --base openai/whisper-large-v2 --precision 8bit --json FILE

Builds a base of the published size with random weights (no Hub needed), trains it for some steps on
the bundled example through `steps.train`, as page and command line do, and prints steps/s, peak
device memory (all of it, as the driver counts, CUDA context included) and the adapter's size.
Random weights give meaningless texts, so no WER is printed; speed and memory do not depend on them.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.turns import QUICK_BASE, race_environment
from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.device import find_device
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import Run, default_root


def used_mib() -> int:
    """What all processes have of the device, as its driver counts it; 0 without one."""
    if find_device().kind != "cuda":
        return 0
    query = ["nvidia-smi", "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
    return int(subprocess.run(query, capture_output=True, text=True).stdout.split()[0])


def few_held_out(folder: Path) -> Path:
    """The example with all its training clips but four held out: random weights never stop."""
    if folder.exists():
        return folder
    shutil.copytree(steps.EXAMPLE_DIR, folder)
    table = folder / "metadata.csv"
    rows = table.read_text(encoding="utf-8").splitlines(keepends=True)
    held_out = [row for row in rows if row.rstrip().endswith(",test")]
    table.write_text("".join(row for row in rows if row not in held_out[4:]), encoding="utf-8")
    return folder


def measure(base_id: str, precision: str, window: str, batch_size: int, n_steps: int) -> dict:
    """Train through the product's own steps; figures from the run folder and the driver."""
    run = Run.create(default_root())
    steps.prepare(run, [few_held_out(default_root().parent / "source")])
    idle = used_mib()
    config = TrainConfig(
        base=base_id,
        language=steps.EXAMPLE_LANGUAGE,
        precision=precision,
        window=window,
        batch_size=batch_size,
        max_steps=n_steps,
        n_score_clips=0,
    )
    steps.train(run, config)
    peak = dict.fromkeys(("loading", "base_transcripts", "training", "tuned_transcripts"), 0)
    while jobs.is_alive(run):
        codes = [r.event.code for r in read_events(run.events_path) if r.event.kind == "note"]
        state = jobs.status(run).state
        phase = {"training": "training", "evaluating": "tuned_transcripts"}.get(state, "loading")
        if phase == "loading" and "note_transcribing_base" in codes:
            phase = "base_transcripts"
        if state != "saving":
            peak[phase] = max(peak[phase], used_mib() - idle)
        time.sleep(0.1)
    status = jobs.status(run)
    if status.state != "done":
        raise SystemExit("\n".join([str(status), *jobs.log_tail(run)]))
    records = [r.event for r in read_events(run.events_path) if r.event.kind == "step"]
    last, warm = records[-1], records[2]
    per_step_s = (last.elapsed_s - warm.elapsed_s) / (last.step - warm.step)
    adapter = run.adapter_dir / "adapter_model.safetensors"
    return {
        "device": find_device().name,
        "base": base_id,
        "precision": precision,
        "window": window,
        "batch_size": batch_size,
        "samples_per_s": round(batch_size / per_step_s, 2),
        "peak_mib": peak,
        "first_loss": records[0].loss,
        "last_loss": last.loss,
        "adapter_mb": round(adapter.stat().st_size / 1e6, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="openai/whisper-large-v2")
    parser.add_argument("--precision", nargs="+", default=["8bit"])
    parser.add_argument("--window", nargs="+", default=["speech"])
    parser.add_argument("--batch-size", type=int, default=8)
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--quick", action="store_true", help="a tiny model, under a minute")
    options = parser.parse_args()
    if options.quick:
        options.base, options.steps = QUICK_BASE, 6
    threads = 1 if options.quick else len(os.sched_getaffinity(0))
    with (
        tempfile.TemporaryDirectory() as temp,
        race_environment(options.base, True, options.quick, threads) as environment,
    ):
        os.environ.update(environment, WHISPER_TUNER_RUNS=f"{temp}/runs")
        rows = []
        for precision in options.precision:
            for window in options.window:
                row = measure(options.base, precision, window, options.batch_size, options.steps)
                print(json.dumps(row), flush=True)
                rows.append(row)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
