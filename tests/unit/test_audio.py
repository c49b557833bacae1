"""Any recording a person has becomes 16 kHz mono, or is refused by name."""

import tracemalloc
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from tests.sounds import decode, encode, speech, write
from whisper_tuner.audio import MAX_CLIP_S, SAMPLE_RATE, read_flac, write_flac
from whisper_tuner.errors import AudioError


def code_of(path: Path, **options: object) -> str:
    with pytest.raises(AudioError) as caught:
        decode(path, **options)
    return caught.value.code


def likeness(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Highest correlation of the two within 0.1 s, 1.0 for the same sound."""
    n = min(len(ours), len(theirs)) - 3200
    best = [
        np.corrcoef(ours[1600 : 1600 + n], theirs[1600 + lag : 1600 + lag + n])[0, 1]
        for lag in range(-1600, 1600, 8)
    ]
    return max(best)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "ogg", "aiff", "au", "caf", "w64"])
@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_libsndfile_formats(tmp_path: Path, suffix: str, rate: int) -> None:
    samples = decode(write(tmp_path / f"clip.{suffix}", speech(1.5, rate=rate), rate))
    assert samples.dtype == np.float32 and samples.ndim == 1
    assert len(samples) == pytest.approx(1.5 * SAMPLE_RATE, abs=0.06 * SAMPLE_RATE)
    level = np.sqrt(np.mean(speech(1.5) ** 2))
    assert np.sqrt(np.mean(samples**2)) == pytest.approx(level, rel=0.25)


def test_opus_in_ogg(tmp_path: Path) -> None:
    path = tmp_path / "clip.opus"
    soundfile.write(path, speech(1.5, rate=48_000), 48_000, format="OGG", subtype="OPUS")
    assert len(decode(path)) == pytest.approx(1.5 * SAMPLE_RATE, abs=320)


@pytest.mark.parametrize(
    ("suffix", "codec", "kind", "rate"),
    [
        ("m4a", "aac", "ipod", 44_100),
        ("mp4", "aac", "mp4", 48_000),
        ("aac", "aac", "adts", 48_000),
        ("webm", "libopus", "webm", 48_000),
        ("mov", "pcm_s16le", "mov", 48_000),
        ("wma", "wmav2", "asf", 44_100),
        ("amr", "libopencore_amrnb", "amr", 8_000),
        ("3gp", "libopencore_amrnb", "3gp", 8_000),
        ("mka", "libopus", "matroska", 16_000),
    ],
)
def test_ffmpeg_formats(tmp_path: Path, suffix: str, codec: str, kind: str, rate: int) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"this FFmpeg cannot encode {codec}")
    path = encode(tmp_path / f"clip.{suffix}", speech(1.5, rate=rate), codec, kind, rate)
    samples = decode(path)
    assert samples.dtype == np.float32
    assert len(samples) == pytest.approx(1.5 * SAMPLE_RATE, abs=0.1 * SAMPLE_RATE)
    reference = decode(write(tmp_path / "reference.wav", speech(1.5, rate=rate), rate))
    assert likeness(samples, reference) > 0.8


def test_the_suffix_does_not_matter(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav")
    for name in ("clip.mp3", "clip.raw", "clip", "clip.m4a"):
        assert len(decode(path.rename(path.with_name(name)))) == SAMPLE_RATE
        path = path.with_name(name)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left = speech(1, seed=1)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    soundfile.write(tmp_path / "stereo.wav", stereo, 16_000, subtype="FLOAT")
    assert np.allclose(decode(tmp_path / "stereo.wav"), left / 2, atol=2**-16)


def test_flac_keeps_every_bit(tmp_path: Path) -> None:
    samples = speech(0.7)
    write_flac(tmp_path / "a.flac", samples)
    once = read_flac(tmp_path / "a.flac")
    write_flac(tmp_path / "b.flac", once)
    assert np.abs(once - samples).max() <= 1 / 65536 and once.dtype == np.float32
    assert (tmp_path / "a.flac").read_bytes() == (tmp_path / "b.flac").read_bytes()
    assert np.array_equal(decode(tmp_path / "a.flac"), once)


def test_full_scale_does_not_wrap(tmp_path: Path) -> None:
    write_flac(tmp_path / "loud.flac", np.array([1.0, -1.0, 1.5] * 4000, np.float32))
    assert read_flac(tmp_path / "loud.flac")[::3].min() > 0.99


def test_empty(tmp_path: Path) -> None:
    (tmp_path / "zero.wav").touch()
    assert code_of(tmp_path / "zero.wav") == "audio_empty"
    assert code_of(write(tmp_path / "none.wav", np.zeros(0, np.float32))) == "audio_empty"
    assert code_of(write(tmp_path / "short.wav", speech(0.09))) == "audio_empty"


@pytest.mark.parametrize(
    "content",
    [b"\0" * 5000, b"hello\n" * 900, np.random.default_rng(0).bytes(5000), b"RIFF"],
    ids=["zeros", "text", "noise", "stub"],
)
def test_undecodable(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "clip.wav").write_bytes(content)
    assert code_of(tmp_path / "clip.wav") == "audio_undecodable"


def test_half_a_flac_is_refused(tmp_path: Path) -> None:
    whole = write(tmp_path / "clip.flac", speech(3)).read_bytes()
    (tmp_path / "clip.flac").write_bytes(whole[: len(whole) // 2])
    assert code_of(tmp_path / "clip.flac") == "audio_undecodable"


def test_video_without_sound(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "mute.mp4"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(64, 64, "yuv420p")))
        container.mux(stream.encode(None))
    assert code_of(tmp_path / "mute.mp4") == "audio_undecodable"


def test_silent(tmp_path: Path) -> None:
    assert code_of(write(tmp_path / "silent.wav", np.zeros(16_000))) == "audio_silent"
    assert code_of(write(tmp_path / "faint.wav", speech() * 1e-3)) == "audio_silent"


@pytest.mark.parametrize("value", [np.nan, np.inf])
@pytest.mark.parametrize("rate", [16_000, 22_050])
def test_not_finite(tmp_path: Path, value: float, rate: int) -> None:
    samples = speech(1, rate=rate)
    samples[5000] = value
    soundfile.write(tmp_path / "clip.wav", samples, rate, subtype="FLOAT")
    assert code_of(tmp_path / "clip.wav") == "audio_not_finite"


def test_too_long_says_how_long(tmp_path: Path) -> None:
    path = write(tmp_path / "long.wav", speech(31.5))
    with pytest.raises(AudioError) as caught:
        decode(path, name="interview 3.wav")
    expected = {"file": "interview 3.wav", "seconds": 31.5, "limit": 30}
    assert (caught.value.code, caught.value.params) == ("audio_too_long", expected)
    assert len(decode(path, max_s=60.0)) == 31.5 * SAMPLE_RATE
    assert code_of(path, max_s=5.0) == "audio_too_long"


def test_codec_padding_is_no_reason_to_refuse(tmp_path: Path) -> None:
    path = encode(tmp_path / "clip.aac", speech(30, rate=44_100), "aac", "adts", 44_100)
    assert len(decode(path)) == MAX_CLIP_S * SAMPLE_RATE


def test_ten_hours_cost_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "giant.wav"
    frames = 10 * 3600 * 8000
    with soundfile.SoundFile(path, "w", 8000, 1, "PCM_U8") as file:
        block = speech(60, rate=8000)
        file.write(block)
    header = bytearray(path.read_bytes()[:44])
    header[4:8] = (36 + frames).to_bytes(4, "little")
    header[40:44] = frames.to_bytes(4, "little")
    with path.open("r+b") as file:
        file.write(header)
        file.truncate(44 + frames)  # a sparse file: the rest is a hole
    tracemalloc.start()
    assert code_of(path) == "audio_too_long"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


@pytest.mark.parametrize(
    "playlist",
    [
        "ffconcat version 1.0\nfile secret.wav\n",
        "#EXTM3U\n#EXT-X-TARGETDURATION:3\n#EXTINF:3,\nsecret.wav\n#EXT-X-ENDLIST\n",
        "#EXTM3U\n#EXTINF:3,\nhttp://127.0.0.1:9/secret.wav\n#EXT-X-ENDLIST\n",
    ],
)
def test_a_playlist_opens_nothing(
    tmp_path: Path, playlist: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "secret.wav", speech(3))
    for name in ("list.m3u8", "list.wav", "list.txt"):
        (tmp_path / name).write_text(playlist, encoding="utf-8")
        assert code_of(Path(name)) == "audio_undecodable"


def test_absurd_headers(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav")
    good = path.read_bytes()
    for rate in (0, 1, 3_999, 384_001, 2**31 - 1):
        path.write_bytes(good[:24] + rate.to_bytes(4, "little") + good[28:])
        assert code_of(path) == "audio_undecodable"
