"""The training stage: base → LoRA → Trainer → adapter → base and tuned on the held-out clips."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from accelerate.utils import broadcast
from transformers import set_seed

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.data.forget import FORGOTTEN, forget_common_voice
from whisper_tuner.errors import TrainingError
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.stage import base_transcripts, measure
from whisper_tuner.model.batches import BatchPlan
from whisper_tuner.model.load import (
    add_lora,
    find_torch_device,
    load_base,
    load_processor,
    take_weights,
)
from whisper_tuner.runs import checkpoints, start
from whisper_tuner.runs.context import Stopped, WorkerContext
from whisper_tuner.runs.events import Note, Resumed, Score, Step, read_events
from whisper_tuner.runs.jobs import SAVED
from whisper_tuner.training import metrics
from whisper_tuner.training.adapter import NOT_FINITE, save_adapter
from whisper_tuner.training.callbacks import EventCallback
from whisper_tuner.training.collator import Collator, PlannedClips
from whisper_tuner.training.early_stop import STEPS_BETWEEN_SCORES, set_aside
from whisper_tuner.training.scorer import Scorer
from whisper_tuner.training.trainer import StepAbandoned, WhisperTrainer, training_arguments

ROLLED_BACK = "note_rolled_back"  # counted in the events, so that a resumed run knows its rate
MAX_ROLL_BACKS = 1
ROLL_BACK_RATE = 0.5


def train(context: WorkerContext, n_parts: int = 1) -> None:
    """Run the whole training of one run folder, from `run.json` to `comparison.json`.

    Goes on from the newest checkpoint that verifies when there is one. Steps are computed in at
    least `n_parts` parts. With several devices every process runs this; only the first transcribes,
    saves and writes events.

    When the numbers get out of hand it goes back to the last checkpoint and on with half the
    learning rate, once.

    Raises Stopped when stopped before anything was learnt, TunerError for what a person can mend.
    """
    # Counted once, before anything is written: several processes must agree on it.
    n_rolled_back = sum(
        record.event == Note(ROLLED_BACK) for record in read_events(context.run.events_path)
    )
    while True:
        config = context.run.read_spec().config
        rate = config.learning_rate * ROLL_BACK_RATE**n_rolled_back
        try:
            return _train(context, replace(config, learning_rate=rate), n_parts)
        except TrainingError as error:
            if error.code != NOT_FINITE or n_rolled_back == MAX_ROLL_BACKS:
                raise
        n_rolled_back += 1
        context.emit(Note(ROLLED_BACK))


def _train(context: WorkerContext, config: TrainConfig, n_parts: int) -> None:
    context.enter("preparing")
    with context.patient():  # the base may be downloaded
        listener = _load(context, config)
    held_out = read_clips(context.run.dataset_dir, "test")
    learnt = read_clips(context.run.dataset_dir, "train")
    dev: list[Clip] = []
    origin = start.read_origin(context.run)
    if config.stop_early:
        known = (frozenset(origin.learnt), frozenset(origin.set_aside)) if origin else ()
        learnt, dev = set_aside(learnt, config.seed, *known)
        if context.is_first:
            start.write_set_aside(context.run, [clip.id for clip in dev])
    base_texts = base_transcripts(context, listener, held_out) if context.is_first else []
    scorer = Scorer(context, config, listener, held_out, dev)
    checkpoint = checkpoints.newest(context.run.checkpoints_dir)
    if context.is_first:
        is_known = _go_on(context, checkpoint)
        if not is_known or (origin and not checkpoint):  # the start's rate is in no checkpoint
            scorer.score_start(base_texts, origin is not None)

    n_steps = _fit(context, config, listener, learnt, scorer, n_parts, checkpoint)
    if not context.is_first:
        return
    context.enter("saving")
    save_adapter(listener.model, listener.processor, context.run.adapter_dir, n_steps)
    context.emit(Note(SAVED))
    context.check_stop()
    measure(context, listener, held_out, base_texts)
    checkpoints.prune(context.run.checkpoints_dir, kept=1)
    context.enter("done")
    if not config.keep_common_voice:
        with suppress(OSError):  # it is done all the same, and `steps.finish_forgetting` goes on
            n_deleted = forget_common_voice(context.run.dataset_dir)
            if n_deleted:
                context.emit(Note(FORGOTTEN, {"n": n_deleted}))


def _go_on(context: WorkerContext, checkpoint: Path | None) -> bool:
    """Whether the run was begun before; then its events say from where it goes on.

    What was measured of an adapter that will be replaced is deleted.
    """
    records = read_events(context.run.events_path)
    if not any(isinstance(record.event, Score | Step) for record in records):
        return False
    for step in checkpoints.drop_broken(context.run.checkpoints_dir):
        context.emit(Note("note_checkpoint_broken", {"step": step}))
    context.emit(Resumed(checkpoints.step_of(checkpoint) if checkpoint else 0))
    context.run.comparison_path.unlink(missing_ok=True)
    return True


def _load(context: WorkerContext, config: TrainConfig) -> Listener:
    device = find_torch_device()
    context.emit(Note("note_loading_base", {"base": config.base}))
    set_seed(config.seed)  # before LoRA draws its first weights
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, device)
    model = add_lora(base, config.base, config.lora)
    origin = start.read_origin(context.run)
    if origin:
        take_weights(model, context.run.start_dir)
        context.emit(Note("note_goes_on", {"run": origin.run}))
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    context.emit(Note("note_base_ready", {"device": name, "precision": config.precision}))
    return Listener(model, processor, context.run, config.precision)


def _fit(
    context: WorkerContext,
    config: TrainConfig,
    listener: Listener,
    clips: list[Clip],
    scorer: Scorer,
    n_parts: int,
    checkpoint: Path | None,
) -> int:
    """Train until the end, or until asked to stop; returns the steps behind the weights kept."""
    run, model = context.run, listener.model
    plan = BatchPlan.of(config, [clip.duration_s for clip in clips])
    arguments = training_arguments(config, run.checkpoints_dir, find_torch_device())
    ending = Ending(context, config.n_devices)
    trainer = WhisperTrainer(
        model=model,
        args=arguments,
        train_dataset=PlannedClips(clips, plan),
        data_collator=Collator(
            listener.processor, run.dataset_dir, model.config.decoder_start_token_id
        ),
        processing_class=listener.processor,
        n_parts=max(n_parts, config.gradient_accumulation),
        stop_asked=context.asks_to_stop,
        on_halved=lambda n: context.emit(Note("note_halved", {"n_parts": n})),
        best=scorer.best,
        callbacks=[
            EventCallback(
                context.emit,
                ending.is_asked,
                lambda step, is_last: ending.agree(scorer(step, is_last)),
                min(plan.n_steps, STEPS_BETWEEN_SCORES),
                ending.agree,
                lambda: context.pause_while_disk_is_full("training"),
            )
        ],
    )
    if config.metrics != "none" and context.is_first:
        step = checkpoints.step_of(checkpoint) if checkpoint else 0
        told = metrics.callback(run, config.metrics, step, scorer.scores, arguments)
        trainer.add_callback(told)
    torch.cuda.empty_cache()  # of the transcribing, which took more than training will
    context.enter("training")
    context.emit(Note("note_training", {"n_clips": len(clips)}))
    try:
        trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    except StepAbandoned:
        trainer.save_now()
        if not trainer.state.global_step:
            raise Stopped from None
    if context.stop_asked:
        context.enter("stopping")
    if not scorer.best.is_before(trainer.state.global_step):
        return trainer.state.global_step
    scorer.best.restore()
    context.emit(Note("note_best_kept", {"step": scorer.best.step}))
    return scorer.best.step


@dataclass(frozen=True)
class Ending:
    """Whether to end a training, said by the first process and the same in all of them.

    One that stopped alone would leave the others waiting for its gradients.
    """

    context: WorkerContext
    n_devices: int

    def is_asked(self) -> bool:
        return self.agree(self.context.asks_to_stop())

    def agree(self, ours: bool) -> bool:
        if self.n_devices == 1:
            return ours
        return bool(broadcast(torch.tensor([int(ours)], device=find_torch_device())).item())
