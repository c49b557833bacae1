"""The worker, but with a checkpoint after every second step, so that faults meet many of them; and
with the faults that `faults.json` in its run folder asks for.

python -m benchmarks.eager_worker RUN_DIR STAGE

`{"memory": {"3": 1}, "poison": {"5": 2}}`: the step behind step 3 finds too little memory once, the
one behind step 5 has a clip that is not a number, twice. `floor_bytes`: with less the disk is full.
`{"fill": {"point": "events.jsonl", "nth": 7, "ballast": FILE}}`: the disk of FILE is filled by it
before the seventh event, once. `points`: a file that gets the count of every point written to.
"""

import atexit
import json
import sys
from pathlib import Path

import safetensors.torch
import torch
from transformers import PreTrainedTokenizerFast

from benchmarks.chaos_parts.write_points import Counting, Filling, Watch, before, watch_writers
from whisper_tuner import worker
from whisper_tuner.runs import disk
from whisper_tuner.runs.folder import Run
from whisper_tuner.training import callbacks, stage, trainer

FAULTS_NAME = "faults.json"


def save_often() -> None:
    callbacks.SAVE_EVERY_S = 0.0
    callbacks.STEPS_BETWEEN_RECORDINGS = trainer.STEPS_BETWEEN_RECORDINGS = 2


class FaultyTrainer(trainer.WhisperTrainer):
    def _step_in_parts(self, model: torch.nn.Module, inputs: dict, *args: object) -> torch.Tensor:
        if self._has_fault("memory"):
            raise torch.OutOfMemoryError("CUDA out of memory. (asked for by faults.json)")
        if self._has_fault("poison"):
            inputs["audio"][0] = float("nan")
        return super()._step_in_parts(model, inputs, *args)

    def _has_fault(self, kind: str) -> bool:
        """Whether one is due at this step; it is counted down."""
        path = Run(self.data_collator.dataset_dir.parent).dir / FAULTS_NAME
        if not path.exists():
            return False
        faults = json.loads(path.read_text())
        step = str(self.state.global_step)
        n_left = faults.get(kind, {}).get(step, 0)
        if n_left:
            faults[kind][step] = n_left - 1
            path.write_text(json.dumps(faults))
        return n_left > 0


def make_room_scarce(path: Path, faults: dict) -> None:
    """Obey `floor_bytes`, `fill` and `points`."""
    disk.FLOOR_BYTES = faults.get("floor_bytes", disk.FLOOR_BYTES)
    if fill := faults.get("fill"):

        def forget_it() -> None:  # or the next worker would fill the disk again
            path.write_text(json.dumps({**faults, "fill": None}))

        on_point = Filling(fill["point"], fill["nth"], Path(fill["ballast"]), forget_it)
    elif points := faults.get("points"):
        on_point = Counting()
        atexit.register(lambda: Path(points).write_text(json.dumps(on_point.counts)))
    else:
        return
    watch = Watch(Run(path.parent), on_point)
    watch_writers(watch)
    before(safetensors.torch, "serialize_file", lambda _, file, *__, **___: watch.see(file))
    before(torch, "save", lambda _, file, *__, **___: watch.see(file))
    before(
        PreTrainedTokenizerFast,
        "_save_pretrained",
        lambda _, save_directory, **__: watch.see(f"{save_directory}/tokenizer.json"),
    )


def main() -> int:
    save_often()
    path = Path(sys.argv[1]) / FAULTS_NAME
    if path.exists():
        make_room_scarce(path, json.loads(path.read_text()))
    stage.WhisperTrainer = FaultyTrainer
    return worker.main()


if __name__ == "__main__":
    sys.exit(main())
