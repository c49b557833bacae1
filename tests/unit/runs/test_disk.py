"""What is a disk that outlives a restart, and where a Space's runs go."""

import errno
import os
from collections import namedtuple
from pathlib import Path

import psutil
import pytest

from whisper_tuner.errors import InputError, RunError, TrainingError
from whisper_tuner.runs import disk, locks
from whisper_tuner.runs.disk import is_lasting, require_disk
from whisper_tuner.runs.folder import Run, default_root

Mount = namedtuple("Mount", "mountpoint fstype")
CONTAINER = [Mount("/", "overlay"), Mount("/proc", "proc"), Mount("/etc/hosts", "ext4")]


def mount(monkeypatch: pytest.MonkeyPatch, *mounts: Mount) -> None:
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [*CONTAINER, *mounts])


@pytest.mark.parametrize(
    ("kind", "lasting"),
    [("ext4", True), ("xfs", True)]
    + [
        (kind, False) for kind in ("fuse", "fuse.hf-mount", "nfs4", "9p", "tmpfs", "overlay", "new")
    ],
)
def test_only_a_disk_of_its_own_lasts(monkeypatch, tmp_path, kind, lasting):
    mount(monkeypatch, Mount(str(tmp_path), kind))
    assert is_lasting(tmp_path / "whisper-tuner-runs") is lasting
    assert not is_lasting(tmp_path.parent)


def test_a_container_on_a_disk_is_emptied_all_the_same(monkeypatch):
    monkeypatch.setattr(psutil, "disk_partitions", lambda all: [Mount("/", "ext4")])
    assert not is_lasting(Path("/home/user"))


def test_the_innermost_mount_counts(monkeypatch, tmp_path):
    inner = tmp_path / "bucket"
    mount(monkeypatch, Mount(str(tmp_path), "ext4"), Mount(str(inner), "fuse"))
    assert is_lasting(tmp_path / "runs")
    assert not is_lasting(inner / "runs")


@pytest.mark.parametrize(("kind", "is_data"), [("ext4", True), ("fuse.hf-mount", False)])
def test_a_bucket_at_data_holds_no_runs(monkeypatch, tmp_path, kind, is_data):
    monkeypatch.delenv("WHISPER_TUNER_RUNS")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda path, mode: str(path) == "/data")
    mount(monkeypatch, Mount("/data", kind))
    local = tmp_path / "whisper-tuner" / "runs"
    assert default_root() == local
    monkeypatch.setenv("SPACE_ID", "anna/tuner")
    assert default_root() == (Path("/data/whisper-tuner-runs") if is_data else local)


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        ValueError("Error while serializing: I/O error: No space left on device (os error 28)"),
    ],
)
def test_a_full_disk_has_one_name(tmp_path, error):
    with pytest.raises(OSError) as caught, disk.no_room_named(tmp_path):
        raise error
    assert caught.value.errno == errno.ENOSPC


def test_what_says_nothing_is_a_full_disk_when_it_is_full(tmp_path, monkeypatch):
    torchs = RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed")
    with pytest.raises(RuntimeError), disk.no_room_named(tmp_path):
        raise torchs
    monkeypatch.setattr(disk, "FLOOR_BYTES", 2**62)
    with pytest.raises(OSError, match="No space"), disk.no_room_named(tmp_path):
        raise torchs
    with pytest.raises(TrainingError), disk.no_room_named(tmp_path):
        raise TrainingError("training_not_finite", step=1)


def refusal(root: Path) -> str:
    require_disk.cache_clear()
    with pytest.raises(InputError) as caught:
        Run.create(root)
    require_disk.cache_clear()
    assert caught.value.code == "runs_folder_unfit"
    for lang in ("en", "zh"):
        assert str(root) in caught.value.sentence(lang)
        assert "WHISPER_TUNER_RUNS" in caught.value.sentence(lang)
    return caught.value.params["problem"]


@pytest.mark.parametrize("kind", ["ext4", "nfs4", "9p", "tmpfs", "fuse.sshfs", "fuseblk", "new"])
def test_what_locks_and_renames_holds_runs_whatever_it_is_called(monkeypatch, tmp_path, kind):
    mount(monkeypatch, Mount(str(tmp_path), kind))
    assert Run.create(tmp_path / "runs").dir.is_dir()
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("kind", "space_id"),
    [("fuse.hf-mount", ""), ("fuse.s3fs", ""), ("fuse.rclone", ""), ("fuse", "anna/tuner")],
)
def test_a_bucket_holds_no_runs_wherever_it_is(monkeypatch, tmp_path, kind, space_id):
    if space_id:
        monkeypatch.setenv("SPACE_ID", space_id)
    mount(monkeypatch, Mount(str(tmp_path), kind))
    assert refusal(tmp_path / "runs") == kind
    assert not (tmp_path / "runs").exists()


def broken(*arguments: object) -> None:
    raise OSError(errno.EOPNOTSUPP, "Operation not supported")


@pytest.mark.parametrize(
    ("place", "name", "instead", "problem"),
    [
        (locks.fcntl, "flock", lambda fd, how: None, "flock"),  # it locks nothing, and says nothing
        (locks.fcntl, "flock", broken, "Operation not supported"),
        (os, "link", broken, "Operation not supported"),
        (os, "fsync", broken, "Operation not supported"),
        (Path, "replace", broken, "Operation not supported"),
    ],
)
def test_what_fails_when_it_is_tried(monkeypatch, tmp_path, place, name, instead, problem):
    monkeypatch.setattr(place, name, instead)
    assert refusal(tmp_path) == problem


def test_a_full_disk_is_called_full(monkeypatch, tmp_path):
    def full(*arguments: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    require_disk.cache_clear()
    with pytest.raises(InputError) as caught:
        Run.create(tmp_path)
    assert caught.value.code == "disk_full"


def test_who_presses_a_button_is_told_of_a_full_disk():
    with pytest.raises(RunError, match="disk is full"), disk.told_when_full():
        raise OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(OSError, match="no such"), disk.told_when_full():
        raise OSError(errno.ENOENT, "no such file")
