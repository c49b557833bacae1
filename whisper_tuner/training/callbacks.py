"""From the Trainer's hooks to the run's events."""

import math
import time
from collections.abc import Callable

from transformers import (
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)

from whisper_tuner.errors import TrainingError
from whisper_tuner.runs.events import Event, StateChanged, Step
from whisper_tuner.training.adapter import NOT_FINITE
from whisper_tuner.training.trainer import STEPS_BETWEEN_RECORDINGS

SAVE_EVERY_S = 60.0  # of training that a kill may cost, at most and rounded up to whole steps
MAX_NOT_FINITE = 3  # losses in a row; 16-bit floats overflow now and then, and skip that step


class EventCallback(TrainerCallback):
    """Writes a Step for every optimiser step, asks for scores and checkpoints, obeys stop,
    refuses NaN: raises TrainingError at the third loss in a row that is not finite.

    `emit` appends an event; `stop_asked` says whether the person pressed Stop; `score(step,
    is_last)` measures WER, every `score_every` steps and after the last one, and says whether to
    end the training; `agree` gives every process of the training the first one's answer; `pause`
    returns when there is room on the disk.
    """

    def __init__(
        self,
        emit: Callable[[Event], object],
        stop_asked: Callable[[], bool],
        score: Callable[[int, bool], bool],
        score_every: int,
        agree: Callable[[bool], bool] = bool,
        pause: Callable[[], object] = lambda: None,
    ) -> None:
        self._emit = emit
        self._stop_asked = stop_asked
        self._score = score
        self._score_every = score_every
        self._agree = agree
        self._pause = pause
        self._n_not_finite = 0
        self._stopping = False
        self._first_step = 0
        self._started_s = self._saved_s = 0.0
        self._scoring_s = 0.0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, *_: object, **__: object
    ) -> None:
        self._first_step = state.global_step  # above 0 when resumed
        self._started_s = self._saved_s = time.monotonic()

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> TrainerControl:
        self._pause()
        self._stopping = self._stop_asked()
        if self._stopping:
            control.should_training_stop = True
        return control

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: object,
    ) -> None:
        if not logs or "loss" not in logs:
            return
        loss = float(logs["loss"])
        self._n_not_finite = 0 if math.isfinite(loss) else self._n_not_finite + 1
        if self._n_not_finite >= MAX_NOT_FINITE:
            raise TrainingError(NOT_FINITE, step=state.global_step)
        if not self._n_not_finite:
            self._emit_step(state, loss, logs)
            if not self._stopping:
                self._maybe_score(state, control)
        if self._is_save_due(state):
            control.should_save = True
            self._emit(StateChanged("saving"))

    def _emit_step(self, state: TrainerState, loss: float, logs: dict[str, float]) -> None:
        elapsed_s = time.monotonic() - self._started_s
        per_step_s = (elapsed_s - self._scoring_s) / (state.global_step - self._first_step)
        grad_norm = float(logs.get("grad_norm") or 0.0)
        self._emit(
            Step(
                step=state.global_step,
                n_steps=state.max_steps,
                epoch=round(state.epoch or 0.0, 3),
                loss=loss,
                grad_norm=grad_norm if math.isfinite(grad_norm) else 0.0,  # fp16 skips such steps
                learning_rate=float(logs.get("learning_rate", 0.0)),
                elapsed_s=round(elapsed_s, 1),
                remaining_s=round(per_step_s * (state.max_steps - state.global_step), 1),
            )
        )

    def on_save(self, *_: object, **__: object) -> None:
        self._emit(StateChanged("training"))
        self._saved_s = time.monotonic()

    def _is_save_due(self, state: TrainerState) -> bool:
        """Once a minute, and at the end, also one that was asked for."""
        if self._stopping or state.global_step >= state.max_steps:
            return True
        is_time = time.monotonic() - self._saved_s >= SAVE_EVERY_S
        return state.global_step % STEPS_BETWEEN_RECORDINGS == 0 and self._agree(is_time)

    def _maybe_score(self, state: TrainerState, control: TrainerControl) -> None:
        is_last = state.global_step >= state.max_steps
        if is_last or state.global_step % self._score_every == 0:
            began_s = time.monotonic()
            if self._score(state.global_step, is_last):
                control.should_training_stop = True
            self._scoring_s += time.monotonic() - began_s
