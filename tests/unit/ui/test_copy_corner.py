"""The box for a private copy, and the plan on a Space, on the page's own components."""

import time
from dataclasses import replace

import gradio as gr
import pytest
from huggingface_hub import constants

from tests.hub_server import HubServer
from tests.unit.ui.conftest import in_page
from whisper_tuner.publish import copier as copying
from whisper_tuner.publish import space
from whisper_tuner.runs.folder import Run, Spec
from whisper_tuner.ui import restore_corner, session
from whisper_tuner.ui.copy_corner import CopyCorner
from whisper_tuner.ui.train_step import TrainStep

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

TOKEN = "hf_canarycanarycanary"


@pytest.fixture
def hub(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    with HubServer({TOKEN: "anna"}) as server:
        monkeypatch.setattr(constants, "ENDPOINT", server.endpoint)
        template = f"{server.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        yield server


@pytest.fixture
def run(prepared, monkeypatch) -> Run:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    return prepared


def started(run: Run, config) -> None:
    run.write_spec(Spec(config, time.time(), {}, owner="of a lost disk"))


def wait_until(condition) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_nothing_is_copied_before_the_start_nor_without_a_sign_in(run, tiny_config):
    corner = in_page(CopyCorner)
    assert corner.obey("en", run.id, True, TOKEN, None) == ("", gr.skip())
    started(run, tiny_config)
    notice, token = corner.obey("en", run.id, True, " ", None)
    assert "not signed in" in notice and token == gr.skip()
    assert corner.obey("en", run.id, False, "", None) == ("", "")
    assert corner.copiers == {}
    assert corner.show("en", run, True) == {corner.wanted: False, corner.told: ""}


def test_a_tick_copies_and_the_typed_token_is_forgotten(run, tiny_config, hub, monkeypatch):
    monkeypatch.setattr(copying, "LOOK_EVERY_S", 0.02)
    corner = in_page(CopyCorner)
    started(run, tiny_config)
    assert corner.obey("en", run.id, True, TOKEN, None) == ("", "")
    copier = corner.copiers[run.id]
    wait_until(lambda: copier.told[0] == "copy_whole")
    assert hub.repos[f"anna/whisper-tuner-copy-{run.id}"].private
    shown = corner.show("en", run, True)
    assert shown[corner.wanted] is True and run.id in shown[corner.told]
    assert corner.show("en", run, False) == {corner.wanted: gr.skip(), corner.told: ""}
    corner.obey("en", run.id, False, "", None)
    assert corner.show("en", run, True)[corner.wanted] is False


def test_signed_in_by_the_space(run, tiny_config, hub):
    corner = in_page(CopyCorner)
    started(run, tiny_config)
    oauth = gr.OAuthToken(token="hf_unknown", scope="", expires_at=0)
    corner.obey("en", run.id, True, "", oauth)
    wait_until(lambda: corner.copiers[run.id].told[0] == "copy_signed_out")
    told = corner.tell("en", run)[corner.told]
    assert 'role="alert"' in told and "sign in again" in told


@pytest.mark.parametrize("on_space", [True, False])
def test_only_a_space_that_forgets_speaks_of_it(run, tiny_config, hub, monkeypatch, on_space):
    hub.spaces["anna/tuner"] = {"stage": "RUNNING", "gcTimeout": 1}
    space._answers.clear()
    if on_space:
        monkeypatch.setenv("SPACE_ID", "anna/tuner")
    step = in_page(TrainStep)
    assert step.copy.room.visible is on_space
    values = [dial.value for dial in step.form.dials[2:]]
    html = step.show_plan("en", run.id, None, "it", tiny_config.base, *values)
    assert ("no persistent storage" in html) is on_space
    assert ("goes to sleep" in html) is on_space


def test_the_page_restores(run, tiny_config, hub, tmp_path, monkeypatch):
    started(run, tiny_config)
    copying.PrivateCopy(run, TOKEN).update(is_over=True)
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path / "new"))
    name = f"whisper-tuner-copy-{run.id}"
    told, token, run_id, language = restore_corner.restore("en", "here", name, TOKEN, None, None)
    assert (token, run_id, language) == ("", run.id, "it")
    assert "find it in step 2" in told
    restored = Run.open(tmp_path / "new", run_id)
    assert restored.read_spec() == replace(run.read_spec(), owner="here")
    assert session.runs_of("here anna") == [restored]
    told, *_ = restore_corner.restore("en", "here", "mallory/x", TOKEN, None, None)
    assert "not in your own account" in told and 'role="alert"' in told
    told, *_ = restore_corner.restore("en", "here", name, "", None, None)
    assert "not signed in" in told
