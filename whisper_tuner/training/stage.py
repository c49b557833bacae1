"""The training stage: base → LoRA → Trainer → adapter → base and tuned on the held-out clips."""

from collections.abc import Callable

import torch
from transformers import set_seed

from whisper_tuner.config import TrainConfig
from whisper_tuner.data.clips import Clip, read_clips
from whisper_tuner.evaluation.compare import Listener
from whisper_tuner.evaluation.metrics import score
from whisper_tuner.evaluation.stage import base_transcripts, measure
from whisper_tuner.model.load import add_lora, find_torch_device, load_base, load_processor
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.events import Note, Score
from whisper_tuner.training.adapter import save_adapter
from whisper_tuner.training.batches import BatchPlan, PlannedClips
from whisper_tuner.training.callbacks import EventCallback
from whisper_tuner.training.collator import Collator
from whisper_tuner.training.trainer import WhisperTrainer, training_arguments


def train(context: WorkerContext) -> None:
    """Run the whole training of one run folder, from `run.json` to `comparison.json`.

    Raises Stopped when stopped before anything was learnt, TunerError for what a person can mend.
    """
    config = context.run.read_spec().config
    context.enter("preparing")
    listener = _load(context, config)
    held_out = read_clips(context.run.dataset_dir, "test")
    base_texts = base_transcripts(context, listener, held_out)

    sample = _spread(held_out, config.n_score_clips)
    by_id = dict(zip((clip.id for clip in held_out), base_texts, strict=True))
    if sample:
        _emit_score(context, config, 0, sample, [by_id[clip.id] for clip in sample])

    def score_sample(step: int) -> None:
        if sample and not context.stop_asked:
            _emit_score(context, config, step, sample, listener.tuned(sample))

    n_steps = _fit(context, config, listener, score_sample)
    context.enter("saving")
    save_adapter(listener.model, listener.processor, context.run.adapter_dir, n_steps)
    context.emit(Note("note_saved"))
    context.check_stop()
    measure(context, listener, held_out, base_texts)
    context.enter("done")


def _load(context: WorkerContext, config: TrainConfig) -> Listener:
    device = find_torch_device()
    context.emit(Note("note_loading_base", {"base": config.base}))
    set_seed(config.seed)  # before LoRA draws its first weights
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, device)
    model = add_lora(base, config.base, config.lora)
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    context.emit(Note("note_base_ready", {"device": name, "precision": config.precision}))
    return Listener(model, processor, context.run, config.precision)


def _fit(
    context: WorkerContext,
    config: TrainConfig,
    listener: Listener,
    score_sample: Callable[[int], None],
) -> int:
    """Train until the end or until asked to stop; returns the number of steps taken."""
    run, model = context.run, listener.model
    device = next(model.parameters()).device
    clips = read_clips(run.dataset_dir, "train")
    plan = BatchPlan(
        [clip.duration_s for clip in clips],
        config.batch_size,
        config.window,
        config.seed,
        config.n_devices,
    )
    collator = Collator(
        processor=listener.processor,
        dataset_dir=run.dataset_dir,
        start_id=model.config.decoder_start_token_id,
    )
    trainer = WhisperTrainer(
        model=model,
        args=training_arguments(config, run.dir / "checkpoints", device),
        train_dataset=PlannedClips(clips, plan),
        data_collator=collator,
        processing_class=listener.processor,
        n_parts=config.gradient_accumulation,
        on_halved=lambda n_parts: context.emit(Note("note_halved", {"n_parts": n_parts})),
        callbacks=[EventCallback(context.emit, lambda: context.stop_asked, score_sample)],
    )
    context.enter("training")
    context.emit(Note("note_training", {"n_clips": len(clips)}))
    trainer.train()
    if context.stop_asked:
        context.enter("stopping")
    return trainer.state.global_step


def _spread(clips: list[Clip], n: int) -> list[Clip]:
    """`n` clips, evenly spread over the list; all of them when there are fewer."""
    if len(clips) <= n:
        return clips
    return [clips[i * len(clips) // n] for i in range(n)]


def _emit_score(
    context: WorkerContext, config: TrainConfig, step: int, clips: list[Clip], texts: list[str]
) -> None:
    result = score([clip.text for clip in clips], texts, config.language)
    context.emit(Score(step, result.wer, result.cer, len(clips)))
