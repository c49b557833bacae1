"""`Seq2SeqTrainer` for Whisper: the speech window, steps in parts, the right loss scale."""

import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional
from torch.utils.data import DataLoader
from transformers import Seq2SeqTrainer, Seq2SeqTrainingArguments, WhisperProcessor
from transformers.trainer import TRAINER_STATE_NAME

from whisper_tuner.config import TrainConfig
from whisper_tuner.model.batches import MAX_HALVINGS, areas, cut
from whisper_tuner.model.features import HOP, excerpts, log_mel, mel_filters, pad_audio
from whisper_tuner.model.frames import FULL_FRAMES, STRIDE_LEARNING
from whisper_tuner.model.load import half_dtype
from whisper_tuner.model.window import Silence, encoder_window, record_silence
from whisper_tuner.runs import checkpoints
from whisper_tuner.training.adapter import require_finite
from whisper_tuner.training.collator import IGNORED, PlannedClips
from whisper_tuner.training.early_stop import BestAdapter

DDP_PATIENCE_S = 24 * 3600  # the others wait while the first process transcribes
# The silence as the model hears it changes slowly while it learns. Checkpoints are written at
# these steps only, so that a resumed training records it where the uninterrupted one did.
STEPS_BETWEEN_RECORDINGS = 25


