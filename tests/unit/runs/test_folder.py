"""The run folder: private, found by its id only, its specification written once."""

import json
import stat

import pytest

from whisper_tuner.config import LoraSettings, TrainConfig
from whisper_tuner.errors import RunError
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run, Spec, default_root

CONFIG = TrainConfig("openai/whisper-base", "it", "8bit", lora=LoraSettings(rank=8))


def test_new_folders_are_private_and_their_ids_differ(tmp_path):
    runs = [Run.create(tmp_path) for _ in range(20)]
    assert len({run.id for run in runs}) == 20
    assert all(stat.S_IMODE(run.dir.stat().st_mode) == 0o700 for run in runs)
    assert Run.open(tmp_path, runs[0].id) == runs[0]


@pytest.mark.parametrize(
    "run_id", ["", ".", "..", "../x", "20260101-000000-0000000000000000", "a/b"]
)
def test_only_ids_of_this_root_are_opened(tmp_path, run_id):
    with pytest.raises(RunError) as caught:
        Run.open(tmp_path, run_id)
    assert caught.value.code == "run_unknown"


def test_specification_is_written_once_and_read_back(tmp_path):
    run = Run.create(tmp_path)
    with pytest.raises(RunError):
        run.read_spec()
    spec = Spec(CONFIG, 12.5, {"torch": "2.13.0"})
    run.write_spec(spec)
    assert run.read_spec() == spec
    with pytest.raises(RunError) as caught:
        run.write_spec(spec)
    assert caught.value.code == "run_has_started"


WHOLE = json.loads(Spec(CONFIG, 12.5, {}).to_json())


@pytest.mark.parametrize(
    "content",
    [
        "",
        "\0" * 400,
        '{"config": ',
        "[]",
        json.dumps({**WHOLE, "of_a_later_version": 1}),
        json.dumps({**WHOLE, "config": {**WHOLE["config"], "of_a_later_version": 1}}),
        json.dumps({**WHOLE, "config": {**WHOLE["config"], "precision": "2bit"}}),
        json.dumps({name: value for name, value in WHOLE.items() if name != "created_s"}),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path, content):
    run = Run.create(tmp_path)
    assert run.is_readable
    run.spec_path.write_text(content)
    assert not run.is_readable
    with pytest.raises(RunError) as caught:
        run.read_spec()
    assert caught.value.code == "run_unreadable"
    assert run.id in caught.value.sentence("zh")


def test_new_run_is_a_draft(tmp_path):
    run = Run.create(tmp_path)
    status = jobs.status(run)
    assert (status.state, status.alive) == ("draft", False)
    with pytest.raises(RunError):
        jobs.stop(run)


def test_root_follows_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "here"))
    assert default_root() == tmp_path / "here"
    monkeypatch.delenv("WHISPER_TUNER_RUNS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert default_root() == tmp_path / "data" / "whisper-tuner" / "runs"
