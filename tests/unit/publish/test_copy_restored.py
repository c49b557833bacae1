"""A run back out of its private copy: whole, its owner's own, or refused in one sentence."""

import io
import json
import logging
import zipfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest

from tests.hub_wire import Repo
from tests.unit.publish.conftest import (
    N_CLIPS,
    TOKEN,
    contents,
    copy_of,
    fill_dataset,
    refusal,
    repo_of,
    say,
)
from whisper_tuner import restore, steps
from whisper_tuner.data import common_voice
from whisper_tuner.data.clips import COMMON_VOICE, Clip
from whisper_tuner.decoder import Decoder
from whisper_tuner.errors import InputError, PublishError, RunError
from whisper_tuner.publish import fetch_copy
from whisper_tuner.runs import checkpoints, jobs
from whisper_tuner.runs.caretaker import look_after
from whisper_tuner.runs.events import Note, read_events
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")


def back(run: Run, tmp_path: Path, archive: Path | None = None) -> Run:
    return steps.restore(tmp_path / "new", f"whisper-tuner-copy-{run.id}", TOKEN, archive)


def test_the_token_is_nowhere(training, hub, tmp_path, caplog):
    caplog.set_level(logging.DEBUG)
    copy_of(training, hub).update(is_over=True)
    back(training, tmp_path)
    on_disk = list(contents(tmp_path).values())
    uploaded = list(repo_of(training, hub).files.values())
    assert not [content for content in on_disk + uploaded if TOKEN.encode() in content]
    assert TOKEN not in caplog.text


def test_a_lost_run_comes_back_and_waits_for_its_owner(training, hub, tmp_path, monkeypatch):
    copy_of(training, hub).update(is_over=False)
    run = back(training, tmp_path)
    assert run.id == training.id  # a browser that remembers it finds it again
    old, new = contents(training.dir), contents(run.dir)
    gone = {name for name in old if name.startswith(("adapter/", "comparison"))}
    events = {"events.jsonl"}
    assert {n: new[n] for n in old.keys() - gone - events} == {
        n: old[n] for n in old.keys() - gone - events
    }
    assert new.keys() == old.keys() - gone
    assert new["events.jsonl"].startswith(old["events.jsonl"])
    repo = f"anna/whisper-tuner-copy-{run.id}"
    assert read_events(run.events_path)[-1].event == Note(jobs.RESTORED, {"repo": repo})
    assert run.dir.stat().st_mode & 0o777 == 0o700

    status = jobs.status(run)
    assert (status.state, status.reason) == ("interrupted", "worker_vanished")
    assert jobs.can_resume(status) and not status.goes_on
    started = []
    monkeypatch.setattr(jobs, "start", lambda *arguments, **_: started.append(arguments))
    look_after(run)
    assert started == []
    steps.resume(run)
    assert started == [(run, "train")]
    say(run, "queued", "training")  # from now on it is a run as any other
    assert jobs.status(run).goes_on


def test_a_finished_run_comes_back_finished(training, hub, tmp_path):
    say(training, "done")
    copy_of(training, hub).update(is_over=True)
    run = back(training, tmp_path)
    assert jobs.status(run).state == "done"
    assert run.has_adapter and run.read_comparison() == training.read_comparison()


def test_where_the_run_still_is_it_comes_back_beside_it(training, hub, tmp_path):
    copy_of(training, hub).update(is_over=False)
    first, second = back(training, tmp_path), back(training, tmp_path)
    assert first.id == training.id != second.id
    assert contents(first.checkpoints_dir) == contents(second.checkpoints_dir)


@pytest.mark.parametrize("form", ["{0}", "anna/{0}", "{1}/anna/{0}", " {1}/anna/{0}/ "])
def test_the_name_as_people_paste_it(training, hub, tmp_path, form):
    copy_of(training, hub).update(is_over=False)
    name = form.format(f"whisper-tuner-copy-{training.id}", hub.endpoint)
    assert steps.restore(tmp_path / "new", name, TOKEN).id == training.id


