"""How do preparing and loading grow with the number of clips?

    python benchmarks/scaling.py --sizes 100 1000 10000 --json FILE

Cuts different pieces out of the bundled Italian speech and writes them as 48 kHz MP3, as Common
Voice publishes its clips: 4.32 s on average, so that 10,000 are 12 hours. Writing them is not
timed. Then, in a fresh process for every size:

- prepare: `steps.prepare` on a real run, from one ZIP as it is uploaded: unpack, decode, check,
  split, write FLAC, and all that the doctor examines
- loader: one epoch of the training's batches from that run, drawn by the Trainer's own data
  loader; the model is one number that never sees them

Wall time is `perf_counter`; CPU time is that of the process with all its threads and of the
children that decode; peak memory is the kernel's, imports included, of the process (VmHWM) and of
its largest child. The files are in the page cache, having just been written.
"""

import argparse
import csv
import json
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import soundfile
import soxr

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs.folder import Run

MP3_RATE = 48_000  # Hz
CLIP_S = (1.5, 7.14)  # uniform; mean 4.32 s
WORDS_PER_S = 2
GAIN = (0.5, 1.2)
SEED = 42
BATCH_SIZE = 8
SIZES = (100, 1_000, 10_000)
QUICK_SIZES = (20, 80)
GROWTH_FROM = 1_000  # clips; memory is to be flat from here on
METADATA_NAME = "metadata.csv"


def write_source(folder: Path, n_clips: int) -> None:
    """`n_clips` MP3 files that all differ, and a table with a transcript for each."""
    (folder / "clips").mkdir(parents=True)
    paths = sorted(steps.EXAMPLE_DIR.glob("clips/*.flac"))
    speech = soxr.resample(np.concatenate([read_flac(p) for p in paths]), SAMPLE_RATE, MP3_RATE)
    with (steps.EXAMPLE_DIR / METADATA_NAME).open(encoding="utf-8", newline="") as file:
        words = " ".join(row["transcription"] for row in csv.DictReader(file)).split()
    rng = np.random.default_rng(SEED)
    clips, rows = [], []
    for i in range(n_clips):
        seconds = rng.uniform(*CLIP_S)
        n_samples = round(seconds * MP3_RATE)
        clips.append((rng.integers(len(speech) - n_samples), n_samples, rng.uniform(*GAIN)))
        text = " ".join(rng.choice(words, round(seconds * WORDS_PER_S)))
        rows.append((f"clips/{i:05d}.mp3", text))

    def write(row: tuple[str, str], clip: tuple[int, int, float]) -> None:
        start, n_samples, gain = clip
        samples = np.clip(gain * speech[start : start + n_samples], -1, 1)
        soundfile.write(folder / row[0], samples, MP3_RATE)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, rows, clips))
    _write_table(folder, rows)


def first_of(source: Path, n_clips: int, folder: Path) -> Path:
    """A source of the first `n_clips` of another one: the same files, a shorter table."""
    (folder / "clips").mkdir(parents=True)
    with (source / METADATA_NAME).open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1 : n_clips + 1]
    for name, _ in rows:
        os.link(source / name, folder / name)
    _write_table(folder, rows)
    return folder


def packed(folder: Path) -> Path:
    """The folder as a ZIP beside it."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in sorted(folder.rglob("*.*")):
            archive.write(file, file.relative_to(folder))
    return path


def _write_table(folder: Path, rows: list) -> None:
    with (folder / METADATA_NAME).open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file_name", "transcription"), *rows])


def measured(work: Callable[[], dict]) -> dict:
    """What `work` returns, with its seconds and the peak memory of this process and a child."""
    wall, cpu = time.perf_counter(), _cpu_s()
    result = work()
    wall, cpu = time.perf_counter() - wall, _cpu_s() - cpu
    status = Path("/proc/self/status").read_text(encoding="ascii")
    peak_kib = next(int(line.split()[1]) for line in status.splitlines() if "VmHWM" in line)
    return {
        "s": round(wall, 3),
        "cpu_s": round(cpu, 3),
        "peak_rss_mb": round(peak_kib * 1024 / 1e6, 1),
        "child_peak_rss_mb": round(_children().ru_maxrss * 1024 / 1e6, 1),
        **result,
    }


def _cpu_s() -> float:
    """Of this process and of its children that have ended."""
    return time.process_time() + _children().ru_utime + _children().ru_stime


def _children() -> resource.struct_rusage:
    return resource.getrusage(resource.RUSAGE_CHILDREN)


def prepare(run: Run, source: Path) -> dict:
    def work() -> dict:
        report = steps.prepare(run, [source])
        return {
            "audio_s": report.train_s + report.test_s,
            "n_refused": sum(f.refused for f in report.findings),
        }

    return measured(work)


def load_epoch(run: Run) -> dict:
    """One epoch of the training's batches. Imported here: preparing is measured without torch."""
    import torch

    from whisper_tuner.data.clips import read_clips
    from whisper_tuner.model.batches import BatchPlan
    from whisper_tuner.model.load import load_processor
    from whisper_tuner.model.offline import BASE_ID
    from whisper_tuner.training.collator import Collator, PlannedClips
    from whisper_tuner.training.trainer import WhisperTrainer, training_arguments

    config = TrainConfig(BASE_ID, steps.EXAMPLE_LANGUAGE, "32bit", batch_size=BATCH_SIZE)
    processor = load_processor(config.base, config.language)
    start_id = processor.tokenizer.convert_tokens_to_ids("<|startoftranscript|>")

    def work() -> dict:
        clips = read_clips(run.dataset_dir, "train")
        durations_s = [clip.duration_s for clip in clips]
        plan = BatchPlan.of(config, durations_s)
        trainer = WhisperTrainer(
            model=torch.nn.Linear(1, 1),
            args=training_arguments(config, run.dir / "checkpoints", torch.device("cpu")),
            train_dataset=PlannedClips(clips, plan),
            data_collator=Collator(processor, run.dataset_dir, start_id),
            processing_class=processor,
        )
        n_clips = sum(len(batch["labels"]) for batch in trainer.get_train_dataloader())
        return {"n_clips": n_clips, "audio_s": sum(durations_s)}

    return measured(work)


