"""A run that goes on from another: its adapter at step 0, and what it may choose."""

import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import TINY_ID
from tests.unit.training.conftest import CPU, model_of, trained
from whisper_tuner import steps
from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import read_clips
from whisper_tuner.errors import InputError, ModelError, RunError
from whisper_tuner.model.batches import BatchPlan
from whisper_tuner.model.load import load_processor, take_weights
from whisper_tuner.runs import jobs, start
from whisper_tuner.runs.context import WorkerContext
from whisper_tuner.runs.device import Device
from whisper_tuner.runs.events import EventWriter, read_events
from whisper_tuner.runs.folder import Spec
from whisper_tuner.training.adapter import save_adapter
from whisper_tuner.training.collator import Collator, PlannedClips
from whisper_tuner.training.stage import Scorer
from whisper_tuner.training.trainer import WhisperTrainer, training_arguments

ADAPTER_NAME = "adapter_model.safetensors"
LAPTOP = Device("cpu", "2 CPU cores", 16.0)


def test_the_new_run_has_all_it_needs_of_the_old_one(learnt, tiny_config):
    run = steps.further(learnt)
    assert run.id != learnt.id and not run.spec_path.exists()
    assert read_clips(run.dataset_dir) == read_clips(learnt.dataset_dir)
    for name in start.ADAPTER_FILES:
        assert (run.start_dir / name).samefile(learnt.adapter_dir / name)
    train_ids = tuple(clip.id for clip in read_clips(learnt.dataset_dir, "train"))
    assert start.read_origin(run) == start.Origin(learnt.id, tiny_config, train_ids, ())
    assert start.read_origin(learnt) is None


def test_there_must_be_an_adapter(prepared):
    with pytest.raises(RunError) as refused:
        steps.further(prepared)
    assert refused.value.code == "adapter_missing"


def test_weights_after_no_step_are_the_adapters_own(learnt, tiny_config):
    run = steps.further(learnt)
    model = model_of(tiny_config)
    names = list(trained(model))
    take_weights(model, run.start_dir)
    assert list(trained(model)) == names
    assert all(weight.dtype == torch.float32 for weight in trained(model).values())
    save_adapter(model, load_processor(TINY_ID, "it"), run.adapter_dir, step=0)
    before = load_file(learnt.adapter_dir / ADAPTER_NAME)
    after = load_file(run.adapter_dir / ADAPTER_NAME)
    assert before.keys() == after.keys()
    assert all(torch.equal(weight, after[name]) for name, weight in before.items())


def first_loss(run, config, model, tmp_path):
    run_clips = read_clips(run.dataset_dir, "train")
    processor = load_processor(config.base, config.language)
    trainer = WhisperTrainer(
        model=model,
        args=training_arguments(config, tmp_path / "out", CPU),
        train_dataset=PlannedClips(
            run_clips, BatchPlan.of(config, [clip.duration_s for clip in run_clips])
        ),
        data_collator=Collator(processor, run.dataset_dir, 50258),
        processing_class=processor,
    )
    batch = next(iter(trainer.get_train_dataloader()))
    return trainer.training_step(trainer.model, batch, (batch["labels"] != -100).sum()).item()


def test_the_first_loss_is_the_old_adapters(learnt, tiny_config, tmp_path):
    config = replace(tiny_config, lora=LoraSettings(dropout=0.0), window="full")
    old = model_of(config)
    saved = load_file(learnt.adapter_dir / ADAPTER_NAME)
    old.load_state_dict(
        {name.replace(".weight", ".default.weight"): w for name, w in saved.items()}, strict=False
    )
    new = model_of(config)
    take_weights(new, steps.further(learnt).start_dir)
    expected = first_loss(learnt, config, old, tmp_path)
    assert first_loss(learnt, config, new, tmp_path) == expected
    assert first_loss(learnt, config, model_of(config), tmp_path) != pytest.approx(expected, 1e-3)


@pytest.mark.parametrize("precision", ["8bit", "4bit"])
def test_a_quantised_base_takes_them_too(learnt, tiny_config, precision):
    model = model_of(replace(tiny_config, precision=precision))
    take_weights(model, learnt.adapter_dir)
    saved = load_file(learnt.adapter_dir / ADAPTER_NAME)
    for name, weight in trained(model).items():
        assert torch.equal(weight, saved[name.replace(".default.", ".")])


