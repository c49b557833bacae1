"""What is deleted is gone and what others share stays; what was left half made goes after a day."""

import os
import shutil
import time
from pathlib import Path

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.config import TEMP_PREFIX
from whisper_tuner.errors import RunError
from whisper_tuner.runs import locks
from whisper_tuner.runs.delete import DAY_S, DOWNLOADS_NAME, HELD_NAME, sweep
from whisper_tuner.runs.events import EventWriter, StateChanged
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.steps.checks import DATA_LOCK_NAME


@pytest.fixture
def ended(prepared, tiny_config) -> Run:
    prepared.write_spec(Spec(tiny_config, time.time(), {}, "anna"))
    writer = EventWriter(prepared.events_path)
    writer.append(StateChanged("done"))
    writer.close()
    return prepared


def test_a_run_is_gone_and_one_that_shares_its_clips_is_whole(ended):
    clips = {path.name for path in (ended.dataset_dir / "clips").iterdir()}
    other = steps.again(ended)
    first = steps.delete(ended)
    assert (first.run, first.n_clips) == (ended.id, len(clips)) and first.megabytes < 0.1
    assert {path.name for path in (other.dataset_dir / "clips").iterdir()} == clips
    second = steps.delete(other)
    assert second.megabytes > 0.1 > first.megabytes  # the clips were shared until now
    assert [path.name for path in ended.dir.parent.iterdir()] == []


def test_what_was_kept_for_taking_a_fix_back_goes_too(ended):
    sound = sum(path.stat().st_size for path in ended.dataset_dir.glob("clips/*"))
    before = ended.dir / "dataset-before"
    shutil.copytree(ended.dataset_dir, before, copy_function=os.link)
    deleted = steps.delete(ended)
    assert deleted.megabytes * 1e6 > sound  # though every clip had two names
    assert not before.exists()


def test_neither_a_living_run_nor_one_that_is_being_added_to(ended):
    for name, code in (
        ("worker.lock", "run_delete_alive"),
        (DATA_LOCK_NAME, "data_being_added"),
    ):
        lock = locks.acquire(ended.dir / name)
        with pytest.raises(RunError) as caught:
            steps.delete(ended)
        os.close(lock)
        assert caught.value.code == code and ended.read_spec()
    steps.delete(ended)


def test_a_kill_in_the_middle_leaves_no_run(ended, monkeypatch):
    monkeypatch.setattr("shutil.rmtree", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        steps.delete(ended)
    assert not ended.dir.exists() and not list(ended.dir.parent.glob("*/run.json"))


def test_the_terminal_asks(ended, monkeypatch, capsys):
    assert cli.main(["delete", str(ended.dir)]) == 2  # not a terminal: nobody to ask
    assert "Nothing was deleted" in capsys.readouterr().err
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("builtins.input", lambda asked: "no")
    assert cli.main(["delete", str(ended.dir)]) == 2
    assert ended.dir.exists()
    monkeypatch.setattr("builtins.input", lambda asked: "y")
    assert cli.main(["delete", str(ended.dir)]) == 0
    assert not ended.dir.exists() and "10 recordings" in capsys.readouterr().out


def test_an_unreadable_run_can_be_deleted(ended):
    ended.spec_path.write_text("")
    assert cli.main(["delete", str(ended.dir), "--yes", "--json"]) == 0
    assert not ended.dir.exists()


def half_made(path: Path, age_s: float) -> Path:
    path.mkdir(parents=True)
    (path / "clip.flac").write_bytes(b"sound")
    for each in (path / "clip.flac", path):
        os.utime(each, (time.time() - age_s,) * 2)
    return path


def test_what_was_left_half_made_goes_after_a_day(ended):
    root = ended.dir.parent
    old = [
        half_made(root / name, 2 * DAY_S)
        for name in (
            ".restore-a",
            ".deleted-b",
            ".trial-c",
            f"{ended.id}/.dataset-d",
            f"{ended.id}/dataset-before-old",
        )
    ]
    (ended.dir / ".run.json-x").write_text("{")
    os.utime(ended.dir / ".run.json-x", (1, 1))
    young = half_made(root / ".restore-young", DAY_S / 2)
    busy = half_made(root / ".restore-busy", 2 * DAY_S)
    (busy / "clip.flac").touch()
    held = half_made(root / ".restore-held", 2 * DAY_S)
    lock = locks.acquire(held / HELD_NAME)
    for path in (held / HELD_NAME, held):
        os.utime(path, (1, 1))
    before = set(ended.dataset_dir.rglob("*"))
    sweep(root)
    os.close(lock)
    assert not any(path.exists() for path in old) and not (ended.dir / ".run.json-x").exists()
    assert young.exists() and busy.exists() and held.exists()
    assert set(ended.dataset_dir.rglob("*")) == before and ended.read_spec()


def test_recordings_that_were_being_replaced_come_back(ended):
    aside = ended.dir / ".dataset-x-old"
    ended.dataset_dir.rename(aside)
    for path in [*aside.rglob("*"), aside]:
        os.utime(path, (1, 1))
    sweep(ended.dir.parent)
    assert steps.has_dataset(ended) and not aside.exists()


def test_a_folder_that_is_not_there_has_nothing_left_behind(tmp_path):
    sweep(tmp_path / "nowhere")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch) -> Path:
    """A folder for temporary files, so that nobody else's are touched."""
    folder = tmp_path / "temp"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


