"""The Trainer's loss scale, its refusal of NaN, and the speech window under it."""

from dataclasses import replace

import pytest
import torch
from transformers import set_seed

from whisper_tuner.audio import read_flac
from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import TrainingError
from whisper_tuner.model.batches import BatchPlan, Sample
from whisper_tuner.model.features import clip_features
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.runs import checkpoints
from whisper_tuner.runs.events import StateChanged, Step
from whisper_tuner.training.adapter import save_adapter
from whisper_tuner.training.callbacks import EventCallback
from whisper_tuner.training.collator import Collator, PlannedClips
from whisper_tuner.training.early_stop import BestAdapter
from whisper_tuner.training.trainer import StepAbandoned, WhisperTrainer, training_arguments

CPU = torch.device("cpu")


def build(run, config, tmp_path, poison=False, trainer_class=WhisperTrainer):
    """A trainer over the run's training clips, and the list its events go to."""
    set_seed(config.seed)
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, CPU)
    model = add_lora(base, config.base, config.lora)
    if poison:
        with torch.no_grad():
            next(w for w in model.parameters() if w.requires_grad).fill_(float("nan"))
    events = []
    clips = read_clips(run.dataset_dir, "train")
    durations_s = [clip.duration_s for clip in clips]
    trainer = trainer_class(
        model=model,
        args=training_arguments(config, tmp_path / "out", CPU),
        train_dataset=PlannedClips(clips, BatchPlan.of(config, durations_s)),
        data_collator=Collator(processor, run.dataset_dir, 50258),
        processing_class=processor,
        n_parts=config.gradient_accumulation,
        on_halved=events.append,
        callbacks=[
            EventCallback(events.append, lambda: False, lambda step, is_last: False, score_every=1)
        ],
    )
    return trainer, processor, events


def one_step(run, config, tmp_path):
    trainer, _, events = build(run, config, tmp_path)
    trainer.train()
    weights = {
        n: w.detach().clone() for n, w in trainer.model.named_parameters() if w.requires_grad
    }
    return events[0], weights


def gradient(trainer):
    """Of the first step, all weights in one row; and its loss."""
    batch = next(iter(trainer.get_train_dataloader()))
    n_tokens = (batch["labels"] != -100).sum()
    loss = trainer.training_step(trainer.model, batch, n_tokens)
    weights = [w for w in trainer.model.parameters() if w.requires_grad]
    return torch.cat([w.grad.flatten() for w in weights]), loss.item()


@pytest.mark.parametrize(("window", "tolerance"), [("speech", 5e-3), ("full", 1e-4)])
def test_a_step_in_parts_has_the_same_gradient(window, tolerance, prepared, tiny_config, tmp_path):
    """facts: the stock Trainer logs four times the loss and gradient with accumulation 4.

    In the speech window parts have windows of their own, which are only nearly the same.
    """
    lora = LoraSettings(dropout=0.0)
    config = replace(tiny_config, lora=lora, window=window, batch_size=8)
    whole, loss = gradient(build(prepared, config, tmp_path)[0])
    config = replace(config, gradient_accumulation=3)
    parts, loss_in_parts = gradient(build(prepared, config, tmp_path)[0])
    assert 10 < loss < 12  # the mean over tokens of a random model: ln(51865) = 10.86
    assert loss_in_parts == pytest.approx(loss, rel=1e-4)
    assert (parts - whole).norm() < tolerance * whole.norm()


def test_checkpointing_changes_nothing(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=2, warmup_share=0.0)
    _, weights = one_step(prepared, config, tmp_path)
    _, again = one_step(prepared, replace(config, checkpointing=True), tmp_path)
    assert all(torch.allclose(weight, again[name], atol=1e-6) for name, weight in weights.items())


class SmallMemory(WhisperTrainer):
    """Holds at most `n_held` clips of a step; the first part of a step always fits."""

    n_held = 2

    def compute_loss(self, model, inputs, *args, **kwargs):
        if len(inputs["labels"]) > self.n_held:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().compute_loss(model, inputs, *args, **kwargs)


