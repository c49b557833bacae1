"""How near is the speech window to 30 seconds, and what makes it so?

    python benchmarks/window.py --adapter DIR --json FILE

Nothing is trained. A model reads the held-out transcripts of the bundled clips token by token
(teacher forcing), at 30 seconds and in windows made in different ways. The distance is the mean
Kullback-Leibler divergence of the next token's probabilities from those at 30 seconds.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import speech
from benchmarks.turns import QUICK_BASE, REPOSITORY, race_environment
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.model.batches import Sample
from whisper_tuner.model.features import clip_features, excerpts, log_mel, mel_filters
from whisper_tuner.model.frames import FULL_FRAMES, STRIDE_LISTENING, window_frames
from whisper_tuner.model.load import load_adapter, load_base, load_processor
from whisper_tuner.model.window import Silence, encoder_window, record_silence
from whisper_tuner.training.collator import IGNORED, Collator

BATCH_SIZE = 8
WINDOW, FRAMES = "whisper_tuner.model.window", "whisper_tuner.model.frames"


class Reader:
    """A model that says how probable each token of the held-out transcripts is to it."""

    def __init__(self, dataset_dir: Path, base: str, adapter: Path | None) -> None:
        self.dataset_dir = dataset_dir
        self.processor = load_processor(base, steps.EXAMPLE_LANGUAGE)
        model = load_base(base, steps.EXAMPLE_LANGUAGE, "32bit", torch.device("cpu"))
        self.model = (load_adapter(model, adapter) if adapter else model).eval()
        self.clips = sorted(read_clips(dataset_dir, "test"), key=lambda clip: -clip.duration_s)
        start_id = self.model.config.decoder_start_token_id
        self.collate = Collator(self.processor, dataset_dir, start_id)

    def excerpts(self) -> list[np.ndarray]:
        return excerpts(self.dataset_dir / c.audio for c in read_clips(self.dataset_dir, "train"))

    def silence_behind(self, audios: list[np.ndarray]) -> Silence:
        weight = self.model.get_encoder().conv1.weight
        features = clip_features(self.processor, audios, FULL_FRAMES, weight)
        return record_silence(self.model, features, STRIDE_LISTENING)

    def read(self, silence: Silence | None) -> tuple[torch.Tensor, float]:
        """Log-probabilities, shape (tokens, vocabulary), in CPU seconds; at 30 s without silence"""
        began = time.process_time()
        found = [
            self._read(self.clips[i : i + BATCH_SIZE], silence)
            for i in range(0, len(self.clips), BATCH_SIZE)
        ]
        return torch.cat(found), time.process_time() - began

    def _read(self, clips: list[Clip], silence: Silence | None) -> torch.Tensor:
        n_frames = window_frames(clips[0].duration_s, "speech" if silence else "full")
        batch = self.collate([(clip, Sample(i, n_frames)) for i, clip in enumerate(clips)])
        heard = log_mel(batch["audio"], mel_filters(self.processor))
        with torch.inference_mode(), encoder_window(self.model, n_frames, silence):
            logits = self.model(
                input_features=heard, decoder_input_ids=batch["decoder_input_ids"]
            ).logits
        return logits.log_softmax(-1)[batch["labels"] != IGNORED]


def ways(reader: Reader, has_adapter: bool) -> list[tuple[str, Silence, AbstractContextManager]]:
    """Windows: what each is called, the silence behind it, and what is changed of ours."""
    beginnings = reader.excerpts()
    ours = reader.silence_behind(beginnings)
    nothing = Silence([t[:, :0] for t in ours.layer_inputs], ours.output[:, :0], 1)
    noise = np.random.default_rng(0).normal(0, 0.05, SAMPLE_RATE).astype(np.float32)
    found = [
        ("ours: every 2nd position, weighed", ours, nullcontext()),
        ("every position", ours._replace(stride=1), nullcontext()),
        ("every 4th, as when learning", ours._replace(stride=4), nullcontext()),
        ("every 8th", ours._replace(stride=8), nullcontext()),
        ("every 2nd, not weighed", ours, patch(f"{WINDOW}.math.log", lambda _: 0.0)),
        ("no silence behind it", nothing, nullcontext()),
        ("no silence, 0.9 s of margin", nothing, patch(f"{FRAMES}.MARGIN_S", 0.9)),
        ("ours, 0.9 s of margin", ours, patch(f"{FRAMES}.MARGIN_S", 0.9)),
        ("ours, 0.1 s of margin", ours, patch(f"{FRAMES}.MARGIN_S", 0.1)),
        ("silence behind one clip", reader.silence_behind(beginnings[:1]), nullcontext()),
        ("silence behind noise", reader.silence_behind([noise]), nullcontext()),
        ("silence behind silence", reader.silence_behind([0 * noise]), nullcontext()),
    ]
    if has_adapter:
        with reader.model.disable_adapter():
            untaught = reader.silence_behind(beginnings)
        found.append(("silence as the base hears it", untaught, nullcontext()))
    return found


def measure(folder: Path, base: str, adapter: Path | None, n_clips: int) -> dict:
    torch.set_num_threads(1)
    run = speech.prepare(folder, 8, n_clips)
    reader = Reader(run.dataset_dir, base, adapter)
    at_30_s, full_s = reader.read(None)
    rows = {}
    for name, silence, change in ways(reader, adapter is not None):
        with change:
            found, cpu_s = reader.read(silence)
        divergence = (at_30_s.exp() * (at_30_s - found)).sum(-1)
        rows[name] = {
            "divergence": divergence.mean().item(),
            "same_token": (found.argmax(-1) == at_30_s.argmax(-1)).float().mean().item(),
            "cpu_s": cpu_s,
        }
    return {
        "base": base,
        "has_adapter": adapter is not None,
        "n_clips": len(reader.clips),
        "n_tokens": len(at_30_s),
        "cpu_s_at_30_s": full_s,
        "rows": rows,
    }


def show(result: dict) -> None:
    print(f"{result['n_tokens']} tokens; at 30 s {result['cpu_s_at_30_s']:.1f} CPU s")
    for name, row in result["rows"].items():
        figures = f"{row['divergence']:8.4f}  {row['same_token']:7.1%}  {row['cpu_s']:6.1f} CPU s"
        print(f"{name:34}  {figures}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--base", default="openai/whisper-base")
    parser.add_argument("--adapter", type=Path, help="an adapter of that base; else the base alone")
    parser.add_argument("--clips", type=int, default=40)
    parser.add_argument("--quick", action="store_true", help="under a minute, to see that it runs")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--here", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.quick and not options.here:
        with race_environment(QUICK_BASE, True, is_tiny=True, threads=1) as environment:
            command = [sys.executable, "-m", "benchmarks.window", *sys.argv[1:], "--here"]
            raise SystemExit(subprocess.call(command, env=environment, cwd=REPOSITORY))
    if options.quick:
        options.base, options.clips = QUICK_BASE, 4
    with tempfile.TemporaryDirectory() as scratch:
        result = measure(Path(scratch), options.base, options.adapter, options.clips)
    show(result)
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
