import errno
import json
import random
import shutil
from pathlib import Path

import pytest

from benchmarks.chaos_parts.mutants import mutate
from whisper_tuner.runs import checkpoints

FILES = {"weights": b"w" * 5000, "optimizer": bytes(range(256)) * 20, "state.json": b'{"step": 1}'}


def fill(folder: Path) -> None:
    for name, content in FILES.items():
        (folder / name).write_bytes(content)


def test_commit_gives_a_whole_checkpoint_with_its_files(tmp_path):
    path = checkpoints.commit(tmp_path / "checkpoints", 20, fill)
    assert path.name == "step-20"
    assert checkpoints.is_whole(path)
    assert {p.name: p.read_bytes() for p in path.iterdir() if p.name in FILES} == FILES
    assert checkpoints.newest(tmp_path / "checkpoints") == path


def test_only_the_newest_are_kept(tmp_path):
    for step in (20, 40, 60, 80, 100):
        checkpoints.commit(tmp_path, step, fill)
    assert [path.name for path in checkpoints.by_step(tmp_path)] == [
        "step-60",
        "step-80",
        "step-100",
    ]


def test_broken_ones_cost_no_good_one(tmp_path):
    """A training whose checkpoints were all damaged begins again, with lower steps."""
    for step in (100, 125, 150):
        (checkpoints.commit(tmp_path, step, fill) / "weights").unlink()
    assert checkpoints.newest(tmp_path) is None
    again = checkpoints.commit(tmp_path, 25, fill)
    assert checkpoints.by_step(tmp_path) == [again]


def test_broken_ones_are_told_and_deleted(tmp_path):
    first, second, third = (checkpoints.commit(tmp_path, step, fill) for step in (20, 40, 60))
    (first / "weights").unlink()
    (third / "state.json").write_bytes(b"{}")
    assert checkpoints.drop_broken(tmp_path) == [20, 60]
    assert checkpoints.by_step(tmp_path) == [second]


def test_none_where_nothing_was_saved(tmp_path):
    assert checkpoints.newest(tmp_path / "missing") is None
    assert checkpoints.newest(tmp_path) is None


def test_a_broken_newest_one_gives_way_to_the_one_before(tmp_path):
    first = checkpoints.commit(tmp_path, 20, fill)
    second = checkpoints.commit(tmp_path, 40, fill)
    (second / "weights").write_bytes(b"w" * 4999)
    assert checkpoints.newest(tmp_path) == first


def test_a_broken_one_of_the_same_step_is_written_again(tmp_path):
    path = checkpoints.commit(tmp_path, 20, fill)
    (path / "optimizer").unlink()
    assert checkpoints.is_whole(checkpoints.commit(tmp_path, 20, fill))


def test_what_fails_while_writing_leaves_nothing_and_keeps_the_last(tmp_path):
    first = checkpoints.commit(tmp_path, 20, fill)

    def full_disk(folder: Path) -> None:
        (folder / "weights").write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        checkpoints.commit(tmp_path, 40, full_disk)
    assert list(tmp_path.iterdir()) == [first]
    assert checkpoints.newest(tmp_path) == first


def test_leftovers_of_a_kill_are_swept_and_never_taken_for_checkpoints(tmp_path):
    first = checkpoints.commit(tmp_path, 20, fill)
    shutil.copytree(first, tmp_path / ".new-step-40")
    shutil.copytree(first, tmp_path / ".del-step-10")
    assert checkpoints.newest(tmp_path) == first
    checkpoints.commit(tmp_path, 60, fill)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["step-20", "step-60"]


def test_a_renamed_checkpoint_is_not_another_steps(tmp_path):
    first = checkpoints.commit(tmp_path, 20, fill)
    first.rename(tmp_path / "step-90")
    assert checkpoints.newest(tmp_path) is None


@pytest.mark.parametrize("seed", range(60))
def test_no_mutated_checkpoint_is_loaded(tmp_path, seed):
    path = checkpoints.commit(tmp_path, 20, fill)
    mutate(path, random.Random(seed))
    assert checkpoints.newest(tmp_path) is None


def test_the_manifest_says_step_sizes_and_digests(tmp_path):
    path = checkpoints.commit(tmp_path, 20, fill)
    manifest = json.loads((path / checkpoints.MANIFEST_NAME).read_text())
    assert manifest["step"] == 20
    assert {name: file["size"] for name, file in manifest["files"].items()} == {
        name: len(content) for name, content in FILES.items()
    }