def losses(events):
    return [event.loss for event in events if isinstance(event, Step)]


def test_out_of_memory_halves_the_parts_and_loses_nothing(prepared, tiny_config, tmp_path):
    lora = LoraSettings(dropout=0.0)
    config = replace(tiny_config, batch_size=8, lora=lora, warmup_share=0.0, window="full")
    trainer, _, events = build(prepared, config, tmp_path)
    trainer.train()
    small, _, small_events = build(prepared, config, tmp_path, trainer_class=SmallMemory)
    small.train()
    assert small_events[:2] == [2, 4]  # 8 clips did not fit, nor 4
    assert losses(small_events) == pytest.approx(losses(events), rel=1e-4)


def test_out_of_memory_a_third_time_ends_the_training(prepared, tiny_config, tmp_path, monkeypatch):
    monkeypatch.setattr(SmallMemory, "n_held", 0)
    config = replace(tiny_config, batch_size=8)
    trainer, _, events = build(prepared, config, tmp_path, trainer_class=SmallMemory)
    with pytest.raises(torch.OutOfMemoryError):
        trainer.train()
    assert events == [2, 4]


def test_loss_is_whispers_own_mean(prepared, tiny_config, tmp_path):
    trainer, processor, _ = build(prepared, tiny_config, tmp_path)
    trainer.model.eval()
    clips = trainer.train_dataset.clips[:4]
    batch = trainer.data_collator([(clip, Sample(i, 3000)) for i, clip in enumerate(clips)])
    audios = [read_flac(prepared.dataset_dir / clip.audio) for clip in clips]
    features = clip_features(processor, audios, 3000, torch.zeros(1))
    with torch.no_grad():
        ours = trainer.compute_loss(trainer.model, dict(batch))
        whispers = trainer.model(input_features=features, labels=batch["labels"]).loss
    assert torch.allclose(ours, whispers, rtol=1e-5)


def test_steps_are_events(prepared, tiny_config, tmp_path):
    trainer, _, events = build(prepared, replace(tiny_config, max_steps=3), tmp_path)
    trainer.train()
    steps = [event for event in events if isinstance(event, Step)]
    assert [step.step for step in steps] == [1, 2, 3]
    assert all(step.n_steps == 3 for step in steps)
    assert steps[-1].remaining_s == 0


def test_nan_loss_stops_the_run(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=9)
    trainer, _, events = build(prepared, config, tmp_path, poison=True)
    with pytest.raises(TrainingError) as caught:
        trainer.train()
    assert caught.value.code == "training_not_finite"
    assert caught.value.params == {"step": 3}
    assert events == []


class OverflowsOnce(WhisperTrainer):
    """As 16-bit floats do now and then: no loss, and the scaler skips the step."""

    def training_step(self, *args, **kwargs):
        loss = super().training_step(*args, **kwargs)
        if self.state.global_step != 1:
            return loss
        self.model.zero_grad()
        return torch.full_like(loss, float("nan"))


def test_one_loss_that_is_not_finite_is_passed_over(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=4)
    trainer, _, events = build(prepared, config, tmp_path, trainer_class=OverflowsOnce)
    trainer.train()
    assert [event.step for event in events if isinstance(event, Step)] == [1, 3, 4]


def test_a_resumed_training_learns_at_the_rate_it_is_given(prepared, tiny_config, tmp_path):
    """A roll-back lowers it; the checkpoint's scheduler knows the old one."""
    config = replace(tiny_config, max_steps=2)
    build(prepared, config, tmp_path)[0].train()
    lower = replace(config, max_steps=4, learning_rate=config.learning_rate / 2)
    trainer, _, events = build(prepared, lower, tmp_path)
    trainer.train(resume_from_checkpoint=str(checkpoints.newest(tmp_path / "out")))
    rates = [event.learning_rate for event in events if isinstance(event, Step)]
    other, _, events = build(prepared, lower, tmp_path / "other")
    other.train()
    assert rates == [event.learning_rate for event in events if isinstance(event, Step)][2:]


