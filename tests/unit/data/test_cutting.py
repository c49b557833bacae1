"""A recording of any length is decoded once and cut, and never lies in memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pytest

from tests.sounds import DECODER, decode, encode, speech, stream, write
from whisper_tuner.audio import read_flac
from whisper_tuner.data import cutting
from whisper_tuner.data.cutting import Segment, cut, decoded
from whisper_tuner.errors import AudioError


def code_of(path: Path) -> str:
    with pytest.raises(AudioError) as caught, decoded(path, path.name, DECODER):
        pass
    return caught.value.code


def test_segments_of_a_recording(tmp_path):
    write(tmp_path / "a.wav", speech(4))
    segments = [
        Segment("utt1", "a.wav", 0.5, 1.25, "one", "Anna"),
        Segment("utt2", "a.wav", 1.25, 4.2, "two", "Anna"),
        Segment("utt3", "a.wav", 3, 3, "three"),
        Segment("utt4", "a.wav", 3, 4.6, "four"),
    ]
    with decoded(tmp_path / "a.wav", "a.wav", DECODER) as recording:
        found = [(c, c.audio and read_flac(c.audio)) for c in cut(recording, segments)]
    assert [(c.name, c.problem) for c, _ in found] == [
        ("utt1", ""),
        ("utt2", ""),
        ("utt3", "cue_ends_before_start"),
        ("utt4", "cue_past_end"),
    ]
    assert [(c.recording, c.speaker, c.text) for c, _ in found][1] == ("a.wav", "Anna", "two")
    whole = decode(tmp_path / "a.wav")
    assert np.allclose(found[0][1], whole[8000:20000], atol=1e-4)
    assert np.allclose(found[1][1], whole[20000:], atol=1e-4)


def test_at_most_thirty_seconds(tmp_path):
    write(tmp_path / "a.wav", speech(70))
    with decoded(tmp_path / "a.wav", "a.wav", DECODER) as recording:
        assert recording.duration_s == 70
        times = [(0, 30), (10.1, 40.1), (0, 30.1)]
        segments = [Segment(f"{start}", "a.wav", start, end, "x") for start, end in times]
        found = [(c.problem, c.audio and len(read_flac(c.audio))) for c in cut(recording, segments)]
    assert found == [("", 480_000), ("", 480_000), ("cue_too_long", None)]
    assert not recording.path.exists()


def test_recordings_that_cannot_be(tmp_path, monkeypatch):
    (tmp_path / "empty.wav").write_bytes(b"")
    assert code_of(tmp_path / "empty.wav") == "audio_empty"
    write(tmp_path / "none.wav", np.zeros(0, np.float32))
    assert code_of(tmp_path / "none.wav") == "audio_empty"
    write(tmp_path / "sound.wav", speech(1))
    monkeypatch.setattr(cutting, "MAX_RECORDING_S", 0.5)
    assert code_of(tmp_path / "sound.wav") == "recording_too_long"


def test_the_stream_is_the_decoded_sound(tmp_path):
    write(tmp_path / "a.mp3", speech(5, rate=44_100), 44_100)
    encode(tmp_path / "a.m4a", speech(5, rate=48_000), "aac", "ipod")
    for name in ("a.mp3", "a.m4a"):
        streamed = np.concatenate(list(stream(tmp_path / name)))
        assert np.array_equal(streamed, decode(tmp_path / name))


def test_twenty_minutes_take_little_memory(tmp_path):
    sound = np.zeros(1200 * 8000, np.int16)
    sound[::97] = 9000
    write(tmp_path / "long.wav", sound, 8000)
    del sound
    tracemalloc.start()
    with decoded(tmp_path / "long.wav", "long.wav", DECODER) as recording:
        segments = [Segment(str(i), "", 60 * i, 60 * i + 9, "x") for i in range(20)]
        assert sum(c.audio is not None for c in cut(recording, segments)) == 20
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert recording.duration_s == 1200
    assert peak < 8 << 20  # bytes; as float32 it is 77 MB
