"""Which trainings a person finds again, and what of them is shown when something is broken."""

import os

import gradio as gr
import pytest

from whisper_tuner import steps
from whisper_tuner.config import TrainConfig
from whisper_tuner.errors import InputError
from whisper_tuner.runs import disk, locks, quota
from whisper_tuner.runs.events import EventWriter, Failed, StateChanged
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.ui import delete_corner, session
from whisper_tuner.ui.app import step_of
from whisper_tuner.ui.session import owner_of, person_of, runs_of


@pytest.fixture(autouse=True)
def root(tmp_path, monkeypatch):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture
def begun(root, tiny_config):
    """A function that makes a run of somebody, as if its training had been started."""

    def make(owner: str, created_s: float = 1.0, config: TrainConfig = tiny_config) -> Run:
        run = Run.create(root)
        run.write_spec(Spec(config, created_s, {}, owner))
        return run

    return make


def draw(whole_page, run_id: str, person: str = "", lang: str = "en") -> dict:
    page = whole_page.page
    known = {page.lang: lang, page.run_id: run_id, page.person: person}
    given = [known.get(part, getattr(part, "value", None)) for part in whole_page.inputs]
    return whole_page.resume(*given)


def menu_of(whole_page, updates: dict) -> list[str]:
    return [run_id for _, run_id in updates[whole_page.menu.menu].choices]


def test_a_run_that_cannot_be_read_hides_no_other(whole_page, begun):
    broken, whole = begun("anna", 2.0), begun("anna", 1.0)
    broken.spec_path.write_text("")
    assert runs_of("anna") == [whole]
    updates = draw(whole_page, whole.id, "anna")
    assert updates[whole_page.problem] == ""
    assert menu_of(whole_page, updates) == [whole.id]


def test_its_owner_is_told_and_can_begin_anew(whole_page, begun):
    broken = begun("anna")
    broken.spec_path.write_text('{"config": ')
    assert session.find_run(broken.id) is None
    updates = draw(whole_page, broken.id, "anna", "zh")
    assert broken.id in updates[whole_page.problem] and "role=" in updates[whole_page.problem]
    assert updates[whole_page.page.run_id] == broken.id  # said again at the next load
    assert step_of(None) == "recordings"


def test_a_bad_line_of_events_ends_the_story_and_not_the_page(whole_page, begun):
    run = begun("anna")
    writer = EventWriter(run.events_path)
    writer.append(StateChanged("failed"))
    writer.close()
    with run.events_path.open("ab") as file:
        file.write(b"\0\0\0\n")
    updates = draw(whole_page, run.id, "anna")
    assert "could not be finished" in updates[whole_page.train.status]


def test_a_training_whose_recordings_vanished_is_shown_all_the_same(whole_page, begun):
    run = begun("anna")
    writer = EventWriter(run.events_path)
    for event in (StateChanged("training"), Failed("dataset_vanished"), StateChanged("failed")):
        writer.append(event)
    writer.close()
    train = whole_page.train
    for has_folder in (False, True):  # a folder without a manifest is no dataset
        if has_folder:
            run.dataset_dir.mkdir()
        updates = draw(whole_page, run.id, "anna")
        assert updates[train.empty] == "" and updates[train.room].visible
        assert "have been deleted or moved" in updates[train.status]
        assert updates[train.resume].visible
        assert not updates[train.again].visible and not updates[train.further].visible
        assert "no checked recordings" in train.train_again("en", run.id)[0]
        assert step_of(run) == "train"


def test_a_worker_without_its_recordings_can_be_stopped(whole_page, begun):
    run = begun("anna")
    writer = EventWriter(run.events_path)
    writer.append(StateChanged("training"))
    writer.close()
    lock = locks.acquire(run.lock_path)
    updates = draw(whole_page, run.id, "anna")
    os.close(lock)
    assert updates[whole_page.train.stop].visible


def test_an_empty_folder_is_nothing_to_train_on_and_no_error(whole_page, root):
    run = Run.create(root)
    run.dataset_dir.mkdir()
    updates = draw(whole_page, run.id)
    assert "nothing to train on" in updates[whole_page.train.empty]
    assert step_of(run) == "recordings"
    with pytest.raises(InputError) as caught:
        steps.again(run)
    assert caught.value.code == "dataset_missing"


