"""A run into a private repository of its owner, against a real server."""

import io
import zipfile

import pytest

from tests.hub_wire import Repo
from tests.unit.publish.conftest import (
    N_CLIPS,
    commit_checkpoint,
    contents,
    copy_of,
    fill_dataset,
    refusal,
    repo_of,
    say,
)
from whisper_tuner.data.clips import COMMON_VOICE

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def test_what_is_copied_and_where(training, hub):
    copy = copy_of(training, hub)
    assert copy.update(is_over=False) == "step-10"
    repo = repo_of(training, hub)
    assert repo.private and copy.repo_id == f"anna/whisper-tuner-copy-{training.id}"
    kept = {f"checkpoints/step-10/{p.name}" for p in training.checkpoints_dir.glob("*/*")}
    about = {".gitattributes", "README.md", "whisper_tuner.json", "run.json", "events.jsonl"}
    dataset = {"dataset/manifest.jsonl", "dataset/report.json"}
    zips = {f"dataset-00{n}.zip" for n in (1, 2, 3)}
    assert repo.files.keys() == kept | about | dataset | zips
    archives = [zipfile.ZipFile(io.BytesIO(repo.files[name])) for name in sorted(zips)]
    assert [name for archive in archives for name in archive.namelist()] == [
        f"clips/{n:06}.flac" for n in range(1, N_CLIPS + 1)
    ]


def test_every_commit_holds_one_whole_checkpoint(training, hub):
    copy = copy_of(training, hub)
    for step in (10, 20, 30):
        commit_checkpoint(training, step)
        copy.update(is_over=False)
    held = [
        {name.split("/")[1] for name in files if name.startswith("checkpoints/")}
        for _, files in repo_of(training, hub).commits
    ]
    assert [names for names in held if names] == [{"step-10"}, {"step-20"}, {"step-30"}]
    for (_, files), names in zip(repo_of(training, hub).commits, held, strict=True):
        for step in names:
            local = contents(training.checkpoints_dir / step)
            assert {n: files[f"checkpoints/{step}/{n}"] for n in local} == local


def test_a_checkpoint_that_does_not_verify_is_not_copied(training, hub):
    broken = commit_checkpoint(training, 20)
    (broken / "optimizer.pt").write_bytes(b"damaged")
    assert copy_of(training, hub).update(is_over=False) == "step-10"


def test_nothing_new_is_no_commit(training, hub):
    copy_of(training, hub).update(is_over=False)
    n_before = len(repo_of(training, hub).commits)
    assert copy_of(training, hub).update(is_over=False) == "step-10"  # after a restart of the page
    assert len(repo_of(training, hub).commits) == n_before


def test_the_end_brings_the_result_and_a_resume_takes_it_away(training, hub):
    copy = copy_of(training, hub)
    copy.update(is_over=False)
    assert "comparison.json" not in repo_of(training, hub).files
    say(training, "done")
    copy.update(is_over=True)
    files = repo_of(training, hub).files
    assert {"comparison.json", "adapter/adapter_model.safetensors"} <= files.keys()
    assert "adapter/optimizer.pt" not in files
    assert files["events.jsonl"] == training.events_path.read_bytes()
    commit_checkpoint(training, 40)
    copy.update(is_over=False)
    assert not {n for n in repo_of(training, hub).files if n.startswith(("adapter", "comp"))}


def test_recordings_of_common_voice_stay_here(training, hub):
    fill_dataset(training, COMMON_VOICE)
    copy_of(training, hub).update(is_over=True)
    uploaded = b"".join(repo_of(training, hub).files.values())
    assert b"the sound of" not in uploaded
    assert not [name for name in repo_of(training, hub).files if name.endswith((".zip", ".flac"))]


def test_a_repository_that_is_not_ours_is_not_touched(training, hub):
    theirs = {"model.safetensors": b"years of work"}
    repo = hub.repos[f"anna/whisper-tuner-copy-{training.id}"] = Repo(private=True)
    repo.commit(theirs)
    assert refusal(lambda: copy_of(training, hub).update(False)) == "hub_repo_taken"
    assert repo.files == theirs


def test_nothing_is_written_to_what_was_made_public(training, hub):
    copy = copy_of(training, hub)
    copy.update(is_over=False)
    repo = repo_of(training, hub)
    repo.private = False
    n_before = len(repo.commits)
    commit_checkpoint(training, 20)
    for again in (copy, copy_of(training, hub)):
        assert refusal(lambda again=again: again.update(False)) == "hub_repo_public"
    assert len(repo.commits) == n_before


@pytest.mark.parametrize(
    "request_line", ["GET /api/whoami-v2", "POST /api/repos", "POST /api/models", "GET /api/models"]
)
def test_a_hub_that_stumbles_is_asked_again(training, hub, request_line):
    hub.fail(request_line, status=503, times=2)
    assert copy_of(training, hub).update(is_over=False) == "step-10"


def test_an_upload_cut_off_is_taken_up_where_it_was(training, hub):
    hub.fail("PUT /lfs", status=403, times=1)
    assert refusal(lambda: copy_of(training, hub).update(False)) == "hub_forbidden"
    assert copy_of(training, hub).update(is_over=False) == "step-10"
