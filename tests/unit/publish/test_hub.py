"""The real client against a real server: what arrives, what is refused, what is tried again."""

import logging
import os
import subprocess
import sys
import traceback
from pathlib import Path

import pytest
from huggingface_hub import HfApi

from tests.hub_server import HubServer
from tests.hub_wire import Repo
from tests.unit.publish.conftest import TOKEN, fill_adapter
from whisper_tuner.errors import PublishError
from whisper_tuner.publish.hub import PushResult, check_repo_name, push
from whisper_tuner.publish.package import ALLOWED_FILES, WEIGHTS_NAME, package_files
from whisper_tuner.publish.repository import ask_patiently, commit
from whisper_tuner.runs.folder import Run

# The client uploads open files with a spelling that its HTTP library has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")

BAD_NAMES = ["", "x" * 97, "../a", "a/b", "-a", ".a", "a-", "a.", "a--b", "a..b", "a.git"]
BAD_NAMES += ["a.ipynb", "é", "a b", "a\n", "a%2fb", "a\x00"]
REPO_ID = "anna/it-lora"
CREATE = "POST /api/repos/create"
COMMIT = f"POST /api/models/{REPO_ID}/commit/main"
MODEL_PAGE = f"GET /api/models/{REPO_ID}"


class Waits(list):
    """A sleep that only writes down how long it was asked to be."""

    def __call__(self, seconds: float) -> None:
        self.append(seconds)


def push_to(
    hub: HubServer, run: Run, waits: Waits | None = None, private: bool = True
) -> PushResult:
    sleep = Waits() if waits is None else waits
    return push(run, TOKEN, "it-lora", private, endpoint=hub.endpoint, sleep=sleep)


def refusal(hub: HubServer, run: Run, waits: Waits | None = None) -> str:
    with pytest.raises(PublishError) as caught:
        push_to(hub, run, waits)
    shown = "".join(traceback.format_exception(caught.value)[:-1])  # all but the sentence
    assert TOKEN not in shown + repr(caught.value.params)
    assert run.has_adapter
    return caught.value.code


def test_a_push_puts_exactly_the_allowed_files_into_the_own_account(
    hub: HubServer, run: Run
) -> None:
    result = push_to(hub, run)
    repo = hub.repos[REPO_ID]
    assert repo.private and result.private
    assert (result.repo_id, result.url) == (REPO_ID, f"{hub.endpoint}/{REPO_ID}")
    assert set(repo.files) == {*result.files, ".gitattributes"}
    assert set(result.files) <= set(ALLOWED_FILES)
    for name, content in package_files(run, REPO_ID).items():
        held = content if isinstance(content, bytes) else content.read_bytes()
        assert repo.files[name] == held
    assert f'adapter = "{REPO_ID}"' in repo.files["README.md"].decode()


