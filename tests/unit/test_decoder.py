"""A recording that kills, hangs or floods the process that decodes it costs itself only."""

import errno
import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import speech, write
from whisper_tuner import decoder as room
from whisper_tuner.audio import SAMPLE_RATE
from whisper_tuner.data.checking import check_all
from whisper_tuner.data.clips import Candidate
from whisper_tuner.decoder import ChildEndedError, Decoder, Decoders
from whisper_tuner.errors import AudioError, RunError


@pytest.fixture
def wicked(monkeypatch: pytest.MonkeyPatch) -> Decoder:
    monkeypatch.setattr(room, "CHILD", "tests.wicked_child")
    with Decoder() as decoder:
        yield decoder


def asking(path: Path, wish: str) -> Path:
    path.write_bytes(wish.encode() + b"\n" + bytes(100))
    return path


def refusal(decoder: Decoder, path: Path, name: str = "my.wav") -> AudioError:
    with pytest.raises(AudioError) as caught:
        decoder.decode(path, name)
    assert caught.value.params["file"] == name
    return caught.value


@pytest.mark.parametrize(
    ("wish", "code"),
    [("die", -signal.SIGABRT), ("work", -signal.SIGXCPU), ("fail", 1), ("flood", None)],
)
def test_it_costs_this_file_only(tmp_path, wicked, wish, code):
    good = write(tmp_path / "good.wav", speech(2))
    assert len(wicked.decode(good)) == 2 * SAMPLE_RATE
    error = refusal(wicked, asking(tmp_path / "bad.wav", wish))
    assert error.code == "audio_too_heavy" and "my.wav" in error.sentence("zh")
    if code:
        assert isinstance(error.__cause__, ChildEndedError) and error.__cause__.code == code
    assert len(wicked.decode(good)) == 2 * SAMPLE_RATE


def test_one_that_waits_is_not_waited_for(tmp_path, wicked, monkeypatch):
    monkeypatch.setattr(room, "WAIT_S", 0.5)
    began_s = time.monotonic()
    error = refusal(wicked, asking(tmp_path / "bad.wav", "sleep"))
    assert error.code == "audio_too_heavy" and error.__cause__.is_late
    assert time.monotonic() - began_s < 10


def test_memory_is_refused_and_the_child_lives_on(tmp_path, wicked):
    wicked.decode(write(tmp_path / "good.wav"))
    process = wicked._process
    assert refusal(wicked, asking(tmp_path / "bad.wav", "hog")).code == "audio_too_heavy"
    wicked.decode(tmp_path / "good.wav")
    assert wicked._process is process and process.poll() is None


def test_no_file_no_network_no_secret(tmp_path, wicked, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for wish in ("call_out", "look_around"):
        error = refusal(wicked, asking(tmp_path / "bad.wav", wish))
        assert (error.code, error.params["number"]) == ("errno", errno.EMFILE), wish
    error = refusal(wicked, asking(tmp_path / "bad.wav", "write"))
    assert error.params["number"] in (errno.EBADF, errno.EFBIG)
    assert refusal(wicked, asking(tmp_path / "bad.wav", "ask_python")).code == "refused"
    told = refusal(wicked, asking(tmp_path / "bad.wav", "tell")).params
    assert told["environment"] == ["LC_ALL", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"]
    if told["network"] > 1:
        pytest.skip("this kernel lets nobody leave the network; that no socket opens was seen")


def test_a_recording_that_is_left_ends_the_child(tmp_path):
    write(tmp_path / "long.wav", speech(60))
    with Decoder() as decoder:
        blocks = decoder.stream(tmp_path / "long.wav")
        next(blocks)
        blocks.close()
        assert decoder._process is None
        assert len(np.concatenate(list(decoder.stream(tmp_path / "long.wav")))) == 60 * SAMPLE_RATE


def test_a_child_that_does_not_start_blames_no_file(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "CHILD", "tests.sounds")  # without a main
    with Decoder() as decoder, pytest.raises(RunError) as caught:
        decoder.decode(write(tmp_path / "good.wav"))
    assert caught.value.code == "decoder_unavailable"


def test_order_is_kept_and_each_file_may_be_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(room, "ENOUGH_FILES", 2)
    path = tmp_path / "clip.wav"

    def candidates():
        for n in range(1, 31):
            path.unlink(missing_ok=True)
            if n % 10:
                write(path, speech(n / 10 + 0.1))
            else:
                path.write_bytes(b"no sound")
            yield Candidate(f"{n}.wav", path, f"Text {n}")
        path.unlink()

    durations = []
    for n, (candidate, checked) in enumerate(check_all(candidates(), len), start=1):
        assert candidate.name == f"{n}.wav"
        if n % 10:
            durations.append((round(checked[1].duration_s * 10), n + 1))
        else:
            assert (checked.code, checked.params) == ("audio_undecodable", {"file": f"{n}.wav"})
    assert len(durations) == 27 and all(found == n for found, n in durations)


def test_no_child_is_left(tmp_path):
    path = write(tmp_path / "clip.wav")
    with Decoders() as decoders:
        results = [decoders.submit(path, "clip.wav") for _ in range(50)]
        assert len(results[0].result()) == SAMPLE_RATE
        pids = [one._process.pid for one in decoders._decoders if one._process]
    assert pids
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
