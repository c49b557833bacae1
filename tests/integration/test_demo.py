"""`make demo`, with fewer recordings and a tiny base: what somebody reads who does not program."""

import time

from tests.tiny import TINY_ID
from whisper_tuner import steps
from whisper_tuner.cli import commands
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import EventWriter, StateChanged
from whisper_tuner.runs.folder import ROOT_VARIABLE, Spec


def test_the_demo_says_what_it_does_and_what_it_came_to(
    hub_cache, small_source, tmp_path, monkeypatch, capsys
):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(commands, "DEMO_BASE", TINY_ID)
    monkeypatch.setattr(commands, "DEMO_EPOCHS", 1)
    monkeypatch.setattr(
        steps, "EXAMPLE_PATHS", [small_source / "metadata.csv", small_source / "clips"]
    )
    assert commands.demo(None) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("The whole job, on the 160 sentences")
    assert not [line for line in lines if "was not used" in line]
    (run,) = tmp_path.glob("*-*-*")
    result, look, own = lines[-3:]
    assert "% before" in result and "% after" in result and str(run / "adapter") in result
    assert look.endswith(f"python -m whisper_tuner compare {run.name}")
    assert own.endswith("make app")


def test_who_stopped_a_training_is_told_how_it_goes_on(prepared, tiny_config, capsys):
    prepared.write_spec(Spec(tiny_config, time.time(), {}))
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("stopped"))
    writer.close()
    assert commands.follow_training(prepared, as_json=False) == 0
    assert f"Go on with: python -m whisper_tuner resume {prepared.id}" in capsys.readouterr().out
    commands.follow_training(prepared, as_json=True)
    assert "Go on" not in capsys.readouterr().out
    assert jobs.can_resume(jobs.status(prepared))
