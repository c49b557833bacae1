"""Archives of Common Voice's Spontaneous Speech: other folders, columns and splits."""

import tarfile
from pathlib import Path

import pytest

from tests.unit.data.archives_of_cv import mp3_of, pack, refusal, splits
from whisper_tuner.data.common_voice import candidates, locales
from whisper_tuner.data.prepare import prepare

SPOKEN_TOP = "sps-corpus-4.0-2026-06-12-cy"
SPOKEN_HEADER = "client_id\taudio_id\taudio_file\tduration_ms\ttranscription\tvotes\tquality_tags"


@pytest.fixture(scope="module")
def mp3() -> bytes:
    return mp3_of()


def spoken(n: int, splits: list[str], column: str = "split", empty: int = -1) -> bytes:
    """The table of Spontaneous Speech; row `empty` was not transcribed."""
    lines = [f"{SPOKEN_HEADER}\t{column}"]
    for i in range(n):
        text = "" if i == empty else f'Wel "[um]" {i} NA'
        file = f"spontaneous-speech-cy-{i}.mp3"
        lines.append(f"s{i % 10}\t{i}\t{file}\t1500\t{text}\t0\t\t{splits[i % len(splits)]}")
    return "\n".join([*lines, ""]).encode()


def spoken_archive(path: Path, mp3: bytes, content: bytes, tables_first: bool = True) -> Path:
    clips = {f"{SPOKEN_TOP}/audios/spontaneous-speech-cy-{i}.mp3": mp3 for i in range(40)}
    tables = {
        f"{SPOKEN_TOP}/README.md": b"x",
        f"{SPOKEN_TOP}/ss-reported-audios-cy.tsv": b"x",
        f"{SPOKEN_TOP}/ss-corpus-cy.tsv": content,
    }
    return pack(path, tables | clips if tables_first else clips | tables)


@pytest.mark.parametrize("tables_first", [True, False])
@pytest.mark.parametrize("column", ["split", "splits"])
def test_spontaneous_speech_with_splits(
    tmp_path: Path, mp3: bytes, tables_first: bool, column: str
) -> None:
    content = spoken(40, ["train", "test", "dev", "unassigned"], column, empty=4)
    path = spoken_archive(tmp_path / "x.tar.gz", mp3, content, tables_first)
    assert locales(path) == ["cy"]
    found = list(candidates(path, 100, 100))
    assert splits(found) == {"train": 19, "test": 10}  # nobody transcribed row 4
    assert {c.text for c in found} <= {f'Wel "[um]" {i} NA' for i in range(40)}
    assert all(c.row == int(c.name.split("-")[-1].removesuffix(".mp3")) + 2 for c in found)


def test_spontaneous_speech_without_splits(tmp_path: Path, mp3: bytes) -> None:
    path = spoken_archive(tmp_path / "x.tar.gz", mp3, spoken(40, ["unassigned"], empty=0))
    found = list(candidates(path, 100, 100))
    assert splits(found) == {"train": 32, "test": 7}
    speakers = {side: {c.speaker for c in found if c.split == side} for side in ("train", "test")}
    assert not speakers["train"] & speakers["test"]


def test_a_long_answer_is_refused_by_its_name(tmp_path: Path, mp3: bytes) -> None:
    path = spoken_archive(tmp_path / "x.tar.gz", mp3, spoken(40, ["train", "test"]))
    with tarfile.open(path, "r:gz") as archive:
        members = {m.name: archive.extractfile(m).read() for m in archive.getmembers()}
    long = "spontaneous-speech-cy-2.mp3"
    members[f"{SPOKEN_TOP}/audios/{long}"] = mp3_of(31, rate=16_000)
    report = prepare(candidates(pack(path, members), 20, 20), tmp_path / "dataset", len)
    refused = [(f.code, f.clip) for f in report.findings if f.refused]
    assert refused == [("audio_too_long", long)]


def test_spontaneous_speech_without_its_columns(tmp_path: Path, mp3: bytes) -> None:
    content = b"client_id\taudio_file\nx\ty.mp3\n"
    error = refusal(spoken_archive(tmp_path / "x.tar.gz", mp3, content))
    assert (error.code, error.params["column"]) == ("cv_no_column", "transcription")
