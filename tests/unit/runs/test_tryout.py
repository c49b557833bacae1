"""A try-out that hangs keeps nobody waiting, and whoever tried is told why it ended."""

import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from whisper_tuner.errors import RunError
from whisper_tuner.runs import tryout
from whisper_tuner.runs.folder import Run
from whisper_tuner.runs.tryout import TryOut


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    """A run whose try-out says nothing for a minute, as if it loaded a large model."""
    script = tmp_path / "hangs"
    script.write_text("#!/bin/sh\nexec sleep 60\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))
    return Run.create(tmp_path)


def refusal(trying) -> str:
    with pytest.raises(RunError) as caught:
        trying.result(10)
    return caught.value.code


def wait_for_process(tried: TryOut) -> psutil.Process:
    deadline = time.monotonic() + 10
    while tried._process is None:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return psutil.Process(tried._process.pid)


@pytest.mark.parametrize("close", [TryOut.close, lambda tried: tryout.close_all()])
def test_a_training_does_not_wait_for_a_try_out(run, tmp_path, close):
    tried = TryOut()
    with ThreadPoolExecutor() as pool:
        trying = [pool.submit(tried.transcribe, run, tmp_path / "a.wav") for _ in range(3)]
        process = wait_for_process(tried)
        began_s = time.monotonic()
        close(tried)
        assert time.monotonic() - began_s < 5
        assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
        assert [refusal(one) for one in trying] == ["tryout_ended"] * 3  # those in line too
    assert tried._process is None


def test_one_that_dies_by_itself_is_told_as_before(run, tmp_path):
    tried = TryOut()
    with ThreadPoolExecutor() as pool:
        trying = pool.submit(tried.transcribe, run, tmp_path / "a.wav")
        wait_for_process(tried).kill()
        assert refusal(trying) == "tryout_died"


def test_after_it_was_closed_it_can_be_asked_again(run, tmp_path):
    tried = TryOut()
    tried.close()
    with ThreadPoolExecutor() as pool:
        trying = pool.submit(tried.transcribe, run, tmp_path / "a.wav")
        wait_for_process(tried)
        closing = [threading.Thread(target=tried.close) for _ in range(4)]
        for thread in closing:
            thread.start()
        for thread in closing:
            thread.join(10)
            assert not thread.is_alive()
        assert refusal(trying) == "tryout_ended"


def test_one_that_never_listens_is_no_broken_pipe(run, tmp_path, monkeypatch):
    real = subprocess.Popen

    def dead(*arguments, **settings) -> subprocess.Popen:
        process = real(*arguments, **settings)
        process.kill()
        process.wait()
        return process

    monkeypatch.setattr(subprocess, "Popen", dead)
    with pytest.raises(RunError) as caught:
        TryOut().transcribe(run, tmp_path / "a.wav")
    assert caught.value.code == "tryout_died"
