"""A sheet's takes are whole or not there, whoever writes them; nothing recorded is ever swept."""

import os
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import sheets
from whisper_tuner.runs.delete import DAY_S, EMPTY_SHEET_S, sweep
from whisper_tuner.runs.sheets import Script, Sheet, sheets_in

SENTENCES = ("Uno due tre.", "Quattro cinque sei.", "Sette otto nove.")


@pytest.fixture
def sheet(tmp_path) -> Sheet:
    return Sheet.create(tmp_path, Script(SENTENCES, "it", "Anna", "me", time.time()))


def age(folder: Path, seconds: float) -> None:
    for path in [*folder.rglob("*"), folder]:
        os.utime(path, (time.time() - seconds,) * 2)


def test_a_sheet_is_found_again_with_what_was_recorded(sheet, tmp_path):
    sheet.keep(2, b"two")
    sheet.keep(2, b"two again")
    found = Sheet.open(tmp_path, sheet.id)
    assert found.read_script() == sheet.read_script() and found.recorded() == [2]
    assert found.take_path(2).read_bytes() == b"two again"
    assert sheet.dir.stat().st_mode & 0o777 == 0o700
    assert [s.id for s in sheets_in(tmp_path)] == [sheet.id]


@pytest.mark.parametrize(
    "id", ["", "..", "../..", "takes", "20260101-000000-0123456789abcdef", "/"]
)
def test_ids_of_others_open_nothing(sheet, tmp_path, id):
    with pytest.raises(RunError):
        Sheet.open(tmp_path, id)


def test_a_kill_between_writing_and_renaming_keeps_the_old_take(sheet, tmp_path):
    sheet.keep(1, b"old")
    script = (
        "import os, pathlib, sys\n"
        "from whisper_tuner.runs.sheets import Sheet\n"
        "pathlib.Path.replace = lambda *_: os._exit(9)\n"
        "Sheet(pathlib.Path(sys.argv[1])).keep(1, b'new')\n"
    )
    killed = subprocess.run([sys.executable, "-c", script, str(sheet.dir)], check=False)
    assert killed.returncode == 9
    assert sheet.take_path(1).read_bytes() == b"old" and sheet.recorded() == [1]
    left = list((sheet.dir / "takes").glob(".*"))
    assert len(left) == 1 and left[0].read_bytes() == b"new"
    sweep(tmp_path)
    assert left[0].exists()  # somebody may be at it
    age(left[0], 2 * DAY_S)
    sweep(tmp_path)
    assert not left[0].exists() and sheet.recorded() == [1]


def test_two_windows_record_the_same_sentence(sheet):
    contents = [bytes([i]) * 200_000 for i in range(8)]

    def record(content: bytes) -> None:
        for _ in range(10):
            sheet.keep(3, content)

    threads = [threading.Thread(target=record, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        if sheet.take_path(3).exists():
            assert sheet.take_path(3).read_bytes() in contents
    assert [path.name for path in (sheet.dir / "takes").iterdir()] == ["0003.flac"]


def test_what_holds_a_take_is_never_swept(sheet, tmp_path):
    empty = Sheet.create(tmp_path, Script(SENTENCES))
    sheet.keep(1, b"mine")
    half_made = shutil.copytree(empty.dir, empty.dir.with_name(".new-x"))
    for folder in (sheet.dir, empty.dir, half_made):
        age(folder, EMPTY_SHEET_S - DAY_S)
    sweep(tmp_path)
    assert sheet.dir.exists() and empty.dir.exists() and not half_made.exists()
    for folder in (sheet.dir, empty.dir):
        age(folder, 100 * EMPTY_SHEET_S)
    sweep(tmp_path)
    assert [s.id for s in sheets_in(tmp_path)] == [sheet.id] and sheet.recorded() == [1]


def test_a_deleted_sheet_is_gone_and_takes_nothing_more(sheet, tmp_path):
    sheet.keep(1, b"x" * 1000)
    assert sheet.delete() > 1000
    assert sheets_in(tmp_path) == [] and not list(tmp_path.rglob("*.flac"))
    for call in (lambda: sheet.keep(2, b"late"), sheet.delete, sheet.read_script):
        with pytest.raises(RunError) as caught:
            call()
        assert caught.value.code == "sheet_unknown"
    assert not sheet.dir.exists()


def test_a_full_disk_keeps_the_old_take(sheet, monkeypatch):
    sheet.keep(1, b"old")
    monkeypatch.setattr(sheets, "is_full", lambda _: True)
    with pytest.raises(RunError) as caught:
        sheet.keep(1, b"new")
    assert caught.value.code == "sheet_disk_full" and sheet.take_path(1).read_bytes() == b"old"


def test_a_torn_sheet_hides_no_other(sheet, tmp_path):
    torn = Sheet.create(tmp_path, Script(SENTENCES))
    (torn.dir / "sentences.json").write_text('{"sentences": ["Uno')
    assert [s.id for s in sheets_in(tmp_path)] == [sheet.id]
    with pytest.raises(RunError):
        torn.read_script()


def test_one_person_has_so_many_sheets_and_no_more(sheet, tmp_path, monkeypatch):
    monkeypatch.setattr(sheets, "MAX_SHEETS", 1)
    with pytest.raises(InputError):
        Sheet.create(tmp_path, Script(SENTENCES, owner="me"))
    Sheet.create(tmp_path, Script(SENTENCES, owner="you"))
