"""One training of a race: a process that trains in turns, as it is told to on standard input.

`benchmarks/training.py` starts it with a task as JSON and writes a line for every turn. It answers
with one JSON line when it is warm, one after each turn, and one at the end. It trains by the real
`train()` of the Trainer; a callback waits between two turns. What a step computes is seen by hooks
where audio and tokens enter the model, whichever recipe feeds them.
"""

import json
import os
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, TextIO

import torch
from peft import PeftModel
from torch.utils.data import DataLoader
from transformers import Seq2SeqTrainer, TrainerCallback, TrainerState, set_seed

from benchmarks import op_profile, seed_recipe
from benchmarks.probe import gemm_rate
from benchmarks.turns import Task
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.model.batches import BatchPlan
from whisper_tuner.model.catalogue import BaseModel
from whisper_tuner.model.flops import training_flops
from whisper_tuner.model.frames import FRAMES_PER_POSITION, POSITIONS_PER_S
from whisper_tuner.model.load import (
    add_lora,
    find_torch_device,
    half_dtype,
    load_base,
    load_processor,
)
from whisper_tuner.training.collator import Collator, PlannedClips
from whisper_tuner.training.trainer import WhisperTrainer, training_arguments

N_PROFILED = 3  # steps
MB = 1e6


class Watcher:
    """The shape of every pass through a model: (clips, encoder positions, tokens read)."""

    def __init__(self, model: PeftModel) -> None:
        self.shapes: list[tuple[int, int, int]] = []
        self._n_positions = 0
        model.get_encoder().conv1.register_forward_pre_hook(self._hear)
        model.get_decoder().embed_tokens.register_forward_pre_hook(self._read)

    def _hear(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        self._n_positions = inputs[0].shape[-1] // FRAMES_PER_POSITION

    def _read(self, _: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        n_clips, n_tokens = inputs[0].shape
        self.shapes.append((n_clips, self._n_positions, n_tokens))


class Turns(TrainerCallback):
    """Waits for its turn, trains some steps, says what they were and what they took."""

    def __init__(
        self, task: Task, model: PeftModel, steps: list[list[Clip]], answers: TextIO
    ) -> None:
        self._task = task
        self._model = model
        self._steps = steps
        self._answers = answers
        self._watcher = Watcher(model)
        self._device = next(model.parameters()).device
        self._n_timed = task.n_timed

    def on_train_begin(self, *_: object, **__: object) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        self._begin()

    def on_step_begin(self, *_: object, **__: object) -> None:
        self._data_s += time.perf_counter() - self._idle_since_s

    def on_step_end(self, _: object, state: TrainerState, *__: object, **___: object) -> None:
        n_done = state.global_step - self._task.n_warm
        if n_done >= 0 and n_done % self._task.n_steps == 0 and state.global_step <= self._n_timed:
            self._synchronize()
            _say(self._answers, self._turn(state.global_step) if n_done else {"warm": True})
            if state.global_step < self._n_timed and not sys.stdin.readline():
                raise SystemExit("the race is over")
            self._begin()
        self._idle_since_s = time.perf_counter()

    def _begin(self) -> None:
        self._watcher.shapes.clear()
        self._data_s = 0.0
        self._began_cpu_s = time.process_time()
        self._began_s = self._idle_since_s = time.perf_counter()

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)

    def _turn(self, n_done: int) -> dict[str, Any]:
        """What the last turn computed and what it took. All positions and FLOP are sums."""
        wall_s = time.perf_counter() - self._began_s
        cpu_s = time.process_time() - self._began_cpu_s
        shapes = list(self._watcher.shapes)
        clips = [
            clip for step in self._steps[n_done - self._task.n_steps : n_done] for clip in step
        ]
        if sum(n_clips for n_clips, _, _ in shapes) != len(clips):
            raise RuntimeError(f"{len(clips)} clips were planned, the model saw {shapes}")
        return {
            "n_steps": self._task.n_steps,
            "wall_s": wall_s,
            "cpu_s": cpu_s,
            "data_s": self._data_s,
            "n_clips": len(clips),
            "audio_s": sum(clip.duration_s for clip in clips),
            **self._work(shapes, clips),
            "probe": self._probe(shapes),
            "memory": peak_memory(self._device),
        }

    def _work(self, shapes: list[tuple[int, int, int]], clips: list[Clip]) -> dict[str, float]:
        base, lora = base_of(self._model), LoraSettings()
        again = self._model.get_encoder().gradient_checkpointing
        computed = [n * training_flops(base, p, t, lora, again) for n, p, t in shapes]
        real = [(c.duration_s * POSITIONS_PER_S, c.n_tokens) for c in clips]
        return {
            "positions": sum(n * p for n, p, _ in shapes),
            "real_positions": sum(p for p, _ in real),
            "flop": sum(computed),
            "useful_flop": sum(training_flops(base, round(p), t, lora) for p, t in real),
        }

    def _probe(self, shapes: list[tuple[int, int, int]]) -> dict[str, float]:
        """The device's own rate now, at this training's positions a batch and in its dtype."""
        n_rows = sum(n * p for n, p, _ in shapes) // self._task.n_steps
        mixed = self._device.type == "cuda" and self._task.precision != "32bit"
        ours = half_dtype(self._device) if self._task.role != "seed" else torch.float16
        dtype = ours if mixed else torch.float32
        d_model = self._model.config.d_model
        return gemm_rate(n_rows, d_model, dtype, self._device, self._task.probe_s)


class ProfiledSteps(TrainerCallback):
    """Records the operations of the steps behind the last turn."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self._profile = op_profile.start()

    def on_step_begin(self, _: object, state: TrainerState, *__: object, **___: object) -> None:
        if state.global_step == self._task.n_timed:
            self._profile.start()

    def on_train_end(self, *_: object, **__: object) -> None:
        self._profile.stop()
        table = op_profile.table(self._profile, N_PROFILED)
        Path(self._task.profile).write_text(table, encoding="utf-8")


class InMemoryTrainer(WhisperTrainer):
    """Ours, on the very same batches, made before the training begins."""

    batches: list[dict[str, torch.Tensor]]

    def get_train_dataloader(self) -> DataLoader:
        return DataLoader(self.batches, batch_size=None)


def base_of(model: PeftModel) -> BaseModel:
    """The sizes of a loaded model, which a smoke check's are not the catalogue's of its name."""
    c = model.config
    return BaseModel(
        c._name_or_path, c.d_model, c.encoder_layers, c.decoder_layers, c.num_mel_bins, c.vocab_size
    )


def peak_memory(device: torch.device) -> dict[str, float]:
    """MB at most until now of the process; on CUDA also what PyTorch took since training began."""
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / MB
    if device.type != "cuda":
        return {"resident_mb": round(resident)}
    return {
        "resident_mb": round(resident),
        "allocated_mb": round(torch.cuda.max_memory_allocated(device) / MB),
        "reserved_mb": round(torch.cuda.max_memory_reserved(device) / MB),
    }


def seed_trainer(
    task: Task, device: torch.device, scratch: Path, answers: TextIO
) -> Seq2SeqTrainer:
    processor = load_processor(task.base, task.language)
    model = seed_recipe.load_for_training(task.base, task.precision, device)
    clips = read_clips(Path(task.dataset_dir), "train")
    random.Random(0).shuffle(clips)
    n = seed_recipe.BATCH_SIZE
    epoch = [clips[i : i + n] for i in range(0, len(clips), n)]
    steps = epoch * -(-task.n_timed // len(epoch))
    return seed_recipe.build_trainer(
        model,
        seed_recipe.StoredFeatures(clips, Path(task.dataset_dir), scratch, processor),
        processor,
        scratch,
        task.n_timed + (N_PROFILED if task.profile else 0),
        [Turns(task, model, steps, answers)],
    )


def our_trainer(task: Task, device: torch.device, scratch: Path, answers: TextIO) -> WhisperTrainer:
    """As `whisper_tuner/training/stage.py` builds it."""
    config = TrainConfig(
        base=task.base,
        language=task.language,
        precision=task.precision,
        batch_size=task.batch_size,
        max_steps=task.n_timed + (N_PROFILED if task.profile else 0),
    )
    set_seed(config.seed)
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, device)
    model = add_lora(base, config.base, config.lora)
    clips = read_clips(Path(task.dataset_dir), "train")
    plan = BatchPlan.of(config, [clip.duration_s for clip in clips])
    steps = planned_steps(plan, config.max_steps)
    collator = Collator(processor, Path(task.dataset_dir), model.config.decoder_start_token_id)
    kind = InMemoryTrainer if task.role == "memory" else WhisperTrainer
    data = PlannedClips(clips, plan)
    trainer = kind(
        model=model,
        args=training_arguments(config, scratch, device),
        train_dataset=data,
        data_collator=collator,
        processing_class=processor,
        callbacks=[Turns(task, model, [[clips[s.index] for s in x] for x in steps], answers)],
    )
    if isinstance(trainer, InMemoryTrainer):
        trainer.batches = [_held(collator([data[s] for s in step]), device) for step in steps]
    return trainer


def planned_steps(plan: BatchPlan, n_steps: int) -> list[list]:
    """What the plan will give the Trainer, epoch by epoch."""
    steps = []
    epoch = 0
    while len(steps) < n_steps:
        plan.set_epoch(epoch)
        steps += plan.steps()
        epoch += 1
    plan.set_epoch(0)
    return steps


def _held(batch: dict[str, torch.Tensor], device: torch.device) -> dict[str, torch.Tensor]:
    return {k: v.pin_memory() if device.type == "cuda" else v for k, v in batch.items()}


def _say(answers: TextIO, answer: dict[str, Any]) -> None:
    answers.write(json.dumps(answer) + "\n")
    answers.flush()


def main() -> None:
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever a library prints is no answer
    task = Task(**json.loads(sys.argv[1]))
    build = seed_trainer if task.role == "seed" else our_trainer
    with tempfile.TemporaryDirectory() as scratch:
        trainer = build(task, find_torch_device(), Path(scratch), answers)
        if task.profile:
            trainer.add_callback(ProfiledSteps(task))
        trainer.train()


if __name__ == "__main__":
    main()
