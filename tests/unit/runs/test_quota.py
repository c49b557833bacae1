"""On a Space each person may keep so much, and can always find what to delete; elsewhere all."""

import time

import pytest

from whisper_tuner.errors import InputError, RunError
from whisper_tuner.runs import quota
from whisper_tuner.runs.folder import Run, Spec


def recorded(root, owner: str, n_bytes: int = 1000) -> Run:
    run = Run.create(root)
    quota.claim(run, owner)
    run.dataset_dir.mkdir()
    with (run.dataset_dir / "clip.flac").open("wb") as file:
        file.truncate(n_bytes)
    return run


@pytest.fixture
def on_a_space(monkeypatch):
    monkeypatch.setenv("SPACE_ID", "anna/tuner")
    monkeypatch.setattr("whisper_tuner.runs.folder.require_disk", lambda root: None)


def refusal(root, *people: str, is_new: bool = True) -> RunError:
    with pytest.raises(RunError) as caught:
        quota.require(root, people, is_new)
    return caught.value


def test_ones_own_machine_has_no_limit(tmp_path, monkeypatch):
    monkeypatch.delenv("SPACE_ID", raising=False)
    for _ in range(10):
        recorded(tmp_path, "anna", 10**10)
    quota.require(tmp_path, ["anna"], True)
    assert quota.limit_bytes() == 0


def test_bytes_of_one_person(tmp_path, on_a_space, tiny_config):
    started = recorded(tmp_path, "", 4 * 10**9)
    started.write_spec(Spec(tiny_config, time.time(), {}, "account"))
    recorded(tmp_path, "ben", 10**10)
    quota.require(tmp_path, ["browser", "account"], True)
    recorded(tmp_path, "browser", 2 * 10**9)
    error = refusal(tmp_path, "browser", "account", is_new=False)
    assert error.code == "quota_full"
    assert "6.0 GB" in error.sentence() and "5.0 GB" in error.sentence("zh")
    quota.require(tmp_path, ["browser"], True)
    quota.require(tmp_path, [], True)  # nobody has nothing


def test_sets_that_were_never_trained_on(tmp_path, on_a_space):
    made = [recorded(tmp_path, "anna") for _ in range(quota.MAX_UNUSED)]
    recorded(tmp_path, "ben")
    assert refusal(tmp_path, "anna").code == "quota_unused"
    quota.require(tmp_path, ["anna"], False)  # more for one of them
    assert {run.id for run in quota.unused(tmp_path, ["anna"])} == {run.id for run in made}


@pytest.mark.parametrize(("said", "limit"), [("0", 0), ("2.5", 2.5e9)])
def test_the_owner_of_a_space_decides(tmp_path, on_a_space, monkeypatch, said, limit):
    monkeypatch.setenv(quota.VARIABLE, said)
    assert quota.limit_bytes() == limit


@pytest.mark.parametrize("said", ["much", "-1", "inf", "nan", ""])
def test_a_limit_that_is_no_number_is_named(on_a_space, monkeypatch, said):
    monkeypatch.setenv(quota.VARIABLE, said)
    with pytest.raises(InputError) as caught:
        quota.limit_bytes()
    assert quota.VARIABLE in caught.value.sentence()
