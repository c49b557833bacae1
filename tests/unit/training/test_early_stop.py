"""Which clips decide when a training ends, and which weights are kept."""

import pytest
import torch

from tests.tiny import TINY_ID
from whisper_tuner.config import LoraSettings
from whisper_tuner.data.clips import Clip
from whisper_tuner.data.split import sentence_key
from whisper_tuner.model.load import add_lora, load_base
from whisper_tuner.training.early_stop import PATIENCE, BestAdapter, set_aside


def clips(n: int, n_sentences: int) -> list[Clip]:
    return [
        Clip(
            f"{i:06}",
            f"clips/{i:06}.flac",
            f"sentence {i % n_sentences}",
            f"{i}.wav",
            2.0,
            6,
            "train",
        )
        for i in range(n)
    ]


def test_few_clips_are_all_learnt():
    assert set_aside(clips(299, 299), seed=1) == (clips(299, 299), [])


def test_a_tenth_is_set_aside_in_whole_sentences():
    given = clips(600, 200)
    learnt, dev = set_aside(given, seed=1)
    assert 50 <= len(dev) <= 60
    assert sorted(learnt + dev, key=lambda clip: clip.id) == given
    assert not {sentence_key(c.text) for c in learnt} & {sentence_key(c.text) for c in dev}
    assert set_aside(given, seed=1) == (learnt, dev)
    assert set_aside(given, seed=2) != (learnt, dev)


def test_no_more_are_set_aside_than_a_score_needs():
    assert len(set_aside(clips(5000, 5000), seed=1)[1]) == 100


@pytest.fixture
def model(hub_cache):
    return add_lora(load_base(TINY_ID, "it", "32bit", torch.device("cpu")), TINY_ID, LoraSettings())


def fill(model, value):
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.fill_(value)


def test_best_weights_come_back_after_worse_ones(model):
    best = BestAdapter(model)
    verdicts = []
    for step, rate in enumerate([0.5, 0.3, 0.4, 0.35, 0.31], start=1):
        fill(model, float(step))
        verdicts.append(best.saw(step, rate))
    assert verdicts == [False, False, False, False, True]
    assert PATIENCE == 3
    best.restore()
    assert best.step == 2
    assert all((w == 2.0).all() for w in model.parameters() if w.requires_grad)


def test_an_equal_rate_is_no_new_best(model):
    best = BestAdapter(model)
    assert [best.saw(step, 0.2) for step in (1, 2, 3, 4)] == [False, False, False, True]
    assert best.step == 1
