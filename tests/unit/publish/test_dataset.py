"""The recordings as a private dataset: the real client against a real server."""

import io
import json
import re
import traceback
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import constants
from pyarrow import parquet

from tests.hub_server import HubServer
from tests.hub_wire import DATASET_PREFIX, Repo
from tests.unit.publish.conftest import TOKEN, no_wait
from whisper_tuner import cli, steps
from whisper_tuner.data import hub_dataset, hub_listing
from whisper_tuner.data.clips import COMMON_VOICE, read_clips, read_report, write_dataset
from whisper_tuner.errors import InputError, PublishError
from whisper_tuner.publish import dataset
from whisper_tuner.publish.dataset import push_recordings
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

REPO_ID = "anna/my-voices"
HELD_AS = f"{DATASET_PREFIX}{REPO_ID}"
CREATE = "POST /api/repos/create"
COMMIT = f"POST /api/datasets/{REPO_ID}/commit/main"


@pytest.fixture
def recorded(tmp_path: Path, small_source: Path) -> Run:
    """Ten short real clips, of which two are held out; nothing was trained."""
    run = Run.create(tmp_path / "recorded")
    steps.prepare(run, [small_source])
    return run


def push(run: Run, hub: HubServer) -> dataset.PushedData:
    return push_recordings(run, TOKEN, "my-voices", hub.endpoint, no_wait)


def refusal(run: Run, hub: HubServer) -> str:
    with pytest.raises(PublishError) as caught:
        push(run, hub)
    shown = "".join(traceback.format_exception(caught.value)[:-1])
    assert TOKEN not in shown + repr(caught.value.params)
    assert caught.value.sentence() and caught.value.sentence("zh")
    return caught.value.code


def rows(repo: Repo) -> dict[str, dict]:
    """All rows by their name, with the split that their file is of."""
    found = {}
    for name, content in repo.files.items():
        if match := re.fullmatch(r"data/(train|test)-\d{5}-of-\d{5}\.parquet", name):
            table = parquet.read_table(io.BytesIO(content))
            for row in table.to_pylist():
                found[row["original_name"]] = {**row, "split": match[1]}
    return found


def change(run: Run, n: int, **changes: str) -> None:
    clips = read_clips(run.dataset_dir)
    changed = [replace(clip, **changes) if i < n else clip for i, clip in enumerate(clips)]
    write_dataset(run.dataset_dir, changed, read_report(run.dataset_dir))


def test_every_clip_is_there_as_it_was(recorded, hub, monkeypatch):
    monkeypatch.setattr(dataset, "SHARD_BYTES", 60_000)
    pushed = push(recorded, hub)
    repo = hub.repos[HELD_AS]
    assert repo.private and REPO_ID not in hub.repos
    assert (pushed.repo_id, pushed.n_clips, pushed.n_left_out) == (REPO_ID, 10, 0)
    assert pushed.url == f"{hub.endpoint}/datasets/{REPO_ID}"
    clips, found = read_clips(recorded.dataset_dir), rows(repo)
    assert found.keys() == {clip.name for clip in clips}
    for clip in clips:
        row = found[clip.name]
        assert (row["transcription"], row["split"]) == (clip.text, clip.split)
        assert row["audio"]["bytes"] == (recorded.dataset_dir / clip.audio).read_bytes()
    files = [name for name in repo.files if name.startswith("data/train")]
    assert len(files) > 1 and all(name.endswith(f"of-{len(files):05}.parquet") for name in files)
    schema = parquet.read_schema(io.BytesIO(repo.files[files[0]]))
    features = json.loads(schema.metadata[b"huggingface"])["info"]["features"]
    assert features["audio"] == {"sampling_rate": 16000, "_type": "Audio"}
    assert list((recorded.dir / "exports").iterdir()) == []


def test_the_card_names_no_licence_and_tells_nothing_of_the_recordings(recorded, hub):
    change(recorded, 3, source=COMMON_VOICE)
    push(recorded, hub)
    card = hub.repos[HELD_AS].files["README.md"].decode()
    header = yaml.safe_load(card.split("---")[1])
    assert "license" not in header and "# license:" in card
    splits = header["configs"][0]["data_files"]
    assert [split["split"] for split in splits] == ["train", "test"]
    assert "3 clips of Common Voice are not here" in card
    for clip in read_clips(recorded.dataset_dir):
        assert clip.name not in card and clip.text not in card


