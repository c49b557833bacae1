"""Common Voice archives in memory, row by row, for the tests that read them."""

import io
import tarfile
from collections import Counter
from pathlib import Path

import pytest
import soundfile

from tests.sounds import speech
from whisper_tuner.data.clips import Candidate
from whisper_tuner.data.common_voice import candidates
from whisper_tuner.errors import InputError

HEADER = "client_id\tpath\tsentence\tup_votes\tdown_votes\tage\tgender\taccents\tlocale"
TOP = "cv-corpus-26.0-2026-06-12"


def mp3_of(seconds: float = 1.5, seed: int = 0, rate: int = 32_000) -> bytes:
    out = io.BytesIO()
    soundfile.write(out, speech(seconds, seed, rate), rate, format="MP3")
    return out.getvalue()


def table(rows: list[tuple[str, str, str]]) -> bytes:
    """Rows of speaker, file, sentence."""
    lines = (f"{who}\t{file}\t{text}\t2\t0\t\t\t\tcy" for who, file, text in rows)
    return "\n".join([HEADER, *lines, ""]).encode()


def pack(path: Path, members: dict[str, bytes]) -> Path:
    with tarfile.open(path, "w:gz") as archive:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return path


def rows_of(n: int, n_speakers: int, first: int = 0) -> list[tuple[str, str, str]]:
    numbers = range(first, first + n)
    return [(f"s{i % n_speakers}", f"common_voice_cy_{i}.mp3", f"Brawddeg {i}.") for i in numbers]


def clips_of(rows: list[tuple[str, str, str]], mp3: bytes, folder: str) -> dict[str, bytes]:
    return {f"{folder}/clips/{file}": mp3 for _, file, _ in rows}


def splits(found: list[Candidate]) -> Counter:
    return Counter(c.split for c in found)


def refusal(path: Path, **options: object) -> InputError:
    with pytest.raises(InputError) as caught:
        list(candidates(path, 5, 5, **options))
    return caught.value