@pytest.mark.parametrize(
    ("lora", "named"),
    [
        (LoraSettings(rank=8), "rank"),
        (LoraSettings(alpha=32), "alpha"),
        (LoraSettings(target_modules=("q_proj",)), "target_modules"),
    ],
)
def test_another_shape_is_refused_by_page_and_engine(learnt, tiny_config, lora, named):
    run, config = steps.further(learnt), replace(tiny_config, lora=lora)
    with pytest.raises(InputError, match=named) as refused:
        steps.plan(run, config, LAPTOP)
    assert refused.value.code == "start_does_not_fit"
    with pytest.raises(ModelError) as refused:
        take_weights(model_of(config), run.start_dir)
    assert refused.value.code == "start_does_not_fit"


def test_another_base_is_refused(learnt, tiny_config):
    run = steps.further(learnt)
    with pytest.raises(InputError, match="whisper-tiny"):
        steps.plan(run, replace(tiny_config, base="openai/whisper-base"), LAPTOP)


def test_a_damaged_start_is_a_sentence(learnt, tiny_config):
    run, model = steps.further(learnt), model_of(tiny_config)
    weights = run.start_dir / ADAPTER_NAME
    fewer = dict(list(load_file(weights).items())[1:])
    weights.unlink()
    for damage in (lambda: save_file(fewer, weights), lambda: weights.write_bytes(b"cut off")):
        damage()
        with pytest.raises(ModelError) as refused:
            take_weights(model, run.start_dir)
        assert refused.value.code == "start_damaged"


def test_run_json_says_where_it_came_from(learnt, tiny_config, monkeypatch):
    run = steps.further(learnt)
    monkeypatch.setattr(jobs, "start", lambda run: True)
    steps.train(run, replace(tiny_config, learning_rate=1e-4))
    assert run.read_spec().started_from == learnt.id
    data = json.loads(run.spec_path.read_text())
    del data["started_from"]  # as written before there was such a field
    assert Spec.from_json(json.dumps(data)).started_from == ""


def test_again_begins_with_the_same_adapter(learnt, tiny_config):
    run = steps.further(learnt)
    run.write_spec(Spec(tiny_config, 2.0, {}, started_from=learnt.id))
    assert start.read_origin(steps.again(run)) == start.read_origin(run)


class Hearing:
    """Hears the same whatever is played, as a listener with an adapter would say it."""

    def __init__(self, model, said: str) -> None:
        self.model, self.said = model, said

    def tuned(self, clips, on_batch=None, window="full"):
        if on_batch:
            on_batch(1, len(clips))
        return [self.said for _ in clips]


def test_stop_does_not_wait_for_a_measurement(learnt, tiny_config):
    writer = EventWriter(learnt.events_path)
    context = WorkerContext(learnt, writer)
    dev = read_clips(learnt.dataset_dir, "train")[:2]
    scorer = Scorer(context, tiny_config, Hearing(model_of(tiny_config), dev[0].text), [], dev)
    context.stop_asked = True
    assert not scorer(5, is_last=False)
    writer.close()
    assert not [r for r in read_events(learnt.events_path) if r.event.kind == "score"]


@pytest.mark.parametrize("n_dev", [0, 2])
def test_the_curve_begins_with_the_adapter_which_is_kept_when_nothing_is_better(
    learnt, tiny_config, n_dev
):
    held_out = read_clips(learnt.dataset_dir, "test")
    dev = read_clips(learnt.dataset_dir, "train")[:n_dev]
    model = model_of(tiny_config)
    take_weights(model, learnt.adapter_dir)
    before = {name: weight.detach().clone() for name, weight in trained(model).items()}
    writer = EventWriter(learnt.events_path)
    context = WorkerContext(learnt, writer)
    listener = Hearing(model, (dev or held_out)[0].text)
    scorer = Scorer(context, tiny_config, listener, held_out, dev)
    scorer.score_start(["nothing", "nothing"], has_learnt=True)
    listener.said = "something quite different from all that was ever said here by anybody"
    with torch.no_grad():
        for weight in trained(model).values():
            weight.zero_()
    assert not scorer(5, is_last=False)
    writer.close()
    first, second = (r.event for r in read_events(learnt.events_path) if r.event.kind == "score")
    assert (first.step, second.step) == (0, 5)
    assert first.wer < second.wer
    assert scorer.best.is_before(5) == bool(dev)
    if dev:
        scorer.best.restore()
        assert scorer.best.step == 0
        assert all(torch.equal(before[name], w) for name, w in trained(model).items())
