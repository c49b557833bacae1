"""The thread that copies while a run is at work, and what it says of it."""

import os
import threading
import time
from collections.abc import Iterator

import pytest

from tests.hub_server import HubServer
from tests.unit.publish.conftest import TOKEN, commit_checkpoint, fill_dataset, repo_of, say
from whisper_tuner.narrate import copy_sentence
from whisper_tuner.publish import copier as copying
from whisper_tuner.publish import repository
from whisper_tuner.publish.copier import Copier
from whisper_tuner.runs import locks
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


@pytest.fixture
def alive(run: Run, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """A run whose worker lives: its lock is held by us, and let go by closing this."""
    monkeypatch.setattr(copying, "LOOK_EVERY_S", 0.02)
    monkeypatch.setattr(copying, "TRY_AGAIN_S", 0.1)
    monkeypatch.setattr(copying, "COPY_EVERY_S", 0.0)
    monkeypatch.setattr(repository, "WAITS_S", (0, 0, 0, 0))
    fill_dataset(run)
    say(run, "queued", "preparing", "training")
    lock = locks.acquire(run.lock_path)
    yield lock
    os.close(lock)


def wait_until(copier: Copier, key: str, **params: str) -> None:
    deadline = time.monotonic() + 20
    while copier.told[0] != key or not params.items() <= copier.told[1].items():
        assert time.monotonic() < deadline, copier.told
        time.sleep(0.01)
    assert copy_sentence(copier) and copy_sentence(copier, "zh")


def wait_for_end(copier: Copier) -> None:
    copier._thread.join(20)
    assert not copier.is_at_work


def test_it_follows_a_run_to_its_end(alive: int, run: Run, hub: HubServer) -> None:
    copier = Copier(run, TOKEN, hub.endpoint)
    assert copier.told == ("copy_begins", {}) and copier.is_at_work
    for step in ("10", "20"):
        commit_checkpoint(run, int(step))
        wait_until(copier, "copy_made", step=step)
    say(run, "done")
    locks.fcntl.flock(alive, locks.fcntl.LOCK_UN)
    copier.wait()
    wait_until(copier, "copy_whole")
    assert not copier.is_at_work and not copier.has_problem
    assert "comparison.json" in repo_of(run, hub).files


def test_not_every_checkpoint_is_copied(alive, run, hub, monkeypatch) -> None:
    monkeypatch.setattr(copying, "COPY_EVERY_S", 60.0)
    copier = Copier(run, TOKEN, hub.endpoint)
    commit_checkpoint(run, 10)
    wait_until(copier, "copy_made", step="10")
    commit_checkpoint(run, 20)
    time.sleep(0.2)
    assert copier.told[1]["step"] == "10"
    locks.fcntl.flock(alive, locks.fcntl.LOCK_UN)  # killed; it goes on by itself
    time.sleep(0.2)
    assert copier.is_at_work
    say(run, "failed")
    wait_until(copier, "copy_whole")
    held = {n.split("/")[1] for n in repo_of(run, hub).files if n.startswith("checkpoints/")}
    assert held == {"step-20"}


def test_what_passes_is_told_and_tried_again(alive, run, hub) -> None:
    hub.fail("GET /api/whoami", status=503, times=7)
    copier = Copier(run, TOKEN, hub.endpoint)
    wait_until(copier, "copy_waits")
    assert copier.is_at_work and copier.has_problem
    commit_checkpoint(run, 10)
    wait_until(copier, "copy_made", step="10")
    copier.end()
    wait_for_end(copier)


@pytest.mark.parametrize(
    ("request_line", "status", "key"),
    [
        ("GET /api/whoami", 401, "copy_signed_out"),
        ("POST /api/repos", 403, "copy_forbidden"),
        ("POST /api/models", 413, "copy_refused"),
    ],
)
def test_what_does_not_pass_ends_the_copy_and_not_the_run(
    alive, run, hub, request_line, status, key
) -> None:
    before = run.events_path.read_bytes()
    hub.fail(request_line, status=status, times=99)
    copier = Copier(run, TOKEN, hub.endpoint)
    wait_until(copier, key)
    wait_for_end(copier)
    assert copier.has_problem
    assert TOKEN not in copy_sentence(copier)
    assert run.events_path.read_bytes() == before


def test_a_public_repository_is_told(alive, run, hub) -> None:
    copier = Copier(run, TOKEN, hub.endpoint)
    commit_checkpoint(run, 10)
    wait_until(copier, "copy_made")
    repo_of(run, hub).private = False
    commit_checkpoint(run, 20)
    wait_until(copier, "copy_not_ours")
    assert f"whisper-tuner-copy-{run.id}" in copy_sentence(copier)


def test_a_file_that_vanishes_and_a_fault_of_ours(alive, run, hub, monkeypatch, capsys) -> None:
    (run.dataset_dir / "clips" / "000001.flac").unlink()
    copier = Copier(run, TOKEN, hub.endpoint)
    wait_until(copier, "copy_waits")
    monkeypatch.setattr("whisper_tuner.runs.checkpoints.newest", lambda folder: 1 / 0)
    fill_dataset(run)
    wait_until(copier, "copy_failed")
    wait_for_end(copier)
    shown = capsys.readouterr().err
    assert "ZeroDivisionError" in shown and TOKEN not in shown


def test_the_end_of_a_run_is_waited_for_but_not_for_ever(alive, run, hub) -> None:
    say(run, "done")
    locks.fcntl.flock(alive, locks.fcntl.LOCK_UN)
    hub.fail("GET /api/whoami", status=503, times=999)
    copier = Copier(run, TOKEN, hub.endpoint)
    waiting = threading.Thread(target=copier.wait)
    waiting.start()
    waiting.join(20)
    assert not waiting.is_alive()
    assert copier.told == ("copy_not_renewed", {"run": run.id}) and copier.has_problem
    assert f"copy {run.id}" in copy_sentence(copier)
    assert hub.requests.count("GET /api/whoami-v2") >= copying.LAST_TRIES


def test_a_last_try_is_made_after_the_end(alive, run, hub, monkeypatch) -> None:
    monkeypatch.setattr(copying, "TRY_AGAIN_S", 3600.0)
    hub.fail("GET /api/whoami", status=503, times=1 + len(repository.WAITS_S))
    copier = Copier(run, TOKEN, hub.endpoint)
    wait_until(copier, "copy_waits")
    say(run, "done")
    locks.fcntl.flock(alive, locks.fcntl.LOCK_UN)
    copier.wait()
    assert copier.told[0] == "copy_whole"