def test_the_token_is_nowhere(
    hub: HubServer, run: Run, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    push_to(hub, run)
    on_disk = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    uploaded = list(hub.repos[REPO_ID].files.values())
    assert not [content for content in on_disk + uploaded if TOKEN.encode() in content]
    assert TOKEN not in caplog.text


def test_a_public_repository_only_when_asked_for(hub: HubServer, run: Run) -> None:
    assert not push_to(hub, run, private=False).private
    assert not hub.repos[REPO_ID].private


def test_a_second_push_updates_our_own_repository(hub: HubServer, run: Run) -> None:
    push_to(hub, run)
    (run.adapter_dir / "generation_config.json").write_text('{"new": 1}')
    push_to(hub, run)
    repo = hub.repos[REPO_ID]
    assert repo.files["generation_config.json"] == b'{"new": 1}'
    assert len(repo.commits) == 3


def test_pushing_the_same_again_is_harmless(hub: HubServer, run: Run) -> None:
    push_to(hub, run)
    assert push_to(hub, run).repo_id == REPO_ID
    assert len(hub.repos[REPO_ID].commits) == 2


def test_a_repository_that_is_not_ours_is_not_touched(hub: HubServer, run: Run) -> None:
    theirs = {"model.safetensors": b"years of work"}
    hub.repos[REPO_ID] = Repo(private=True)
    hub.repos[REPO_ID].commit(theirs)
    assert refusal(hub, run) == "hub_repo_taken"
    assert hub.repos[REPO_ID].files == theirs
    assert len(hub.repos[REPO_ID].commits) == 1


def test_a_repository_the_app_may_not_see_is_taken(hub: HubServer, run: Run) -> None:
    push_to(hub, run)
    hub.fail(MODEL_PAGE, status=404)
    assert refusal(hub, run) == "hub_repo_taken"


def test_a_private_push_never_lands_in_a_public_repository(hub: HubServer, run: Run) -> None:
    push_to(hub, run, private=False)
    assert refusal(hub, run) == "hub_repo_public"


def test_an_attempt_that_left_an_empty_repository_can_be_repeated(hub: HubServer, run: Run) -> None:
    hub.fail(COMMIT, status=403)
    assert refusal(hub, run) == "hub_forbidden"
    assert push_to(hub, run).repo_id == REPO_ID


@pytest.mark.parametrize(
    ("request_line", "status", "code"),
    [
        ("GET /api/whoami-v2", 401, "hub_token_invalid"),
        (CREATE, 401, "hub_token_invalid"),
        (CREATE, 403, "hub_forbidden"),
        (COMMIT, 401, "hub_token_invalid"),
        (COMMIT, 413, "hub_refused"),
        ("PUT /lfs", 403, "hub_forbidden"),
    ],
)
def test_what_trying_again_cannot_help_is_tried_once(
    hub: HubServer, run: Run, request_line: str, status: int, code: str
) -> None:
    hub.fail(request_line, status=status, times=9)
    waits = Waits()
    assert refusal(hub, run, waits) == code
    assert waits == []


def test_an_unknown_token_is_refused(hub: HubServer, run: Run) -> None:
    hub.users.clear()
    assert refusal(hub, run) == "hub_token_invalid"


@pytest.mark.parametrize(
    "request_line", ["GET /api/whoami-v2", CREATE, COMMIT, "POST /api/validate"]
)
def test_a_hub_that_stumbles_is_asked_again(hub: HubServer, run: Run, request_line: str) -> None:
    hub.fail(request_line, status=503, times=2)
    waits = Waits()
    assert push_to(hub, run, waits).repo_id == REPO_ID
    assert waits == [1, 2]


def test_an_upload_that_stumbles_is_tried_again_by_the_client(hub: HubServer, run: Run) -> None:
    hub.fail("PUT /lfs", status=503)
    waits = Waits()
    push_to(hub, run, waits)
    assert waits == []


@pytest.mark.parametrize("request_line", [CREATE, COMMIT])
def test_a_lost_answer_does_not_push_twice(hub: HubServer, run: Run, request_line: str) -> None:
    hub.fail(request_line, after=True)
    assert push_to(hub, run).repo_id == REPO_ID
    assert len(hub.repos[REPO_ID].commits) == 2


def test_files_of_the_same_bytes_are_not_read_at_the_same_time(
    hub: HubServer, tmp_path: Path
) -> None:
    """The client would upload both from one open file, and each would get a part of it."""
    api = HfApi(endpoint=hub.endpoint, token=TOKEN)
    api.create_repo(REPO_ID, private=True)
    path = tmp_path / "adapter.safetensors"
    for step in range(6):
        path.write_bytes(bytes([step]) * 6_000_000)
        commit(api, REPO_ID, {f"{step}/{name}.safetensors": path for name in "ab"}, "twins")
    sizes = {len(data) for name, data in hub.repos[REPO_ID].files.items() if "/" in name}
    assert sizes == {6_000_000}


@pytest.mark.parametrize("is_wrapped", [False, True])
def test_connections_that_another_thread_closed_are_opened_again(is_wrapped: bool) -> None:
    left = [RuntimeError("Cannot send a request, as the client has been closed.")]

    def answer() -> str:
        if not left:
            return "yes"
        error = left.pop()
        if is_wrapped:
            raise RuntimeError("Error while uploading") from error
        raise error

    waits = Waits()
    assert ask_patiently(answer, waits) == "yes"
    assert waits == [1]


def test_a_fault_of_ours_is_not_taken_for_the_hubs() -> None:
    def answer() -> str:
        raise RuntimeError("ours")

    with pytest.raises(RuntimeError, match="ours"):
        ask_patiently(answer, Waits())


def test_a_file_that_is_gone_is_not_asked_for_again() -> None:
    def answer() -> str:
        raise RuntimeError("Error while uploading") from FileNotFoundError()

    waits = Waits()
    with pytest.raises(RuntimeError, match="uploading"):
        ask_patiently(answer, waits)
    assert waits == []


def test_a_hub_that_stays_down_is_asked_five_times(hub: HubServer, run: Run) -> None:
    hub.fail("GET /api/whoami-v2", status=500, times=9)
    waits = Waits()
    assert refusal(hub, run, waits) == "hub_busy"
    assert waits == [1, 2, 4, 8]
    assert len(hub.requests) == 5


def test_a_rate_limit_is_waited_out_as_long_as_it_asks_but_not_longer(
    hub: HubServer, run: Run
) -> None:
    hub.fail(CREATE, status=429, Retry_After="7")
    hub.fail(CREATE, status=429, Retry_After="86400")
    waits = Waits()
    push_to(hub, run, waits)
    assert waits == [7, 60]


def test_an_interrupted_connection_is_tried_again(hub: HubServer, run: Run) -> None:
    hub.fail(CREATE, times=2)
    hub.fail(f"GET /{REPO_ID}/resolve", times=1)
    assert push_to(hub, run).repo_id == REPO_ID


def test_nobody_there(run: Run) -> None:
    with HubServer() as gone:
        pass
    assert refusal(gone, run) == "hub_unreachable"


def test_a_file_that_comes_back_different_is_not_called_pushed(hub: HubServer, run: Run) -> None:
    hub.corrupt = True
    assert refusal(hub, run) == "hub_not_verified"


def test_an_adapter_with_a_local_base_never_reaches_the_hub(hub: HubServer, run: Run) -> None:
    fill_adapter(run.adapter_dir, str(run.dir))
    assert refusal(hub, run) == "adapter_base_not_on_hub"
    assert hub.repos == {}


@pytest.mark.parametrize("name", ["a", "whisper-base-it-lora", "A.b_c-9", "x" * 96])
def test_good_names(name: str) -> None:
    check_repo_name(name)


@pytest.mark.parametrize("name", BAD_NAMES)
def test_bad_names_are_refused_before_anything_is_sent(hub: HubServer, run: Run, name: str) -> None:
    with pytest.raises(PublishError) as caught:
        push(run, TOKEN, name, endpoint=hub.endpoint)
    assert caught.value.code == "hub_name_invalid"
    assert hub.requests == []


def test_the_small_hub_serves_models_to_another_process(
    hub: HubServer, run: Run, tmp_path: Path
) -> None:
    hub.add_model("openai/whisper-base", run.adapter_dir)
    code = (
        "from huggingface_hub import hf_hub_download, snapshot_download, list_repo_files\n"
        f"print(hf_hub_download('openai/whisper-base', {WEIGHTS_NAME!r}))\n"
        "print(snapshot_download('openai/whisper-base'))\n"
    )
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.endpoint}
    env = {"PATH": os.environ["PATH"], "HF_HUB_DISABLE_XET": "1", **home}
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, env=env, capture_output=True, text=True, check=True).stdout
    weights, folder = (Path(line) for line in out.splitlines())
    assert weights.read_bytes() == (run.adapter_dir / WEIGHTS_NAME).read_bytes()
    assert {path.name for path in folder.iterdir()} == {p.name for p in run.adapter_dir.iterdir()}