def test_signing_in_and_out_loses_no_training(whole_page, begun):
    alone = person_of("", None)
    first = begun(owner_of(alone), 1.0)
    signed_in = person_of(alone, "anna")
    second = begun(owner_of(signed_in), 2.0)
    assert second.read_spec().owner != first.read_spec().owner
    assert runs_of(signed_in) == [second, first]
    assert menu_of(whole_page, draw(whole_page, first.id, signed_in)) == [second.id, first.id]
    signed_out = person_of(signed_in, None)
    assert signed_out == alone and runs_of(signed_out) == [first]
    assert person_of(signed_out, "anna") == signed_in  # the same again
    elsewhere = person_of("", "anna")
    assert runs_of(elsewhere) == [second]
    assert runs_of(person_of(signed_in, "ben")) == [first]
    assert runs_of("") == []


@pytest.mark.parametrize("owner", ["browser", "account"])
def test_one_waits_for_each_person_signed_in_or_not(whole_page, begun, monkeypatch, owner):
    """Two trainings are ahead of Anna's; she begins another one under her other name."""
    locks_held = []
    for other, state in (("ben", "training"), (owner, "queued")):
        run = begun(other, len(locks_held))
        writer = EventWriter(run.events_path)
        writer.append(StateChanged(state))
        writer.close()
        locks_held.append(locks.acquire(run.lock_path))
    new, ended = Run.create(run.dir.parent), begun("browser")
    monkeypatch.setattr(steps, "train", pytest.fail)
    monkeypatch.setattr(steps, "resume", pytest.fail)
    train = whole_page.train
    values = [dial.value for dial in train.form.dials[2:]]
    told = train.start_training(
        "en", new.id, "browser account", False, None, "it", "openai/whisper-tiny", *values
    )
    resumed = train.resume_training("en", ended.id, "browser account", None)
    for lock in locks_held:
        os.close(lock)
    assert "is waiting for its turn already" in told and told == resumed


def test_a_folder_that_is_no_disk_is_a_sentence_on_the_page(whole_page, root, monkeypatch):
    monkeypatch.setattr(disk, "_mount_of", lambda path: (path, "fuse.s3fs"))
    data = whole_page.parts[0]
    told, run_id, _ = data.prepare_files("en", "", "", "anew", [], gr.Progress())
    assert str(root) in told and "WHISPER_TUNER_RUNS" in told
    assert run_id == gr.skip()


def test_only_ones_own_training_is_deleted_and_only_when_sure(whole_page, begun, root):
    run, corner = begun("account"), whole_page.delete
    for person, visible in (("browser account", True), ("browser", False), ("", False)):
        assert draw(whole_page, run.id, person)[corner.room].visible is visible
    stranger = delete_corner.delete("en", run.id, "browser", True)
    unsure = delete_corner.delete("en", run.id, "browser account", False)
    assert "cannot be deleted here" in stranger[0] and "Confirm it first" in unsure[0]
    lock = locks.acquire(run.lock_path)
    alive = delete_corner.delete("en", run.id, "browser account", True)
    os.close(lock)
    assert "stop it first" in alive[0] and alive[3] == gr.skip() and run.dir.exists()
    notice, told, sure, run_id = delete_corner.delete("zh", run.id, "browser account", True)
    assert "Hugging Face" in told and (notice, sure, run_id) == ("", False, "")
    assert not run.dir.exists() and list(root.iterdir()) == []
    updates = draw(whole_page, run_id)
    assert not updates[corner.room].visible and updates[corner.receipt] == gr.skip()
    assert draw(whole_page, begun("account").id)[corner.receipt] == ""
    assert "no run" in delete_corner.delete("en", run.id, "account", True)[0]


def test_on_a_space_a_person_keeps_so_much_and_finds_what_to_delete(whole_page, monkeypatch):
    monkeypatch.setenv(quota.VARIABLE, "1")
    data, menu = whole_page.parts[0], whole_page.menu

    def prepare(person: str) -> tuple:
        return data.prepare_example("en", person, lambda *_, **__: None)

    made = [prepare("anna")[1] for _ in range(quota.MAX_UNUSED)]
    told, run_id, _ = prepare("browser anna")
    assert f"You have {quota.MAX_UNUSED} sets" in told and run_id == gr.skip()
    listed = menu.show("en", None, "anna")[menu.menu]
    assert {value for _, value in listed.choices} == set(made) and listed.visible
    assert menu.show("en", None, "ben")[menu.menu].choices == []
    monkeypatch.delenv(quota.VARIABLE)
    assert menu.show("en", None, "anna")[menu.menu].choices == []
