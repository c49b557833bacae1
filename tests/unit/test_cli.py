"""Bad input at the command line: exit code 2 and one sentence; and what a program reads."""

import csv
import json
import shutil
from pathlib import Path

import pytest

from whisper_tuner import cli
from whisper_tuner.locales import text as sentence
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run


@pytest.fixture(autouse=True)
def runs(tmp_path, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def gpus(tmp_path, monkeypatch):
    """An nvidia-smi on PATH that names two graphics cards."""
    script = tmp_path / "nvidia-smi"
    script.write_text('#!/bin/sh\necho "Tesla T4, 15360, 7.5"\necho "Tesla T4, 15360, 7.5"\n')
    script.chmod(0o755)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))


def call(capsys, *arguments) -> tuple[int, str, str]:
    code = cli.main([str(argument) for argument in arguments])
    return code, *capsys.readouterr()


def test_prepare_says_what_was_found(capsys, small_source, runs):
    code, out, err = call(capsys, "prepare", small_source)
    assert (code, err) == (0, "")
    assert "10 of 10" in out
    run_id = next(runs.glob("*-*-*")).name
    assert run_id in out


def test_prepare_as_json(capsys, small_source, runs):
    code, out, _ = call(capsys, "prepare", small_source, "--json")
    answer = json.loads(out)
    assert code == 0
    assert (answer["n_train"], answer["n_test"], answer["findings"]) == (8, 2, [])
    assert Run.open(runs, answer["run"]).dataset_dir.is_dir()


