"""What a browser reads and sends while sentences are recorded, and what it gets of others."""

import json

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from whisper_tuner import steps
from whisper_tuner.runs.sheets import Script, Sheet
from whisper_tuner.ui import sheets_route
from whisper_tuner.ui.files_route import ROUTES

CLIPS = steps.EXAMPLE_DIR / "clips"
UNKNOWN = "20260101-000000-0123456789abcdef"


@pytest.fixture
def sheet(hub_cache, tmp_path, monkeypatch) -> Sheet:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(tmp_path))
    return steps.begin_sheet(tmp_path, "<b>Uno</b> due tre.\nQuattro.", Script((), "it", "", "me"))


@pytest.fixture
def client() -> TestClient:
    return TestClient(Starlette(routes=ROUTES))


def sound(name: str = "vm-rec-name") -> bytes:
    return (CLIPS / f"{name}.flac").read_bytes()


@pytest.mark.parametrize(("lang", "wanted"), [("en", "0 of 2"), ("zh", "0/2"), ("xx", "0 of 2")])
def test_the_recorder_is_told_everything_it_shows(client, sheet, lang, wanted):
    state = client.get(f"/sheet/{sheet.id}?lang={lang}").json()
    assert state["sentences"] == ["<b>Uno</b> due tre.", "Quattro."] and state["language"] == "it"
    assert state["takes"] == {} and wanted in state["progress"]
    script = sheets_route.__file__.replace("sheets_route.py", "recorder.js")
    with open(script, encoding="utf-8") as file:  # noqa: PTH123
        asked = file.read()
    for word in state["words"]:
        assert word in asked or word.startswith("mic_")


def test_a_take_is_kept_judged_and_heard(client, sheet):
    answer = client.post(f"/take/{sheet.id}/1?lang=en", content=sound())
    said = answer.json()
    assert answer.status_code == 200 and "1 of 2" in said["progress"]
    assert said["take"]["seconds"] > 3
    whole = client.get(f"/take/{sheet.id}/1")
    assert whole.headers["content-type"] == "audio/flac"
    assert whole.headers["cache-control"] == "no-store"
    assert whole.content == sheet.take_path(1).read_bytes()
    part = client.get(f"/take/{sheet.id}/1", headers={"Range": "bytes=0-3"})
    assert part.status_code == 206 and part.content == b"fLaC"
    state = client.get(f"/sheet/{sheet.id}?lang=en").json()
    assert state["takes"] == {"1": said["take"]}


@pytest.mark.parametrize("content", [b"", b"RIFF no sound", b"\0" * 60_000])
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_what_is_no_sound_is_refused_in_a_sentence(client, sheet, content, lang):
    client.post(f"/take/{sheet.id}/1", content=sound())
    before = sheet.take_path(1).read_bytes()
    answer = client.post(f"/take/{sheet.id}/1?lang={lang}", content=content)
    assert answer.status_code == 422 and "{" not in answer.json()["problem"]
    assert sheet.take_path(1).read_bytes() == before


def test_too_much_is_not_read_to_its_end(client, sheet, monkeypatch):
    monkeypatch.setattr(sheets_route, "MAX_TAKE_BYTES", 1 << 20)
    sent = []

    def endless():
        for _ in range(64):
            sent.append(1)
            yield b"x" * (1 << 18)

    answer = client.post(f"/take/{sheet.id}/1?lang=en", content=endless())
    assert answer.status_code == 422 and "MB" in answer.json()["problem"]
    assert sheet.recorded() == []


@pytest.mark.parametrize("n", ["0", "3", "99999999999"])
def test_a_sentence_that_is_not_there(client, sheet, n):
    assert client.post(f"/take/{sheet.id}/{n}", content=sound()).status_code == 422
    assert client.get(f"/take/{sheet.id}/{n}").status_code == 404
    assert client.get(f"/take/{sheet.id}/2").status_code == 404  # not recorded


@pytest.mark.parametrize("id", [UNKNOWN, "..", "%2e%2e", "takes"])
def test_sheets_that_are_not_there(client, sheet, id):
    assert client.get(f"/sheet/{id}").status_code == 404
    assert client.get(f"/sheet/{id}/recordings").status_code == 404
    assert client.post(f"/take/{id}/1", content=sound()).status_code in (404, 405, 422)


@pytest.mark.parametrize("n", ["..", "-1", "0001.flac", "%2e%2e%2fsentences.json"])
def test_nothing_but_takes_is_given_out(client, sheet, n):
    assert client.get(f"/take/{sheet.id}/{n}").status_code == 404


def test_the_recordings_are_packed_on_demand(client, sheet):
    assert client.get(f"/sheet/{sheet.id}/recordings").status_code == 404  # nothing recorded
    client.post(f"/take/{sheet.id}/1", content=sound())
    answer = client.get(f"/sheet/{sheet.id}/recordings")
    assert answer.status_code == 200 and answer.content[:2] == b"PK"


def test_a_sheet_that_was_deleted_meanwhile(client, sheet):
    client.post(f"/take/{sheet.id}/1", content=sound())
    steps.delete_sheet(sheet)
    answer = client.post(f"/take/{sheet.id}/2?lang=en", content=sound())
    assert answer.status_code == 422 and "not there any more" in json.loads(answer.text)["problem"]
