"""The adapter to the user's own Hugging Face account: created, uploaded, read back, compared.

Every step may be repeated: a lost answer, a second press or a later training find the repository
of the first attempt and go on with it. A repository that is not ours is never written to.

The token is held in memory for one push. It is in no file, no message and no error of ours.
"""

import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from huggingface_hub import HfApi, get_token

from whisper_tuner.errors import PublishError
from whisper_tuner.publish.package import package_files
from whisper_tuner.publish.repository import (
    Ask,
    Sleep,
    ask_patiently,
    claim,
    commit,
    opened,
    read,
)
from whisper_tuner.runs.folder import Run

REPO_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}")
MESSAGE = "Upload adapter with Whisper Tuner"


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
    ask = partial(ask_patiently, sleep=sleep)
    repo_id = f"{ask(api.whoami)['name']}/{repo_name}"
    files = package_files(run, repo_id)
    is_private = claim(api, ask, repo_id, private)
    oid = ask(lambda: commit(api, repo_id, files, MESSAGE))
    verify(api, ask, repo_id, files, oid)
    return PushResult(repo_id, f"{api.endpoint}/{repo_id}", tuple(files), is_private)


def verify(
    api: HfApi,
    ask: Ask,
    repo_id: str,
    files: Mapping[str, Path | bytes],
    revision: str,
    kind: str = "model",
) -> None:
    """Read every file back. Raises PublishError when one is not byte for byte what was sent."""
    for name, content in files.items():
        told = ask(partial(_remote_sha256, api, repo_id, name, revision, kind))
        if told != _sha256(content):
            raise PublishError("hub_not_verified", repo=repo_id, file=name)


def _sha256(content: Path | bytes) -> str:
    with opened(content) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _remote_sha256(api: HfApi, repo_id: str, name: str, revision: str, kind: str) -> str:
    """The checksum of a file as the Hub hands it out, computed from its bytes."""
    digest = hashlib.sha256()
    for block in read(api, repo_id, name, revision, kind):
        digest.update(block)
    return digest.hexdigest()