def in_fresh_process(function: Callable[..., dict], *arguments: object) -> dict:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def measure(sizes: list[int], folder: Path) -> list[dict]:
    """A row for every size, smallest first."""
    source = folder / "source"
    print(f"writing {max(sizes)} clips ...", flush=True)
    write_source(source, max(sizes))
    rows = []
    for n_clips in sizes:
        part = packed(first_of(source, n_clips, folder / f"source-{n_clips}"))
        run = Run.create(folder / "runs")
        stages = {
            "prepare": in_fresh_process(prepare, run, part),
            "loader": in_fresh_process(load_epoch, run),
        }
        rows.append({"clips": n_clips, **stages})
        print(json.dumps(rows[-1]), flush=True)
    return rows


def summary(rows: list[dict]) -> dict:
    """The figures of all rows together; slopes are fitted by least squares."""
    clips = [row["clips"] for row in rows]
    first = next((row for row in rows if row["clips"] >= GROWTH_FROM), rows[0])
    slopes, growth = {}, {}
    for stage in ("prepare", "loader"):
        seconds, megabytes = (
            np.polyfit(clips, [row[stage][key] for row in rows], 1)[0]
            for key in ("s", "peak_rss_mb")
        )
        slopes[stage] = {
            "s_per_clip": round(float(seconds), 5),
            "mb_per_1000_clips": round(1000 * float(megabytes), 2),
        }
        growth[stage] = round(rows[-1][stage]["peak_rss_mb"] / first[stage]["peak_rss_mb"] - 1, 3)
    last = rows[-1]["prepare"]
    return {
        "real_time_factor": round(last["audio_s"] / last["s"], 1),
        "real_time_factor_cpu": round(last["audio_s"] / last["cpu_s"], 1),
        "rss_growth": max(growth.values()),
        "rss_growth_of": growth,
        "growth_from_clips": first["clips"],
        "slopes": slopes,
        "n_cpus": os.cpu_count(),
        "rows": rows,
    }


def print_table(figures: dict) -> None:
    print(f"\n{'clips':>7} {'stage':8} {'audio h':>8} {'s':>8} {'CPU s':>8} {'x real time':>12} MB")
    for row in figures["rows"]:
        for stage in ("prepare", "loader"):
            result = row[stage]
            factor, hours = result["audio_s"] / result["s"], result["audio_s"] / 3600
            print(
                f"{row['clips']:7} {stage:8} {hours:8.2f} {result['s']:8.1f}"
                f" {result['cpu_s']:8.1f} {factor:12.0f} {result['peak_rss_mb']:.0f}"
            )
    for stage, slope in figures["slopes"].items():
        print(
            f"slope of {stage}: {1000 * slope['s_per_clip']:.2f} ms a clip,"
            f" {slope['mb_per_1000_clips']:.1f} MB per 1,000 clips; peak memory"
            f" {figures['rss_growth_of'][stage]:+.1%} from {figures['growth_from_clips']} clips on"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--quick", action="store_true", help=f"the sizes {QUICK_SIZES}")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    sizes = sorted(set(QUICK_SIZES if options.quick else options.sizes))
    if len(sizes) < 2:
        parser.error("a slope needs two sizes")
    with tempfile.TemporaryDirectory() as temp:
        figures = summary(measure(sizes, Path(temp)))
    print_table(figures)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