def left_behind(tmp_path: Path) -> list[str]:
    return [path.name for path in (tmp_path / "new").iterdir()]


def test_what_others_made_is_not_restored(training, hub, tmp_path):
    copy_of(training, hub).update(is_over=False)
    hub.users["hf_mallory"] = "mallory"
    repo = hub.repos[f"mallory/{training.id}"] = Repo(private=False)
    repo.commit(dict(repo_of(training, hub).files))

    def restoring(name: str, token: str = TOKEN) -> str:
        hub.requests.clear()
        code = refusal(lambda: steps.restore(tmp_path / "new", name, token))
        assert not [line for line in hub.requests if "/resolve/" in line]
        assert left_behind(tmp_path) == []
        return code

    assert restoring(f"mallory/{training.id}") == "restore_not_yours"
    assert restoring(f"anna/whisper-tuner-copy-{training.id}", "hf_mallory") == "restore_not_yours"
    assert restoring("nowhere") == "restore_not_found"
    assert restoring("../../etc") == "restore_not_yours"
    assert restoring("") == "hub_name_invalid"
    assert restoring(f"mallory/{training.id}", "hf_unknown") == "hub_token_invalid"
    hub.repos["anna/moved"] = repo  # what was given away answers under its old name
    hub.moved = {"anna/moved": f"mallory/{training.id}"}
    assert restoring("anna/moved") == "restore_not_yours"


def changed(**files: bytes | None) -> Callable[[dict], dict]:
    return lambda held: {
        name: content for name, content in (held | files).items() if content is not None
    }


def put(name: str, content: bytes | None) -> Callable[[dict], dict]:
    return changed(**{name: content})


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name in names:
            archive.writestr(name, b"sound")
    return buffer.getvalue()


def swelling() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clips/000003.flac", bytes(900_000))
    return buffer.getvalue()


def clip_line(audio: str) -> bytes:
    clip = Clip("1", audio, "Ciao", "a.wav", 1.0, 5, "train")
    return json.dumps(asdict(clip)).encode() + b"\n"