def test_stop_does_not_wait_for_the_end_of_a_step(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=5)
    trainer, _, _ = build(prepared, config, tmp_path)
    trainer._stop_asked = lambda: trainer.state.global_step == 2
    with pytest.raises(StepAbandoned):
        trainer.train()
    trainer.save_now()
    assert checkpoints.newest(tmp_path / "out").name == "step-2"


def test_adapter_that_is_not_finite_is_never_saved(prepared, tiny_config, tmp_path):
    trainer, processor, _ = build(prepared, tiny_config, tmp_path, poison=True)
    with pytest.raises(TrainingError):
        save_adapter(trainer.model, processor, tmp_path / "adapter", 1)
    assert not (tmp_path / "adapter").exists()


def test_every_lora_weight_gets_a_gradient_and_nothing_else_does(prepared, tiny_config, tmp_path):
    trainer, _, _ = build(prepared, tiny_config, tmp_path)
    batch = next(iter(trainer.get_train_dataloader()))
    trainer.training_step(trainer.model, batch)
    for name, weight in trainer.model.named_parameters():
        assert (weight.grad is not None) == ("lora_" in name), name
        if "lora_B" in name:  # A's gradient is zero until B has moved from zero
            assert weight.grad.abs().sum() > 0, name


def test_same_seed_same_adapter(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=2)
    _, first = one_step(prepared, config, tmp_path)
    _, second = one_step(prepared, config, tmp_path)
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())


def weights_of(trainer):
    return {n: w.detach().clone() for n, w in trainer.model.named_parameters() if w.requires_grad}


@pytest.mark.parametrize("window", ["speech", "full"])
def test_a_resumed_training_ends_bitwise_like_an_uninterrupted_one(
    window, prepared, tiny_config, tmp_path, monkeypatch
):
    monkeypatch.setattr("whisper_tuner.training.callbacks.SAVE_EVERY_S", 0.0)
    for module in ("callbacks", "trainer"):
        monkeypatch.setattr(f"whisper_tuner.training.{module}.STEPS_BETWEEN_RECORDINGS", 2)
    config = replace(tiny_config, window=window, epochs=4, max_steps=7)
    whole, _, events = build(prepared, config, tmp_path)
    whole.train()
    saved = checkpoints.by_step(tmp_path / "out")
    assert [path.name for path in saved] == ["step-4", "step-6", "step-7"]
    assert [e.state for e in events if isinstance(e, StateChanged)] == ["saving", "training"] * 4

    resumed, _, events = build(prepared, config, tmp_path)
    resumed.train(resume_from_checkpoint=str(saved[0]))
    assert [event.step for event in events if isinstance(event, Step)] == [5, 6, 7]
    assert all(torch.equal(w, weights_of(resumed)[n]) for n, w in weights_of(whole).items())


def test_the_best_adapter_is_in_the_checkpoint(prepared, tiny_config, tmp_path):
    config = replace(tiny_config, max_steps=1)
    trainer, _, _ = build(prepared, config, tmp_path)
    best = BestAdapter(trainer.model)
    best.saw(20, 0.3)
    best.saw(40, 0.4)
    trainer._best = best
    trainer.train()
    again, _, _ = build(prepared, config, tmp_path)
    other = again._best = BestAdapter(again.model)
    again.train(resume_from_checkpoint=str(checkpoints.newest(tmp_path / "out")))
    assert other.step == 20
    assert not other.saw(60, 0.35)  # worse than 0.3: the second in a row
    assert other.saw(80, 0.35)  # the third
    best.restore()
    other.restore()
    assert all(torch.equal(w, weights_of(again)[n]) for n, w in weights_of(trainer).items())


def test_weights_that_are_not_finite_are_never_a_checkpoint(prepared, tiny_config, tmp_path):
    """The loss of a step is of the weights before it, so it says nothing of those behind it."""
    trainer, _, _ = build(prepared, replace(tiny_config, max_steps=1), tmp_path, poison=True)
    trainer.state.global_step = 1
    with pytest.raises(TrainingError) as caught:
        trainer._save_checkpoint()
    assert caught.value.code == "training_not_finite"
    assert checkpoints.newest(tmp_path / "out") is None
