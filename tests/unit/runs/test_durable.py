"""Small files: whole, or as they were; nothing half written beside them."""

import errno
import os
from pathlib import Path

import pytest

from whisper_tuner.runs import durable


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_written_whole_and_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    path, synced = tmp_path / "run.json", []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (synced.append(path.exists()), real(fd)))
    durable.write_once(path, "é\n")
    assert path.read_text(encoding="utf-8") == "é\n"
    assert synced == [False, True]  # the file, then the folder that names it
    assert names(tmp_path) == ["run.json"]


def test_what_is_there_is_replaced_only_where_that_was_asked_for(tmp_path):
    path = tmp_path / "run.json"
    durable.write_once(path, "first")
    with pytest.raises(FileExistsError):
        durable.write_once(path, "second")
    assert path.read_text() == "first"
    durable.write(path, "third")
    assert path.read_text() == "third"
    assert names(tmp_path) == ["run.json"]


@pytest.mark.parametrize("write", [durable.write, durable.write_once])
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, write):
    def full(fd: int) -> None:
        raise OSError(errno.ENOSPC, "full")

    (tmp_path / "other").write_text("kept")
    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="full"):
        write(tmp_path / "run.json", "new")
    assert names(tmp_path) == ["other"]
