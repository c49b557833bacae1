"""What the Hub says of a Space, what it does not say, and what follows from it."""

import socket
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from tests.hub_server import HubServer
from tests.unit.publish.conftest import TOKEN
from whisper_tuner import steps
from whisper_tuner.errors import RunError
from whisper_tuner.narrate import space_sentences
from whisper_tuner.publish import space
from whisper_tuner.publish.space import Space, find_space
from whisper_tuner.runs import jobs

ID = "anna/tuner"
UNKNOWN = Space(loses_runs=True, is_known=False)
T4 = {"current": "t4-small", "requested": "t4-small"}
RUNNING = {
    "stage": "RUNNING",
    "hardware": T4,
    "gcTimeout": 3600,
    "storage": None,
    "replicas": {"current": 1, "requested": 1},
}


@pytest.fixture(autouse=True)
def on_a_space(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", ID)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    space._answers.clear()
    hub.spaces[ID] = RUNNING


def test_elsewhere_there_is_none(monkeypatch, hub):
    monkeypatch.delenv("SPACE_ID")
    assert find_space() is None
    assert hub.requests == []


def test_a_space_is_asked_once_and_without_a_token(hub, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_canary")
    assert find_space() == find_space() == Space(loses_runs=True, sleep_s=3600.0, n_replicas=1)
    assert hub.requests == [f"GET /api/spaces/{ID}/runtime"]


def test_a_private_space_tells_its_facts_to_who_may_read_it(hub):
    hub.spaces[ID] = RUNNING | {"private": True}
    assert find_space() == find_space("hf_unknown") == UNKNOWN
    assert find_space(TOKEN) == find_space(TOKEN) == Space(True, 3600.0, 1)
    assert len(hub.requests) == 3  # once for each way of asking
    assert not any(TOKEN in repr(known) for known in space._answers.items())


@pytest.mark.parametrize(
    ("change", "sleep_s", "n_replicas"),
    [
        ({"gcTimeout": None}, None, 1),
        ({"gcTimeout": -1}, None, 1),
        ({"gcTimeout": None, "hardware": {"current": "cpu-basic"}}, 48 * 3600.0, 1),
        ({"gcTimeout": "soon"}, None, 1),
        ({"replicas": {"current": 1, "requested": 3}}, 3600.0, 3),
        ({"replicas": {"current": 2, "requested": "auto"}}, 3600.0, 2),
        ({"replicas": None}, 3600.0, None),
        ({"replicas": "many"}, 3600.0, None),
    ],
)
def test_what_the_hub_may_say(hub, change, sleep_s, n_replicas):
    hub.spaces[ID] = RUNNING | change
    found = find_space()
    assert (found.sleep_s, found.n_replicas) == (sleep_s, n_replicas)


@pytest.mark.parametrize("answer", [{}, [], None, "RUNNING", {"stage": "RUNNING", "hardware": 3}])
def test_an_answer_that_makes_no_sense_is_none(hub, answer):
    hub.spaces[ID] = answer
    assert find_space() == UNKNOWN


@pytest.mark.parametrize("status", [None, 401, 404, 500, 503])
def test_a_hub_that_does_not_answer_is_no_error_and_not_asked_again_at_once(hub, status):
    hub.fail("GET /api/spaces", status=status, times=9)
    began_s = time.monotonic()
    assert find_space() == find_space() == UNKNOWN
    assert time.monotonic() - began_s < 2 * space.TIMEOUT_S
    assert len(hub.requests) == 1


def test_a_hub_that_hangs_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(space, "TIMEOUT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setattr(constants, "ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}")
        began_s = time.monotonic()
        assert find_space() == UNKNOWN
        assert time.monotonic() - began_s < 3


def test_offline_nothing_is_asked(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert find_space() == UNKNOWN
    assert hub.requests == []


@pytest.mark.parametrize(
    ("found", "said"),
    [
        (None, []),
        (Space(False), []),
        (Space(False, 7200.0), []),
        (UNKNOWN, ["no persistent storage", "does not tell when this Space goes to sleep"]),
        (Space(True), ["no persistent storage"]),
        (Space(False, 300.0), ["about 5 minutes after the last visit"]),
        (Space(True, 300.0, 1), ["no persistent storage", "may take about 2 hours"]),
    ],
)
def test_what_is_said_before_the_start(found, said):
    plan = SimpleNamespace(total_s=7200.0)
    sentences = space_sentences(found, plan)
    assert [words for words, told in zip(said, sentences, strict=True) if words in told] == said
    assert len(space_sentences(found, plan, "zh")) == len(said)


@pytest.mark.parametrize("is_private", [False, True])
@pytest.mark.parametrize("way", ["train", "resume"])
def test_nothing_starts_where_several_replicas_run(hub, run, monkeypatch, way, is_private):
    hub.spaces[ID] = RUNNING | {"replicas": {"current": 2, "requested": 2}}
    monkeypatch.setattr(jobs, "start", pytest.fail)
    hub.spaces[ID] |= {"private": is_private}
    config = replace(run.read_spec().config)
    token = TOKEN if is_private else None
    with pytest.raises(RunError) as refused:
        steps.train(run, config, token=token) if way == "train" else steps.resume(run, token)
    assert refused.value.code == "space_replicas"
    assert "2" in str(refused.value)
