"""Repositories of the user's own account: asked for with patience, claimed, filled and read.

A repository that is not ours is never written to. No token is in any file, message or error.
"""

import hashlib
import io
import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
    get_session,
    hf_hub_url,
)
from huggingface_hub.errors import HfHubHTTPError, HTTPError, OfflineModeIsEnabled
from huggingface_hub.utils import build_hf_headers, hf_raise_for_status

from whisper_tuner.errors import PublishError
from whisper_tuner.publish.package import MARKER_NAME

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
GIT_ONLY_FILES = {".gitattributes"}  # what the Hub itself puts into a new repository
READ_TIMEOUT_S = 60.0  # without one byte

Sleep = Callable[[float], None]
Ask = Callable[[Callable[[], Any]], Any]


def claim(api: HfApi, ask: Ask, repo_id: str, private: bool, kind: str = "model") -> bool:
    """Create the repository, or make sure that an existing one may be written to.

    Ours are: a repository with our marker in it, and one with nothing in it, which an attempt that
    was cut off leaves behind. `kind`: "model" or "dataset". Returns whether it is private.
    """
    try:
        ask(lambda: api.create_repo(repo_id, repo_type=kind, private=private, exist_ok=False))
        return private
    except PublishError as error:
        if error.code != "hub_repo_taken":
            raise
    try:
        info = ask(lambda: api.repo_info(repo_id, repo_type=kind))
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


def commit(
    api: HfApi,
    repo_id: str,
    files: dict[str, Path | bytes],
    message: str,
    removed: Iterable[str] = (),
    kind: str = "model",
) -> str:
    """One commit with all files, without the `removed` ones; its id. The last commit's when the
    Hub has it all like this already."""
    with ExitStack() as stack:
        # Open files, not paths: the client then uploads over HTTPS, where it reports what fails.
        # Its Xet transfer, used for paths, waits for an unreachable server without end.
        added = [CommitOperationAdd(n, stack.enter_context(opened(c))) for n, c in files.items()]
        different = list({_content(files[add.path_in_repo]): add for add in added}.values())
        if len(different) < len(added):
            # Files of the same bytes, such as an adapter and its last checkpoint: the client would
            # read one of them for both uploads at the same time, and send less than it announced.
            api.preupload_lfs_files(repo_id, different, repo_type=kind)
        operations = [*added, *(CommitOperationDelete(name) for name in removed)]
        made = api.create_commit(repo_id, operations, commit_message=message, repo_type=kind)
        return made.oid


def _content(content: Path | bytes) -> str:
    with opened(content) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def opened(content: Path | bytes) -> BinaryIO:
    return io.BytesIO(content) if isinstance(content, bytes) else content.open("rb")


def read(
    api: HfApi, repo_id: str, name: str, revision: str, kind: str = "model"
) -> Iterator[bytes]:
    """The bytes of one file as the Hub hands them out, block by block."""
    url = hf_hub_url(repo_id, name, repo_type=kind, revision=revision, endpoint=api.endpoint)
    asked = {"headers": build_hf_headers(token=api.token), "timeout": READ_TIMEOUT_S}
    with get_session().stream("GET", url, follow_redirects=True, **asked) as answer:
        hf_raise_for_status(answer)
        yield from answer.iter_bytes()


def ask_patiently(call: Callable[[], Any], sleep: Sleep) -> Any:
    """The answer to one question to the Hub, asked at most five times. Raises PublishError."""
    for wait_s in (*WAITS_S, None):
        try:
            return call()
        except (*HUB_ERRORS, RuntimeError) as error:
            cause = _cause(error)
            if wait_s is None or not _is_passing(cause):
                if isinstance(cause, HUB_ERRORS):
                    raise _refusal(cause) from error
                raise
            sleep(max(wait_s, _asked_wait_s(cause)))
    raise AssertionError("the last attempt returns or raises")


def _cause(error: Exception) -> Exception:
    """What went wrong: the client wraps that of an upload in a RuntimeError."""
    return error.__cause__ if isinstance(error, RuntimeError) and error.__cause__ else error


def _is_passing(error: Exception) -> bool:
    """Whether trying again can help."""
    if isinstance(error, HfHubHTTPError):
        return error.response.status_code in PASSING_STATUSES
    # JSON: an error page instead. The other two: all threads share the client's connections, and
    # one whose server is out of reach closes them while the others use them.
    return isinstance(error, (HTTPError, json.JSONDecodeError, RuntimeError, AttributeError))


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
