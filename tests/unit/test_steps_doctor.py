"""Fixes by the functions that page and command line share, and in the terminal."""

import json
import os

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.data.clips import read_clips, read_report
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import locks
from whisper_tuner.runs.folder import Run
from whisper_tuner.steps.checks import DATA_LOCK_NAME


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    run = Run.create(tmp_path / "runs")
    steps.prepare(run, [steps.EXAMPLE_DIR])
    return run


def call(capsys, *arguments) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_check_fix_and_undo_in_the_terminal(run, capsys):
    code, out, err = call(capsys, "check", run.id)
    assert (code, err) == (0, "")
    assert "160 clips, 6:12 min" in out and "Enough for one voice" in out
    assert f"check {run.id} --fix casing_lower" in out and "No capitals: 62" in out
    code, out, _ = call(capsys, "check", run.id, "--fix", "casing_lower", "--json")
    answer = json.loads(out)
    kinds = {kind["code"]: (kind["n"], kind["fix"]) for kind in answer["kinds"]}
    assert "casing_lower" not in kinds and kinds["punctuation_open"][1] == "stop"
    assert len(answer["changes"]) == 62 and answer["summary"]["n_clips"] == 160
    assert "casing_lower" in call(capsys, "check", run.id, "--undo")[1]
    assert read_report(run.dataset_dir).changes == []
    code, _, err = call(capsys, "check", run.id, "--undo")
    assert code == 2 and "nothing to take back" in err
    with pytest.raises(SystemExit):
        call(capsys, "check", run.id, "--fix", "texts_repeat")


def test_no_fix_once_the_training_was_started_or_while_data_change(run):
    before = read_clips(run.dataset_dir)
    lock = locks.acquire(run.dir / DATA_LOCK_NAME)
    with pytest.raises(RunError, match="still being"):
        steps.fix(run, "casing_lower")
    os.close(lock)
    run.spec_path.write_text("{}")
    for change in (lambda: steps.fix(run, "casing_lower"), lambda: steps.undo_fixes(run)):
        with pytest.raises(RunError) as error:
            change()
        assert error.value.code == "run_has_started"
    assert read_clips(run.dataset_dir) == before


def test_a_run_that_goes_on_keeps_what_was_learned_from(run):
    run.start_dir.mkdir()
    with pytest.raises(RunError) as error:
        steps.fix(run, "casing_lower")
    assert error.value.code == "run_goes_on"


def test_no_dataset_no_fix(tmp_path):
    with pytest.raises(InputError):
        steps.fix(Run.create(tmp_path), "casing_lower")
