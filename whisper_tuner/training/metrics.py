"""What is measured, for TensorBoard or trackio too; `events.jsonl` remains the truth.

transformers' own callbacks write it, into the run folder, on this machine only.
"""

import importlib
import os

from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments
from transformers.integrations import TensorBoardCallback, TrackioCallback

from whisper_tuner.runs.events import Score
from whisper_tuner.runs.folder import Run

PROJECT = "whisper-tuner"


class MetricsCallback(TrainerCallback):
    """One of transformers' callbacks, told of the error rates too.

    `scores`: where they are put when they are measured; taken from there at the next step.
    """

    def __init__(self, inner: TrainerCallback, scores: list[Score]) -> None:
        self._inner = inner
        self._scores = scores

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object
    ) -> None:
        self._inner.on_train_begin(args, state, control, **more)
        self._pass_on(args, state, control, **more)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **more: object,
    ) -> None:
        self._inner.on_log(args, state, control, logs=logs, **more)
        self._pass_on(args, state, control, **more)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object
    ) -> None:
        self._inner.on_train_end(args, state, control, **more)

    def _pass_on(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **more: object
    ) -> None:
        while self._scores:
            score = self._scores.pop(0)
            rates = {"eval_wer": score.wer, "eval_cer": score.cer}
            self._inner.on_log(args, state, control, logs=rates, **more)


def callback(
    run: Run, metrics: str, step: int, scores: list[Score], arguments: TrainingArguments
) -> MetricsCallback:
    """Writes to `tensorboard/` or `trackio/` in the run folder, behind `step` steps that are there.

    What TensorBoard was told of later steps, before the training broke off, is hidden by it.
    """
    folder = str(run.dir / metrics)
    if metrics == "tensorboard":
        os.environ["TENSORBOARD_LOGGING_DIR"] = folder
        module = importlib.import_module("torch.utils.tensorboard")  # fails without the package
        writer = module.SummaryWriter(folder, purge_step=step + 1 if step else None)
        return MetricsCallback(TensorBoardCallback(writer), scores)
    os.environ["TRACKIO_DIR"] = folder  # read when trackio is imported, which the callback does
    arguments.project, arguments.run_name = PROJECT, run.id
    return MetricsCallback(TrackioCallback(), scores)
