"""`further`: a new run from a trained one, with more recordings or without."""

import json
from pathlib import Path

import pytest

from tests.unit.test_cli import call, runs  # noqa: F401 - a fixture
from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run, Spec

CONFIG = TrainConfig("openai/whisper-tiny", "it", "32bit", lora=LoraSettings(rank=4, alpha=6))


@pytest.fixture
def trained(capsys, small_source, runs, hub_cache) -> Run:  # noqa: F811
    run = Run.open(runs, json.loads(call(capsys, "prepare", small_source, "--json")[1])["run"])
    run.write_spec(Spec(CONFIG, 1.0, {}))
    run.adapter_dir.mkdir()
    for name in ("adapter_model.safetensors", "adapter_config.json"):
        (run.adapter_dir / name).write_bytes(b"an adapter")
    return run


@pytest.fixture
def more(trained, tmp_path) -> Path:
    clip = next((trained.dataset_dir / "clips").iterdir())
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "more.flac").write_bytes(clip.read_bytes())
    (tmp_path / "more" / "more.txt").write_text("Altre parole.")
    return tmp_path / "more"


def test_says_how_to_train_the_new_run(capsys, trained, runs):  # noqa: F811
    code, out, err = call(capsys, "further", trained.id)
    assert (code, err) == (0, "")
    new = next(path.name for path in runs.glob("*-*-*") if path.name != trained.id)
    assert f"python -m whisper_tuner train {new} --language it" in out
    assert trained.id in out and "10 of 10" in out


def test_more_recordings_are_added(capsys, trained, more, runs):  # noqa: F811
    code, out, _ = call(capsys, "further", trained.id, more, "--json")
    answer = json.loads(out)
    assert (code, answer["from"]) == (0, trained.id)
    assert answer["n_train"] + answer["n_test"] == 11
    assert Run.open(runs, answer["run"]).start_dir.is_dir()
    assert answer["run"] in answer["train"]


def test_nothing_that_can_be_added_is_exit_code_2(capsys, trained, small_source):
    code, out, _ = call(capsys, "further", trained.id, small_source)
    assert code == 2
    assert "None of the 10 recordings" in out


@pytest.mark.parametrize("source", ["nowhere.zip", __file__])
def test_a_source_that_cannot_be_read_makes_no_run(capsys, trained, runs, source):  # noqa: F811
    code, _, err = call(capsys, "further", trained.id, source)
    assert code == 2 and len(err.strip().splitlines()) == 1
    assert [path.name for path in runs.glob("*-*-*")] == [trained.id]


def test_a_run_without_adapter_is_one_sentence(capsys, prepared):
    code, _, err = call(capsys, "further", prepared.dir)
    assert code == 2 and "no finished adapter" in err


def test_train_takes_base_and_lora_from_the_adapter(capsys, trained, monkeypatch, runs):  # noqa: F811
    new = json.loads(call(capsys, "further", trained.id, "--json")[1])["run"]
    arguments = ("train", new, "--language", "it", "--detach")
    code, _, err = call(capsys, *arguments, "--rank", "32")
    assert code == 2 and "rank 4" in err
    code, _, err = call(capsys, *arguments, "--base", "openai/whisper-base")
    assert code == 2 and "whisper-tiny" in err
    monkeypatch.setattr(jobs, "start", lambda run: True)
    assert call(capsys, *arguments, "--epochs", "2")[0] == 0
    spec = Run.open(runs, new).read_spec()
    assert (spec.config.base, spec.config.lora) == (CONFIG.base, CONFIG.lora)
    assert (spec.config.epochs, spec.started_from) == (2, trained.id)
