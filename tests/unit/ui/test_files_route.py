"""What the two addresses beside Gradio's give out, and what they do not."""

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from whisper_tuner.data.clips import read_clips
from whisper_tuner.ui.files_route import ROUTES


@pytest.fixture
def client(prepared, monkeypatch) -> TestClient:
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(prepared.dir.parent))
    return TestClient(Starlette(routes=ROUTES))


def test_a_clip_is_served_whole_and_in_parts(client, prepared):
    clip = read_clips(prepared.dataset_dir)[0]
    whole = client.get(f"/clip/{prepared.id}/{clip.id}")
    assert whole.status_code == 200 and whole.headers["content-type"] == "audio/flac"
    assert whole.content == (prepared.dataset_dir / clip.audio).read_bytes()
    part = client.get(f"/clip/{prepared.id}/{clip.id}", headers={"Range": "bytes=4-7"})
    assert part.status_code == 206 and part.content == whole.content[4:8]


@pytest.mark.parametrize("clip_id", ["999999", "..", "%2e%2e%2fmanifest.jsonl", "manifest.jsonl"])
def test_nothing_but_clips_of_the_manifest_is_served(client, prepared, clip_id):
    assert client.get(f"/clip/{prepared.id}/{clip_id}").status_code == 404


@pytest.mark.parametrize("run_id", ["20260101-000000-0123456789abcdef", "..", "%2e%2e", "runs"])
def test_nothing_of_unknown_runs_is_served(client, run_id):
    assert client.get(f"/clip/{run_id}/000001").status_code == 404
    assert client.get(f"/adapter/{run_id}").status_code == 404


def test_a_run_without_adapter_has_none_to_download(client, prepared):
    answer = client.get(f"/adapter/{prepared.id}")
    assert answer.status_code == 404 and "no finished adapter" in answer.text


def test_the_recordings_are_packed_on_demand(client, prepared):
    answer = client.get(f"/recordings/{prepared.id}")
    assert answer.status_code == 200 and answer.content[:2] == b"PK"
    assert client.get("/recordings/20260101-000000-0123456789abcdef").status_code == 404