OPTIMIZER = "checkpoints/step-10/optimizer.pt"
BROKEN = {
    "no marker": (put("whisper_tuner.json", None), "restore_not_a_copy"),
    "an adapter's marker": (put("whisper_tuner.json", b'{"base": "x"}'), "restore_damaged"),
    "a marker that is a list": (put("whisper_tuner.json", b"[]"), "restore_damaged"),
    "an id that leads away": (
        put("whisper_tuner.json", b'{"copy_of": "../../../tmp/x"}'),
        "restore_damaged",
    ),
    "no specification": (put("run.json", None), "restore_incomplete"),
    "a torn specification": (put("run.json", b'{"config": '), "restore_damaged"),
    "another specification": (put("run.json", b'{"config": {"base": 1}}'), "restore_damaged"),
    "no manifest": (put("dataset/manifest.jsonl", None), "restore_incomplete"),
    "a torn manifest": (put("dataset/manifest.jsonl", b'{"id"'), "restore_damaged"),
    "a clip elsewhere": (
        put("dataset/manifest.jsonl", clip_line("clips/../../../../etc/passwd")),
        "restore_damaged",
    ),
    "a ZIP missing": (put("dataset-002.zip", None), "restore_incomplete"),
    "no ZIP": (put("dataset-002.zip", b"no zip"), "restore_damaged"),
    "a member elsewhere": (put("dataset-002.zip", zipped("../../evil.flac")), "restore_damaged"),
    "a member too many": (put("dataset-002.zip", zipped("clips/9.flac")), "restore_damaged"),
    "a ZIP that swells": (put("dataset-002.zip", swelling()), "restore_damaged"),
    "another checkpoint": (put(OPTIMIZER, b"a pickle"), "restore_damaged"),
    "half a checkpoint": (put(OPTIMIZER, None), "restore_damaged"),
    "no manifest of it": (put("checkpoints/step-10/manifest.json", None), "restore_damaged"),
    "torn events": (put("events.jsonl", b"no json\n"), "restore_damaged"),
    "unknown events": (
        put("events.jsonl", b'{"seq": 1, "time_s": 1, "kind": "note", "code": "no_such_key"}\n'),
        "restore_damaged",
    ),
    "a torn comparison": (put("comparison.json", b"{"), "restore_damaged"),
    "a huge specification": (put("run.json", b" " * (2 << 20)), "restore_too_large"),
    "very many files": (
        changed(**{f"checkpoints/step-10/f{n}.pt": b"" for n in range(300)}),
        "restore_too_large",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_copy_is_one_sentence_and_nothing_else(training, hub, tmp_path, fault):
    copy_of(training, hub).update(is_over=False)
    change, code = BROKEN[fault]
    repo = repo_of(training, hub)
    repo.commit(change(repo.files))
    before = contents(tmp_path)
    assert refusal(lambda: back(training, tmp_path)) == code
    assert left_behind(tmp_path) == []
    assert contents(tmp_path) == before


def test_files_of_other_names_are_never_read(training, hub, tmp_path):
    copy_of(training, hub).update(is_over=False)
    hostile = ("evil.py", "checkpoints/step-10/pytorch_model.bin", "checkpoints/step-10/a.pkl")
    hostile += ("worker.lock", "../up.json", "dataset/../../x.json", "adapter/modeling.py")
    repo = repo_of(training, hub)
    repo.commit(repo.files | dict.fromkeys(hostile, b"code"))
    run = back(training, tmp_path)
    asked = " ".join(line for line in hub.requests if "/resolve/" in line)
    assert not [name for name in hostile if name in asked]
    assert b"code" not in contents(tmp_path / "new").values()
    assert checkpoints.newest(run.checkpoints_dir)


def test_a_byte_changed_on_the_way_is_noticed(training, hub, tmp_path):
    copy_of(training, hub).update(is_over=False)
    hub.corrupt = True
    assert refusal(lambda: back(training, tmp_path)) == "restore_damaged"


def test_a_small_disk_is_told_before_anything_is_fetched(training, hub, tmp_path, monkeypatch):
    copy_of(training, hub).update(is_over=False)
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr(fetch_copy.shutil, "disk_usage", lambda folder: full)
    with pytest.raises(RunError) as refused:
        back(training, tmp_path)
    assert refused.value.code == "restore_no_room"
    assert not [line for line in hub.requests if "/resolve/" in line]


def test_common_voice_comes_back_with_its_archive(training, hub, tmp_path, monkeypatch):
    fill_dataset(training, COMMON_VOICE)
    copy_of(training, hub).update(is_over=False)
    assert refusal(lambda: back(training, tmp_path)) == "restore_needs_archive"

    heard = {f"a{n:06}.mp3": f"the sound of clips/{n:06}.flac" for n in range(1, N_CLIPS + 1)}

    def recordings(path: Path, names: set[str]) -> list[tuple[str, str]]:
        return [(name, heard[name]) for name in sorted(names & heard.keys())]

    monkeypatch.setattr(common_voice, "recordings", recordings)
    monkeypatch.setattr(Decoder, "decode", lambda self, audio, name: audio.encode())
    monkeypatch.setattr(restore, "write_flac", lambda path, samples: path.write_bytes(samples))
    run = back(training, tmp_path, tmp_path / "cv.tar.gz")
    assert contents(run.dataset_dir) == contents(training.dataset_dir)
    del heard["a000003.mp3"]
    with pytest.raises(InputError) as refused:
        back(training, tmp_path, tmp_path / "cv.tar.gz")
    assert refused.value.code == "restore_other_archive"
    assert refused.value.params == {"file": "cv.tar.gz", "n": 1}


def test_a_hub_that_refuses_is_named(training, hub, tmp_path):
    copy_of(training, hub).update(is_over=False)
    hub.fail("GET /api/models", status=401, times=9)
    with pytest.raises(PublishError) as refused:
        back(training, tmp_path)
    assert refused.value.code == "hub_token_invalid"