def token_mean_loss(
    outputs: Any, labels: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """Cross-entropy per label token over a whole optimiser step.

    `labels` has shape (batch, length), IGNORED where padded. The sum over this part is divided by
    the tokens of all parts and devices, so that 1 x 8 and 4 x 2 clips give one gradient. Whisper's
    own loss is a mean per part, which the Trainer takes for scaled already.
    """
    logits = outputs.logits.float().flatten(0, 1)
    total = functional.cross_entropy(
        logits, labels.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return total / ((labels != IGNORED).sum() if num_items_in_batch is None else num_items_in_batch)


class StepAbandoned(Exception):  # noqa: N818 - it is no error
    """Stop was pressed in the middle of a step, which may take minutes on a CPU."""


class WhisperTrainer(Seq2SeqTrainer):
    """The stock Trainer on `PlannedClips`, its steps in parts, each in its own encoder window.

    Parts of similar length save padding; `n_parts` asks for parts of at most that share of the
    largest, to fit into memory. Neither changes the gradient, but for what one window differs from
    another (`model/window.py`). When the device's memory does not hold a part, the step is computed
    again in parts half as large, `MAX_HALVINGS` times at most; `on_halved` hears how many the
    largest then takes. Several devices cannot: the others would wait for ever, so there the error
    ends the training. One device abandons its step between two parts when `stop_asked`: `train`
    raises StepAbandoned, and what was learnt before can be saved by `save_now`.

    Checkpoints hold all that a resumed training needs to go on as if nothing had happened, `best`
    included; they are committed to `args.output_dir` whole or not at all (`runs/checkpoints.py`).
    """

    def __init__(
        self,
        *args: Any,
        processing_class: WhisperProcessor,
        n_parts: int = 1,
        on_halved: Callable[[int], object] = lambda n_parts: None,
        stop_asked: Callable[[], bool] = lambda: False,
        best: BestAdapter | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            *args, processing_class=processing_class, compute_loss_func=token_mean_loss, **kwargs
        )
        self.model_accepts_loss_kwargs = False  # Whisper takes any keyword and ignores this one
        self._largest = self.train_dataset.plan.largest_part(self.args.device.type)  # frames
        self._most = self._largest / n_parts
        self._n_halvings = 0
        self._on_halved = on_halved
        self._stop_asked = stop_asked
        self._best = best
        self._silence: Silence | None = None
        self._mel_filters = mel_filters(processing_class).to(self.args.device)

    def get_train_dataloader(self) -> DataLoader:
        clips: PlannedClips = self.train_dataset
        loader = DataLoader(
            clips,
            batch_sampler=clips.plan,
            collate_fn=self.data_collator,
            num_workers=self.args.dataloader_num_workers,
            pin_memory=self.args.dataloader_pin_memory,
            persistent_workers=self.args.dataloader_num_workers > 0,
        )
        return self.accelerator.prepare(loader)

    def training_step(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None = None,
    ) -> torch.Tensor:
        """Forward and backward of one whole step; returns its loss, detached."""
        in_window = self.train_dataset.plan.window == "speech"
        is_due = self.state.global_step % STEPS_BETWEEN_RECORDINGS == 0
        if in_window and (is_due or self._silence is None):
            self._silence = self._record_silence(model)
        while True:
            try:
                return self._step_in_parts(model, inputs, num_items_in_batch)
            except torch.OutOfMemoryError:
                if not self._can_halve(inputs):
                    raise
            # behind the except: there its traceback still holds the step's tensors
            model.zero_grad()  # of the parts that did fit
            torch.cuda.empty_cache()
            self._n_halvings += 1
            self._most = max(areas(inputs["n_frames"].tolist(), self._sizes(inputs))) / 2
            self._on_halved(math.ceil(self._largest / self._most))

    def _record_silence(self, model: torch.nn.Module) -> Silence:
        whisper = self.accelerator.unwrap_model(model)
        folder = self.data_collator.dataset_dir
        beginnings = excerpts(folder / clip.audio for clip in self.train_dataset.clips)
        audio = pad_audio(beginnings, FULL_FRAMES).to(self.args.device)
        with self.compute_loss_context_manager():
            return record_silence(whisper, self._features(audio, whisper), STRIDE_LEARNING)

    def _can_halve(self, inputs: dict[str, torch.Tensor]) -> bool:
        return (
            self._n_halvings < MAX_HALVINGS
            and max(self._sizes(inputs)) > 1
            and self.accelerator.num_processes == 1
        )

    def _sizes(self, inputs: dict[str, torch.Tensor]) -> list[int]:
        return cut(inputs["n_frames"].tolist(), self.args.device.type, self._most)

    def _step_in_parts(
        self,
        model: torch.nn.Module,
        inputs: dict[str, torch.Tensor],
        num_items_in_batch: torch.Tensor | int | None,
    ) -> torch.Tensor:
        whisper = self.accelerator.unwrap_model(model)
        n_frames = inputs["n_frames"].tolist()
        n_tokens = (inputs["labels"] != IGNORED).sum(dim=1).tolist()
        losses = []
        begin = 0
        for size in self._sizes(inputs):
            if self._stop_asked() and self.accelerator.num_processes == 1:
                raise StepAbandoned
            end = begin + size
            longest = max(1, *n_tokens[begin:end])
            part = {
                "audio": inputs["audio"][begin:end, : n_frames[begin] * HOP],
                "decoder_input_ids": inputs["decoder_input_ids"][begin:end, :longest],
                "labels": inputs["labels"][begin:end, :longest],
            }
            is_last = end == len(n_frames)
            sync = contextlib.nullcontext() if is_last else self.accelerator.no_sync(model)
            with sync, encoder_window(whisper, n_frames[begin], self._silence):
                losses.append(super().training_step(model, part, num_items_in_batch))
            begin = end
        return torch.stack(losses).sum()

    def compute_loss(self, model: torch.nn.Module, inputs: dict, *args: Any, **kwargs: Any) -> Any:
        """`inputs` as the collator makes them: the audio becomes log-mel here, on the device."""
        features = self._features(inputs.pop("audio"), self.accelerator.unwrap_model(model))
        return super().compute_loss(model, {"input_features": features, **inputs}, *args, **kwargs)

    def _features(self, audio: torch.Tensor, whisper: torch.nn.Module) -> torch.Tensor:
        return log_mel(audio, self._mel_filters).to(whisper.get_encoder().conv1.weight.dtype)

    def _maybe_log_save_evaluate(self, tr_loss: torch.Tensor, *args: Any, **kwargs: Any) -> None:
        """The stock one clears the sum of losses by subtracting it from itself: NaN would stay."""
        super()._maybe_log_save_evaluate(tr_loss, *args, **kwargs)
        tr_loss.nan_to_num_(nan=0.0)

    def save_now(self) -> None:
        """End as `train` does: a checkpoint behind the last whole step, if there is one."""
        if self.state.global_step:
            self._save_checkpoint()
        self.callback_handler.on_train_end(self.args, self.state, self.control)

    def _save_checkpoint(self, *_: Any) -> None:
        """In place of the stock one, which a kill leaves half written under its final name.

        Raises TrainingError when a weight is not finite: nothing good could follow from it.
        """
        folder, step = Path(self.args.output_dir), self.state.global_step
        require_finite(self.model, step)  # in every process: all have the same weights
        if self.args.should_save:
            checkpoints.commit(folder, step, self._write_checkpoint)
        else:
            self._write_checkpoint(checkpoints.unfinished(folder, step))

    def _write_checkpoint(self, folder: Path) -> None:
        """Every process adds the state of its random numbers, the first one all else."""
        self.accelerator.wait_for_everyone()  # now the folder is there
        self._save_rng_state(str(folder))
        if self.args.should_save:
            self.accelerator.unwrap_model(self.model).save_pretrained(
                folder, save_embedding_layers=False
            )
            self._save_optimizer_and_scheduler(str(folder))
            self._save_scaler(str(folder))
            self.state.save_to_json(str(folder / TRAINER_STATE_NAME))
            if self._best:
                self._best.save(folder)
        self.accelerator.wait_for_everyone()  # now all is written

    def _load_from_checkpoint(self, resume_from_checkpoint: str, *args: Any) -> None:
        super()._load_from_checkpoint(resume_from_checkpoint, *args)
        if self._best:
            self._best.load(Path(resume_from_checkpoint))

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        """The rate is the one asked for now, not the checkpoint's: a roll-back lowers it."""
        super()._load_optimizer_and_scheduler(checkpoint)
        if checkpoint is None:
            return
        scheduler = getattr(self.lr_scheduler, "scheduler", self.lr_scheduler)  # accelerate's wrap
        highest = self.args.learning_rate
        scheduler.base_lrs = [highest] * len(scheduler.base_lrs)
        for group, share in zip(self.optimizer.param_groups, scheduler.lr_lambdas, strict=True):
            group["initial_lr"], group["lr"] = highest, highest * share(scheduler.last_epoch)
        scheduler._last_lr = [group["lr"] for group in self.optimizer.param_groups]  # what is said

    def floating_point_ops(self, inputs: dict[str, torch.Tensor]) -> float:
        """Not counted: the stock estimate takes mel cells for tokens."""
        return 0.0


def training_arguments(
    config: TrainConfig, output_dir: Path, device: torch.device
) -> Seq2SeqTrainingArguments:
    """Our settings in the Trainer's words. Nothing that reaches the Hub: no token, no push."""
    on_gpu = device.type == "cuda"
    mixed = on_gpu and config.precision != "32bit"
    bf16 = half_dtype(device) == torch.bfloat16
    return Seq2SeqTrainingArguments(
        output_dir=str(output_dir),
        num_train_epochs=config.epochs,
        max_steps=config.max_steps or -1,
        learning_rate=config.learning_rate,
        warmup_steps=config.warmup_share,
        seed=config.seed,
        use_cpu=not on_gpu,
        bf16=mixed and bf16,
        fp16=mixed and not bf16,
        activation_checkpointing=config.checkpointing,
        activation_checkpointing_kwargs={"use_reentrant": False} if config.checkpointing else None,
        accelerator_config={"even_batches": False},  # else batches of unequal size are refused
        remove_unused_columns=False,  # the collator takes clips, not columns
        label_names=["labels"],
        logging_steps=1,
        logging_nan_inf_filter=False,  # else a NaN loss would be shown as the last good one
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        dataloader_num_workers=min(4, torch.get_num_threads()) if on_gpu else 0,
        dataloader_pin_memory=on_gpu,
        ddp_find_unused_parameters=False,
        ddp_timeout=DDP_PATIENCE_S,
    )
