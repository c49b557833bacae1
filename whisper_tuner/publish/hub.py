"""The adapter to the user's own Hugging Face account: created, uploaded, read back, compared.

Every step may be repeated: a lost answer, a second press or a later training find the repository
of the first attempt and go on with it. A repository that is not ours is never written to.

The token is held in memory for one push. It is in no file, no message and no error of ours.
"""

import hashlib
import io
import json
import re
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import CommitOperationAdd, HfApi, get_session, get_token, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from whisper_tuner.errors import PublishError
from whisper_tuner.publish.package import MARKER_NAME, package_files
from whisper_tuner.runs.folder import Run

# Between five attempts; the client's own uploads retry inside each of them.
WAITS_S = (1.0, 2.0, 4.0, 8.0)
LONGEST_WAIT_S = 60.0  # however long the Hub asks to wait
PASSING_STATUSES = frozenset({429, 500, 502, 503, 504})
REFUSALS = {
    401: "hub_token_invalid",
    403: "hub_forbidden",
    404: "hub_forbidden",  # the Hub hides from a token what it may not see
    409: "hub_repo_taken",
    429: "hub_busy",
}
# ValueError is the client's way to say that an answer, or the card, makes no sense.
HUB_ERRORS = (HTTPError, OfflineModeIsEnabled, ValueError)
REPO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
GIT_ONLY_FILES = {".gitattributes"}  # what the Hub itself puts into a new repository

Sleep = Callable[[float], None]
Ask = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class PushResult:
    """What is on the Hub now: read back and found equal."""

    repo_id: str
    url: str
    files: tuple[str, ...]
    private: bool


def local_token() -> str | None:
    """The token of this machine's `hf auth login`, for the command line. Never for a shared page:
    there every visitor would act as its owner."""
    return get_token()


def check_repo_name(name: str) -> None:
    """The Hub's rules for the name of a repository. Raises PublishError."""
    is_well_formed = REPO_NAME.fullmatch(name) and "--" not in name and ".." not in name
    if not is_well_formed or name.endswith(("-", ".", ".git", ".ipynb")):
        raise PublishError("hub_name_invalid", name=name)


def push(
    run: Run,
    token: str,
    repo_name: str,
    private: bool = True,
    endpoint: str | None = None,
    sleep: Sleep = time.sleep,
) -> PushResult:
    """Put the run's adapter into the account that the token belongs to.

    Returns when every file was read back from the Hub and is byte for byte the local one. An
    existing repository of ours is updated by a new commit and stays as private as it is.

    Raises PublishError with the next step to take (the result is kept in the run folder), RunError
    when the run has no adapter.
    """
    check_repo_name(repo_name)
    api = HfApi(endpoint=endpoint, token=token)
    ask = partial(_ask, sleep=sleep)
    repo_id = f"{ask(api.whoami)['name']}/{repo_name}"
    files = package_files(run, repo_id)
    is_private = _claim(api, ask, repo_id, private)
    commit = ask(lambda: _commit(api, repo_id, files))
    for name, content in files.items():
        if ask(partial(_remote_sha256, api, repo_id, name, commit)) != _sha256(content):
            raise PublishError("hub_not_verified", repo=repo_id, file=name)
    return PushResult(repo_id, f"{api.endpoint}/{repo_id}", tuple(files), is_private)


def _claim(api: HfApi, ask: Ask, repo_id: str, private: bool) -> bool:
    """Create the repository, or make sure that an existing one may be written to.

    Ours are: a repository with our marker in it, and one with nothing in it, which an attempt that
    was cut off leaves behind. Returns whether it is private.
    """
    try:
        ask(lambda: api.create_repo(repo_id, private=private, exist_ok=False))
        return private
    except PublishError as error:
        if error.code != "hub_repo_taken":
            raise
    try:
        info = ask(lambda: api.model_info(repo_id))
    except PublishError as error:
        if error.code == "hub_forbidden":  # it exists, but not for this app
            raise PublishError("hub_repo_taken") from error
        raise
    names = {file.rfilename for file in info.siblings or ()} - GIT_ONLY_FILES
    if names and MARKER_NAME not in names:
        raise PublishError("hub_repo_taken")
    if private and not info.private:
        raise PublishError("hub_repo_public", repo=repo_id)
    return bool(info.private)


def _commit(api: HfApi, repo_id: str, files: dict[str, Path | bytes]) -> str:
    """One commit with all files, or the last one when the Hub has these files already; its id."""
    with ExitStack() as opened:
        # Open files, not paths: the client then uploads over HTTPS, where it reports what fails.
        # Its Xet transfer, used for paths, waits for an unreachable server without end.
        operations = [
            CommitOperationAdd(name, opened.enter_context(_open(content)))
            for name, content in files.items()
        ]
        return api.create_commit(
            repo_id, operations, commit_message="Upload adapter with Whisper Tuner"
        ).oid


def _open(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def _sha256(content: Path | bytes) -> str:
    with _open(content) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remote_sha256(api: HfApi, repo_id: str, name: str, commit: str) -> str:
    """The checksum of a file as the Hub hands it out, computed from its bytes."""
    url = hf_hub_url(repo_id, name, revision=commit, endpoint=api.endpoint)
    digest = hashlib.sha256()
    headers = build_hf_headers(token=api.token)
    with get_session().stream("GET", url, headers=headers, follow_redirects=True) as answer:
        hf_raise_for_status(answer)
        for block in answer.iter_bytes():
            digest.update(block)
    return digest.hexdigest()


def _ask(call: Callable[[], Any], sleep: Sleep) -> Any:
    """The answer to one question to the Hub, asked at most five times. Raises PublishError."""
    for wait_s in (*WAITS_S, None):
        try:
            return call()
        except (*HUB_ERRORS, RuntimeError) as error:
            # The client wraps whatever went wrong in an upload in a RuntimeError.
            cause = error.__cause__ if isinstance(error, RuntimeError) else error
            if not isinstance(cause, HUB_ERRORS):
                raise
            if wait_s is None or not _is_passing(cause):
                raise _refusal(cause) from error
            sleep(max(wait_s, _asked_wait_s(cause)))
    raise AssertionError("the last attempt returns or raises")


def _is_passing(error: Exception) -> bool:
    """Whether trying again can help."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in PASSING_STATUSES
    return isinstance(error, (HTTPError, json.JSONDecodeError))  # an error page instead of JSON


def _asked_wait_s(error: Exception) -> float:
    """Seconds that a rate limit asks to wait, 0 when it does not say."""
    if not isinstance(error, HfHubHTTPError):
        return 0.0
    seconds = error.response.headers.get("Retry-After", "")
    return min(float(seconds), LONGEST_WAIT_S) if seconds.isdecimal() else 0.0


def _refusal(error: Exception) -> PublishError:
    """What the failure means for the user."""
    if isinstance(error, HfHubHTTPError):
        status = error.response.status_code
        default = "hub_busy" if status >= 500 else "hub_refused"
        return PublishError(REFUSALS.get(status, default), status=status)
    if isinstance(error, ValueError):
        return PublishError("hub_refused", status="–")
    return PublishError("hub_unreachable")
