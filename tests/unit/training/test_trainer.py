"""The Trainer's loss scale, its refusal of NaN, and the speech window under it."""

from dataclasses import replace

import pytest
import torch
from transformers import set_seed

from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import TrainingError
from whisper_tuner.model.load import add_lora, load_base, load_processor
from whisper_tuner.runs.events import Step
from whisper_tuner.training.adapter import save_adapter
from whisper_tuner.training.callbacks import EventCallback
from whisper_tuner.training.collator import Collator
from whisper_tuner.training.trainer import WhisperTrainer, training_arguments

CPU = torch.device("cpu")


def build(run, config, tmp_path, poison=False):
    """A trainer over the run's training clips, and the list its events go to."""
    set_seed(config.seed)
    processor = load_processor(config.base, config.language)
    base = load_base(config.base, config.language, config.precision, CPU)
    model = add_lora(base, config.base, config.lora)
    if poison:
        with torch.no_grad():
            next(w for w in model.parameters() if w.requires_grad).fill_(float("nan"))
    events = []
    trainer = WhisperTrainer(
        model=model,
        args=training_arguments(config, tmp_path / "out", CPU),
        train_dataset=read_clips(run.dataset_dir, "train"),
        data_collator=Collator(processor, run.dataset_dir, 50258, config.window, torch.float32),
        callbacks=[EventCallback(events.append, lambda: False, lambda step: None)],
    )
    return trainer, processor, events


def one_step(run, config, tmp_path):
    trainer, _, events = build(run, config, tmp_path)
    trainer.train()
    weights = {
        n: w.detach().clone() for n, w in trainer.model.named_parameters() if w.requires_grad
    }
    return events[0], weights


def test_gradient_accumulation_changes_nothing(prepared, tiny_config, tmp_path):
    """facts: the stock Trainer logs four times the loss and gradient with accumulation 4."""
    still = replace(
        tiny_config, lora=LoraSettings(dropout=0.0), window="full", max_steps=1, warmup_share=0.0
    )
    whole, weights = one_step(prepared, replace(still, batch_size=8), tmp_path)
    parts, parts_weights = one_step(
        prepared, replace(still, batch_size=2, gradient_accumulation=4), tmp_path
    )
    assert 10 < whole.loss < 12  # the mean over tokens of a random model: ln(51865) = 10.86
    assert parts.loss == pytest.approx(whole.loss, rel=1e-4)
    assert parts.grad_norm == pytest.approx(whole.grad_norm, rel=1e-3)
    for name, weight in weights.items():
        assert torch.allclose(weight, parts_weights[name], atol=1e-6), name


def test_loss_is_whispers_own_mean(prepared, tiny_config, tmp_path):
    trainer, _, _ = build(prepared, replace(tiny_config, window="full"), tmp_path)
    trainer.model.eval()
    batch = trainer.data_collator(trainer.train_dataset[:4])
    with torch.no_grad():
        ours = trainer.compute_loss(trainer.model, dict(batch))
        whispers = trainer.model(
            input_features=batch["input_features"], labels=batch["labels"]
        ).loss
    assert torch.allclose(ours, whispers, rtol=1e-5)


def test_steps_are_events(prepared, tiny_config, tmp_path):
    trainer, _, events = build(prepared, replace(tiny_config, max_steps=3), tmp_path)
    trainer.train()
    assert [event.step for event in events] == [1, 2, 3]
    assert all(isinstance(event, Step) and event.n_steps == 3 for event in events)
    assert events[-1].remaining_s == 0


def test_nan_loss_stops_the_run(prepared, tiny_config, tmp_path):
    trainer, _, events = build(prepared, tiny_config, tmp_path, poison=True)
    with pytest.raises(TrainingError) as caught:
        trainer.train()
    assert caught.value.code == "training_not_finite"
    assert caught.value.params == {"step": 1}
    assert events == []


def test_adapter_that_is_not_finite_is_never_saved(prepared, tiny_config, tmp_path):
    trainer, processor, _ = build(prepared, tiny_config, tmp_path, poison=True)
    with pytest.raises(TrainingError):
        save_adapter(trainer.model, processor, tmp_path / "adapter", 1)
    assert not (tmp_path / "adapter").exists()


def test_every_lora_weight_gets_a_gradient_and_nothing_else_does(prepared, tiny_config, tmp_path):
    trainer, _, _ = build(prepared, tiny_config, tmp_path)
    batch = trainer.data_collator(trainer.train_dataset[:4])
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
