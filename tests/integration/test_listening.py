"""A real worker listens with a tiny Whisper: killed, resumed, fixed; a training behind it."""

import json
import os
import signal
import time

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.data.clips import read_report
from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import caretaker, jobs, listening, locks, queue, worker_row
from whisper_tuner.runs.events import EventWriter, Note, Progress, StateChanged, read_events
from whisper_tuner.runs.listening import Listening
from whisper_tuner.steps.checks import DATA_LOCK_NAME

PATIENCE_S = 120


def wait_for(condition) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def events_of(run, kind: type) -> list:
    return [r.event for r in read_events(run.events_path) if isinstance(r.event, kind)]


def test_it_listens_goes_on_after_a_kill_and_the_training_hears_nothing_again(
    prepared, tiny_config, monkeypatch
):
    run, work = prepared, steps.listen(prepared, tiny_config)
    assert listening.is_at_work(run) and not run.spec_path.exists()
    for press in (
        lambda: steps.listen(run, tiny_config),
        lambda: steps.train(run, tiny_config),
        lambda: steps.fix(run, "audio_quiet"),
        lambda: steps.undo_fixes(run),
    ):
        with pytest.raises(RunError) as refused:
            press()
        assert refused.value.code == "data_being_listened"
    with pytest.raises(RunError):
        steps.delete(run)
    wait_for(lambda: events_of(work, StateChanged))
    os.killpg(worker_row.read(run).pid, signal.SIGKILL)
    wait_for(lambda: not jobs.is_alive(run))
    assert jobs.status(work).goes_on
    caretaker.look_after_all(run.dir.parent)
    wait_for(lambda: not jobs.is_alive(run))
    assert jobs.status(work).state == "done", work.log_path.read_text()
    assert events_of(work, Progress)[-1] == Progress("stage_listening", 10, 10)
    assert read_report(run.dataset_dir).findings[-1].code == "listened_too_few"
    assert jobs.status(run).state == "draft" and not events_of(run, StateChanged)

    steps.train(run, tiny_config)
    assert not work.spec_path.exists()
    wait_for(lambda: not jobs.is_alive(run))
    assert jobs.status(run).state == "done", run.log_path.read_text()
    known = [note.params for note in events_of(run, Note) if note.code == "note_base_known"]
    assert known == [{"n": 2}]


def test_it_is_stopped_and_the_terminal_says_so(prepared, tiny_config, monkeypatch, capsys):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    work = steps.listen(prepared, tiny_config)
    jobs.stop(prepared)
    wait_for(lambda: not jobs.is_alive(prepared))
    assert jobs.status(work).state == "stopped" and not jobs.status(work).goes_on
    command = ["check", prepared.id, "--listen", "--language", "it"]
    assert cli.main([*command, "--base", tiny_config.base, "--precision", "32bit"]) == 0
    said = capsys.readouterr().out
    assert "It takes about a minute here" in said
    assert "10 of 10 clips" in said
    assert "too few to judge by" in said


def test_a_training_waits_behind_it(prepared, tiny_config):
    """Seen from its files: no worker is needed."""
    root = prepared.dir.parent
    work = Listening(prepared.dir)
    work.write_spec(steps.training.Spec(tiny_config, 5.0, {}, expected_s=60.0))
    lock = locks.acquire(work.lock_path)
    worker_row.write(lock, worker_row.WorkerRow(stage="listen", ticket_s=5.0))
    writer = EventWriter(work.events_path)
    writer.append(StateChanged("preparing"))
    writer.close()
    try:
        other = type(prepared).create(root)
        other.write_spec(steps.training.Spec(tiny_config, 6.0, {}))
        assert [run.id for run in queue.runs_ahead(other)] == [prepared.id]
        assert 50 < queue.rest_s(queue.runs_ahead(other)[0]) <= 60
    finally:
        os.close(lock)


def test_what_refuses_to_begin(prepared, tiny_config, monkeypatch, capsys):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    assert cli.main(["check", prepared.id, "--listen"]) == 2
    assert "--language" in capsys.readouterr().err
    assert cli.main(["check", prepared.id, "--listen", "--language", "tlh"]) == 2
    lock = locks.acquire(prepared.dir / DATA_LOCK_NAME)
    with pytest.raises(RunError, match="still being added"):
        steps.listen(prepared, tiny_config)
    os.close(lock)
    prepared.start_dir.mkdir()
    with pytest.raises(RunError) as goes_on:
        steps.listen(prepared, tiny_config)
    assert goes_on.value.code == "run_goes_on"
    prepared.start_dir.rmdir()
    prepared.spec_path.write_text(json.dumps({}))
    with pytest.raises(RunError) as started:
        steps.listen(prepared, tiny_config)
    assert started.value.code == "run_has_started"
    with pytest.raises(InputError):
        steps.listen(type(prepared).create(prepared.dir.parent), tiny_config)
    assert not Listening(prepared.dir).spec_path.exists()