def a_day_later(monkeypatch, days: float = 1.01) -> None:
    then_s = time.time() + days * DAY_S
    monkeypatch.setattr("whisper_tuner.runs.delete.time.time", lambda: then_s)


def test_runs_that_never_got_recordings_go_after_a_day(ended, tmp_path, elsewhere, monkeypatch):
    root = ended.dir.parent
    empty, busy, waiting = Run.create(root), Run.create(root), Run.create(root)
    (waiting.dataset_dir / "clips").mkdir(parents=True)  # recordings that nobody started yet
    (root / "no-run").mkdir()
    lock = locks.acquire(busy.dir / DATA_LOCK_NAME)
    sweep(root)
    assert empty.dir.exists()
    a_day_later(monkeypatch, 0.9)
    sweep(root)
    assert empty.dir.exists()
    a_day_later(monkeypatch)
    sweep(root)
    assert not empty.dir.exists()
    assert busy.dir.exists() and waiting.dir.exists() and (root / "no-run").exists()
    os.close(lock)
    sweep(root)
    assert not busy.dir.exists() and steps.has_dataset(ended)


def test_uploads_and_temporary_folders_go_after_a_day(ended, tmp_path, elsewhere, monkeypatch):
    uploads = tmp_path / "gradio"
    for path in (
        uploads / "0123abc" / "recordings.zip",
        uploads / "tmpx1y2",
        elsewhere / f"{TEMP_PREFIX}abc" / "member",
        elsewhere / "tmp-of-others",
        ended.dir / "exports" / ".0123.part",
        ended.dir / "exports" / "adapter.zip",
    ):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    kept = sorted(path for path in ended.dir.rglob("*") if path.suffix != ".part")
    sweep(ended.dir.parent, uploads)
    assert len(list(uploads.iterdir())) == 2 and len(list(elsewhere.iterdir())) == 2
    a_day_later(monkeypatch)
    sweep(ended.dir.parent)
    assert len(list(uploads.iterdir())) == 2  # not said to be ours
    sweep(ended.dir.parent, uploads)
    assert list(uploads.iterdir()) == []
    assert [path.name for path in elsewhere.iterdir()] == ["tmp-of-others"]
    assert sorted(ended.dir.rglob("*")) == kept


def test_downloads_nobody_came_back_for_go_after_a_week(ended, elsewhere, monkeypatch):
    downloads = ended.dir.parent / DOWNLOADS_NAME
    for name in ("left", "held"):
        (downloads / name).mkdir(parents=True)
        (downloads / name / "it.tar.gz.part").write_bytes(b"x")
    lock = locks.acquire(downloads / "held" / HELD_NAME)
    a_day_later(monkeypatch, 6.9)
    sweep(ended.dir.parent)
    assert len(list(downloads.iterdir())) == 2
    a_day_later(monkeypatch, 7.1)
    sweep(ended.dir.parent)
    assert [path.name for path in downloads.iterdir()] == ["held"]
    os.close(lock)
