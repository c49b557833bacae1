"""Five ways to hear held-out clips with one adapter, timed in turns.

`benchmarks/evaluation.py` starts this with a task as JSON and reads one JSON object back.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ctranslate2
import numpy as np
import torch
from faster_whisper import BatchedInferencePipeline, WhisperModel
from transformers import pipeline

from benchmarks import seed_recipe
from whisper_tuner.audio import SAMPLE_RATE, read_flac
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.metrics import score
from whisper_tuner.evaluation.stage import load_listener
from whisper_tuner.model.load import TASK, find_torch_device, load_adapter, load_base
from whisper_tuner.runs.folder import Run

BATCH_SIZE = 8
WINDOW_S = 30.0
GREEDY = {
    "beam_size": 1,
    "temperature": 0,
    "without_timestamps": True,
    "condition_on_previous_text": False,
}
Hear = Callable[[list[Clip]], list[str]]


@dataclass(frozen=True)
class Task:
    """`run_dir`: a run with dataset and adapter. `n_clips`: held-out clips to hear, 0 for all."""

    run_dir: str
    n_clips: int
    n_rounds: int
    with_faster_whisper: bool


def by_seed(run: Run, listener: Listener, clips: list[Clip], scratch: Path) -> Hear:
    """The seed's loop; its features are made before, as its notebook makes them."""
    device = find_torch_device()
    precision = "8bit" if device.type == "cuda" else listener.precision
    base_id = run.read_spec().config.base
    model = seed_recipe.load_for_evaluation(base_id, precision, run.adapter_dir, device)
    data = seed_recipe.StoredFeatures(clips, run.dataset_dir, scratch, listener.processor)

    def hear(chosen: list[Clip]) -> list[str]:
        rows = torch.utils.data.Subset(data, range(len(chosen)))
        return seed_recipe.transcribe(model, listener.processor, rows, device)

    return hear


def by_pipeline(run: Run, listener: Listener) -> Hear:
    """transformers' own pipeline, on the same loaded model as ours."""
    model = listener.model
    recognise = pipeline(
        "automatic-speech-recognition",
        model=model,
        tokenizer=listener.processor.tokenizer,
        feature_extractor=listener.processor.feature_extractor,
        device=next(model.parameters()).device,
        batch_size=BATCH_SIZE,
    )
    said = {"language": run.read_spec().config.language, "task": TASK, "num_beams": 1}

    def hear(clips: list[Clip]) -> list[str]:
        audios = [read_flac(run.dataset_dir / clip.audio) for clip in clips]
        inputs = [{"raw": audio, "sampling_rate": SAMPLE_RATE} for audio in audios]
        return [heard["text"].strip() for heard in recognise(inputs, generate_kwargs=said)]

    return hear


def to_ctranslate2(run: Run, listener: Listener, folder: Path) -> Path:
    """The adapter merged into a fresh float32 base, converted for faster-whisper."""
    config = run.read_spec().config
    base = load_base(config.base, config.language, "32bit", torch.device("cpu"))
    merged = load_adapter(base, run.adapter_dir).merge_and_unload()
    merged.save_pretrained(folder / "merged")
    listener.processor.save_pretrained(folder / "merged")
    listener.processor.feature_extractor.save_pretrained(folder / "merged")
    converter = ctranslate2.converters.TransformersConverter(
        str(folder / "merged"), copy_files=["tokenizer.json", "preprocessor_config.json"]
    )
    return Path(converter.convert(str(folder / "ctranslate2"), quantization="float32"))