def test_it_can_be_read_again_as_any_dataset_of_the_hub(recorded, hub, monkeypatch):
    push(recorded, hub)
    files = {name: bytes(data) for name, data in hub.repos[HELD_AS].files.items()}
    with HubServer() as other:
        other.add_dataset(REPO_ID, files)
        monkeypatch.setattr(constants, "ENDPOINT", other.endpoint)
        page = f"{other.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", page)
        listing = hub_listing.look(REPO_ID, "")
        [config] = listing.configs
        guess = hub_dataset.columns(listing, config, "").guess
    assert set(listing.configs[config]) == {"train", "test"}
    assert (guess.audio, guess.text, guess.speaker) == ("audio", "transcription", "speaker")


def test_common_voice_is_never_pushed(recorded, hub):
    change(recorded, 4, source=COMMON_VOICE)
    pushed = push(recorded, hub)
    assert (pushed.n_clips, pushed.n_left_out) == (6, 4)
    stays = {clip.name for clip in read_clips(recorded.dataset_dir)[:4]}
    assert not stays & rows(hub.repos[HELD_AS]).keys()
    change(recorded, 10, source=COMMON_VOICE)
    with pytest.raises(InputError) as refused:
        push(recorded, hub)
    assert refused.value.code == "export_common_voice"


def test_a_second_push_replaces_all_of_the_first(recorded, hub, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(dataset, "SHARD_BYTES", 60_000)
        push(recorded, hub)
    n_files = len(hub.repos[HELD_AS].files)
    change(recorded, 1, text="Un altro testo.")
    push(recorded, hub)
    repo = hub.repos[HELD_AS]
    assert len(repo.files) == 5 < n_files
    assert len(rows(repo)) == 10 and len(repo.commits) == 3
    push(recorded, hub)
    assert len(hub.repos[HELD_AS].commits) == 3


def test_a_dataset_of_others_content_is_not_touched(recorded, hub):
    repo = hub.repos[HELD_AS] = Repo(private=True)
    repo.commit({"data/train.parquet": b"years of work"})
    assert refusal(recorded, hub) == "hub_repo_taken"
    assert len(repo.commits) == 1


def test_a_public_one_is_not_touched(recorded, hub):
    push(recorded, hub)
    hub.repos[HELD_AS].private = False
    assert refusal(recorded, hub) == "hub_repo_public"
    assert len(hub.repos[HELD_AS].commits) == 2


def test_a_model_of_this_name_is_another_repository(recorded, hub):
    hub.repos[REPO_ID] = Repo(private=False)
    hub.repos[REPO_ID].commit({"model.safetensors": b"weights"})
    assert push(recorded, hub).n_clips == 10
    assert list(hub.repos[REPO_ID].files) == ["model.safetensors"]


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /api/whoami-v2", 401, "hub_token_invalid"),
        (CREATE, 403, "hub_forbidden"),
        (COMMIT, 403, "hub_forbidden"),
        (CREATE, 429, "hub_busy"),
        (COMMIT, 500, "hub_busy"),
    ],
)
def test_what_fails_is_said_and_can_be_repeated(recorded, hub, request_line, status, code):
    hub.fail(request_line, status=status, times=5)
    assert refusal(recorded, hub) == code
    hub.faults.clear()
    assert push(recorded, hub).n_clips == 10
    assert list((recorded.dir / "exports").iterdir()) == []


@pytest.mark.parametrize("request_line", [CREATE, COMMIT, "PUT /lfs/"])
@pytest.mark.parametrize("after", [False, True])
def test_a_dropped_connection_or_answer_does_no_harm(recorded, hub, request_line, after):
    hub.fail(request_line, after=after)
    assert push(recorded, hub).n_clips == 10
    assert len(rows(hub.repos[HELD_AS])) == 10


def test_what_arrives_changed_does_not_count(recorded, hub):
    hub.corrupt = True
    assert refusal(recorded, hub) == "hub_not_verified"


def test_in_the_terminal(recorded, hub, monkeypatch, capsys):
    monkeypatch.setenv("WHISPER_TUNER_RUNS", str(recorded.dir.parent))
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
    template = f"{hub.endpoint}/{{repo_id}}/resolve/{{revision}}/{{filename}}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    change(recorded, 2, source=COMMON_VOICE)
    assert cli.main(["export-data", recorded.id, "--push", "my-voices"]) == 0
    said = capsys.readouterr().out
    assert "8 clips are in your private dataset" in said
    assert "2 clips of Common Voice were left out" in said
    assert cli.main(["export-data", recorded.id, "--push", "no--name"]) == 1
    with pytest.raises(SystemExit):
        cli.main(["export-data", recorded.id])