def test_prepare_names_every_bad_clip(capsys, small_source, tmp_path):
    (tmp_path / "one.wav").write_bytes(b"")
    (tmp_path / "one.txt").write_text("Uno.")
    code, out, _ = call(capsys, "prepare", tmp_path / "one.wav", tmp_path / "one.txt")
    assert code == 2
    assert "one.wav" in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("prepare", "nowhere.zip"),
        ("train", "20260101-000000-0000000000000000", "--language", "it"),
        ("status", "nonsense"),
        ("stop", "nonsense"),
        ("compare", "nonsense"),
        ("try", "nonsense", "nowhere.wav"),
        ("push", "nonsense", "--name", "x"),
        ("copy", "nonsense"),
        ("restore", "nonsense"),
        ("restore", "nonsense", "--archive", "nowhere.tar.gz"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(capsys, arguments):
    code, out, err = call(capsys, *arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert "Traceback" not in err


def test_unknown_language_is_one_sentence(capsys, prepared, hub_cache):
    code, _, err = call(capsys, "train", prepared.dir, "--language", "tlh")
    assert code == 2
    assert "tlh" in err
    assert not prepared.spec_path.exists()  # nothing was started: the run can still be trained


def test_bad_setting_is_one_sentence(capsys, prepared):
    code, _, err = call(capsys, "train", prepared.dir, "--language", "it", "--epochs", "0")
    assert code == 2
    assert "epochs" in err


def test_plan_says_what_a_training_takes_and_starts_nothing(capsys, prepared):
    arguments = ("train", prepared.dir, "--language", "it", "--plan", "--base")
    code, out, err = call(capsys, *arguments, "openai/whisper-tiny")
    assert (code, err) == (0, "")
    assert "of memory; about" in out.splitlines()[0]
    code, out, _ = call(
        capsys, *arguments, "openai/whisper-tiny", "--json", "--no-early-stop", "--same-speed"
    )
    answer = json.loads(out)
    assert code == 0
    assert answer["fits"] and answer["total_s"] > answer["train_s"] > 0
    assert answer["config"]["base"] == "openai/whisper-tiny"
    assert answer["config"]["stop_early"] is answer["config"]["vary_speed"] is False
    assert answer["config"]["n_devices"] == 1
    assert not prepared.spec_path.exists()


def test_all_gpus_are_used_unless_said(capsys, prepared, gpus):
    arguments = ("train", prepared.dir, "--language", "it", "--plan", "--json")
    assert json.loads(call(capsys, *arguments)[1])["config"]["n_devices"] == 2
    answer = json.loads(call(capsys, *arguments, "--devices", "1")[1])
    assert answer["config"]["n_devices"] == 1
    assert answer["device"] == "Tesla T4"
    code, _, err = call(capsys, *arguments, "--devices", "3")
    assert code == 2 and "devices" in err


def test_train_prints_the_plan_and_starts(capsys, prepared, monkeypatch):
    monkeypatch.setattr(jobs, "start", lambda run: True)
    code, out, _ = call(capsys, "train", prepared.dir, "--language", "it", "--detach")
    assert code == 0
    assert out.startswith("Fits this computer's")
    assert prepared.read_spec().config.language == "it"


def test_status_of_a_draft_and_of_nothing(capsys, prepared):
    assert call(capsys, "status")[0] == 0
    code, out, _ = call(capsys, "status", prepared.dir, "--json")
    assert code == 0
    assert json.loads(out)["state"] == "draft"


def test_a_run_that_cannot_be_read_hides_no_other(capsys, runs):
    torn, whole = Run.create(runs), Run.create(runs)
    torn.spec_path.write_text("")
    whole.events_path.write_bytes(b"\0\0\n")
    code, out, err = call(capsys, "status")
    assert (code, err) == (0, "")
    lines = {line.split()[0]: line for line in out.splitlines()}
    assert "cannot be read" in lines[torn.id] and "Not started" in lines[whole.id]
    answers = [json.loads(line) for line in call(capsys, "status", "--json")[1].splitlines()]
    assert {"run": torn.id, "problem": "run_unreadable"} in answers and len(answers) == 2
    code, out, err = call(capsys, "status", torn.id)
    assert (code, out) == (2, "") and "cannot be read" in err


def test_what_was_never_started_has_no_copy(capsys, prepared):
    code, out, err = call(capsys, "copy", prepared.dir)
    assert (code, out) == (2, "") and "never started" in err


def test_stop_promises_what_it_does(capsys):
    with pytest.raises(SystemExit):
        cli.main(["stop", "--help"])
    assert "finish the step" not in capsys.readouterr().out
    assert "this step is finished" not in sentence("state_stopping")
    assert "is kept" not in sentence("worker_stop_forced")  # there may be no checkpoint


def test_an_interrupted_command_is_no_traceback(capsys, prepared, monkeypatch):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("whisper_tuner.cli.keeping.report_run", interrupted)
    assert call(capsys, "status", prepared.dir)[0] == 130


def test_compare_try_and_push_need_an_adapter(capsys, prepared, small_source):
    clip = next((small_source / "clips").iterdir())
    for command in (("compare",), ("try", clip)):
        name, *rest = command
        code, _, err = call(capsys, name, prepared.dir, *rest)
        assert code == 2
        assert err.strip()


def test_a_table_that_does_not_tell_how_it_is_read(capsys, small_source, tmp_path, runs):
    """The sentence names the options, and with these the table is read."""
    source = Path(shutil.copytree(small_source, tmp_path / "source"))
    with (source / "metadata.csv").open(encoding="utf-8", newline="") as file:
        texts = [f"{Path(row[0]).stem}|{row[1]} è|x" for row in list(csv.reader(file))[1:]]
    (source / "metadata.csv").write_bytes("\n".join(["Wo|Größe|Was", *texts]).encode("cp1252"))
    code, _, err = call(capsys, "prepare", source)
    assert code == 2 and "--audio-column" in err and "--text-column" in err
    columns = ("--audio-column", "Wo", "--text-column", "2", "--delimiter", "|")
    code, _, err = call(capsys, "prepare", source, *columns)
    assert code == 2 and "--encoding" in err and "cp1252" in err and " è”" in err
    code, out, err = call(capsys, "prepare", source, *columns, "--encoding", "cp1252")
    assert (code, err) == (0, "")
    assert "10 of 10" in out
    code, out, _ = call(
        capsys, "prepare", source, *columns, "--encoding", "cp1252", "--no-header", "--json"
    )
    findings = json.loads(out)["findings"]
    assert [(f["code"], f["clip"], f["row"]) for f in findings] == [("audio_missing", "Wo", 1)]