def by_faster_whisper(run: Run, folder: Path, compute_type: str, is_batched: bool) -> Hear:
    """faster-whisper on clips followed by silence up to 30 s.

    Left to itself it fills up the log-mel with 0.0, which is not silence, and hears some clips
    otherwise. Batched, it takes one long recording with the places of the clips.
    """
    model = WhisperModel(
        str(folder),
        device=find_torch_device().type,
        compute_type=compute_type,
        cpu_threads=torch.get_num_threads(),
        local_files_only=True,
    )
    language = run.read_spec().config.language
    batched = BatchedInferencePipeline(model)

    def hear_one_by_one(clips: list[Clip]) -> list[str]:
        found = [model.transcribe(w, language=language, **GREEDY)[0] for w in _windows(run, clips)]
        return ["".join(segment.text for segment in segments).strip() for segments in found]

    def hear_batched(clips: list[Clip]) -> list[str]:
        places = [{"start": WINDOW_S * i, "end": WINDOW_S * (i + 1)} for i in range(len(clips))]
        segments, _ = batched.transcribe(
            np.concatenate(_windows(run, clips)),
            language=language,
            clip_timestamps=places,
            batch_size=BATCH_SIZE,
            **GREEDY,
        )
        texts = [""] * len(clips)
        for segment in segments:
            texts[int(segment.start // WINDOW_S)] += segment.text
        return [text.strip() for text in texts]

    return hear_batched if is_batched else hear_one_by_one


def _windows(run: Run, clips: list[Clip]) -> list[np.ndarray]:
    n = int(WINDOW_S * SAMPLE_RATE)
    audios = [read_flac(run.dataset_dir / clip.audio) for clip in clips]
    return [np.pad(audio[:n], (0, n - len(audio[:n]))) for audio in audios]


def all_ways(task: Task, run: Run, clips: list[Clip], scratch: Path) -> dict[str, Hear]:
    listener = load_listener(run)
    ways = {
        "seed": by_seed(run, listener, clips, scratch),
        "ours": lambda chosen: listener.tuned(chosen, window="speech"),
        "ours at 30 s": lambda chosen: listener.tuned(chosen),
        "transformers pipeline": by_pipeline(run, listener),
    }
    if task.with_faster_whisper:
        folder = to_ctranslate2(run, listener, scratch)
        exact = "float16" if find_torch_device().type == "cuda" else "float32"
        for compute_type in (exact, "int8"):
            for is_batched in (False, True):
                name = f"faster-whisper {compute_type}{', batched' if is_batched else ''}"
                ways[name] = by_faster_whisper(run, folder, compute_type, is_batched)
    return ways


def measure(task: Task, scratch: Path) -> dict:
    """Every way hears all clips once a round; rates are medians of the rounds."""
    run = Run(Path(task.run_dir))
    config = run.read_spec().config
    clips = read_clips(run.dataset_dir, "test")
    clips = clips[: task.n_clips or len(clips)]
    ways = all_ways(task, run, clips, scratch)
    texts: dict[str, list[str]] = {}
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for hear in ways.values():
        hear(clips[:1])  # warm
    for _ in range(task.n_rounds):
        for name, hear in ways.items():
            wall_s, cpu_s = time.perf_counter(), time.process_time()
            texts[name] = hear(clips)
            times[name].append((time.perf_counter() - wall_s, time.process_time() - cpu_s))
    audio_s = sum(clip.duration_s for clip in clips)
    references = [clip.text for clip in clips]
    rows = {}
    for name in ways:
        result = score(references, texts[name], config.language)
        rows[name] = {
            **_rates(times[name], times["seed"], len(clips), audio_s),
            "wer": result.wer,
            "cer": result.cer,
        }
    return {
        "base": config.base,
        "precision": config.precision,
        "threads": torch.get_num_threads(),
        "n_clips": len(clips),
        "n_words": score(references, references, config.language).n_words,
        "audio_s": audio_s,
        "speedup_vs_seed": rows["ours"]["speedup_vs_seed"],
        "speedup_vs_seed_cpu": rows["ours"]["speedup_vs_seed_cpu"],
        "wer_ours": rows["ours"]["wer"],
        "wer_ours_30s": rows["ours at 30 s"]["wer"],
        "wer_seed": rows["seed"]["wer"],
        "rows": rows,
    }


def _rates(
    ours: list[tuple[float, float]], seed: list[tuple[float, float]], n_clips: int, audio_s: float
) -> dict[str, float]:
    """`ours` and `seed`: wall-clock and CPU seconds of every round."""
    wall_s = statistics.median(wall for wall, _ in ours)
    pairs = list(zip(seed, ours, strict=True))
    return {
        "clips_per_s": n_clips / wall_s,
        "clips_per_cpu_s": n_clips / statistics.median(cpu for _, cpu in ours),
        "audio_s_per_s": audio_s / wall_s,
        "speedup_vs_seed": statistics.median(s[0] / o[0] for s, o in pairs),
        "speedup_vs_seed_cpu": statistics.median(s[1] / o[1] for s, o in pairs),
    }


def main() -> None:
    answer = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    with tempfile.TemporaryDirectory() as scratch, answer:
        json.dump(measure(Task(**json.loads(sys.argv[1])), Path(scratch)), answer)


if __name__ == "__main__":
    main()
