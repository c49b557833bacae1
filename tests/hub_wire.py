"""What the small Hub of `hub_server.py` holds, and what requests and replies are made of."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

LFS_SUFFIXES = (".safetensors", ".bin", ".zip", ".pt", ".pth", ".parquet")
DATASET_PREFIX = "datasets:"  # of the ids of datasets among the repositories
BLOCK_BYTES = 1 << 20

Content = bytes | Path


@dataclass
class Repo:
    """All commits, oldest first, each with the files that were there then."""

    private: bool
    commits: list[tuple[str, dict[str, Content]]] = field(default_factory=list)

    @property
    def files(self) -> dict[str, Content]:
        return self.commits[-1][1]

    def at(self, revision: str) -> tuple[str, dict[str, Content]] | None:
        if revision in ("main", "HEAD"):
            return self.commits[-1]
        return next((commit for commit in self.commits if commit[0] == revision), None)

    def commit(self, files: dict[str, Content]) -> str:
        seed = f"{len(self.commits)}{sorted(files)}{id(self)}"
        oid = hashlib.sha1(seed.encode()).hexdigest()
        self.commits.append((oid, files))
        return oid


@dataclass(frozen=True)
class Reply:
    status: int = 200
    body: Content = b""
    headers: dict[str, str] = field(default_factory=dict)


def as_json(data: object, status: int = 200, **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = json.dumps(data).encode()
    return Reply(status, body, {"Content-Type": "application/json", **named})


def refused(status: int, message: str, code: str = "") -> Reply:
    reply = as_json({"error": message}, status, X_Error_Message=message)
    return Reply(status, reply.body, {**reply.headers, **({"X-Error-Code": code} if code else {})})


@dataclass(frozen=True)
class Request:
    user: str | None
    body: bytes
    endpoint: str
    range: str = ""  # "bytes=0-9"

    def json(self) -> dict:
        return json.loads(self.body)


def blocks(content: Content) -> Iterator[bytes]:
    if isinstance(content, bytes):
        yield content
        return
    with content.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            yield block


def size_of(content: Content) -> int:
    return len(content) if isinstance(content, bytes) else content.stat().st_size


def is_lfs(name: str) -> bool:
    return name.endswith(LFS_SUFFIXES)


def oid_of(name: str, content: Content) -> str:
    """sha256 of a large file, git's blob id of any other."""
    large = is_lfs(name)
    digest = hashlib.sha256() if large else hashlib.sha1(f"blob {size_of(content)}\0".encode())
    for block in blocks(content):
        digest.update(block)
    return digest.hexdigest()


@dataclass
class HubState:
    """Everything this Hub knows: who has which token, the repositories, the large files."""

    users: dict[str, str] = field(default_factory=dict)  # token → name
    repos: dict[str, Repo] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)  # sha256 → bytes
    spaces: dict[str, dict] = field(default_factory=dict)  # id → what its runtime page says
    moved: dict[str, str] = field(default_factory=dict)  # old id → new id of a repository
    corrupt: bool = False  # large files are handed out with one byte changed
    lock: threading.Lock = field(default_factory=threading.Lock)

    def find(self, request: Request, repo_id: str) -> Repo | None:
        """The repository, if this request may see it."""
        repo = self.repos.get(repo_id)
        owner = repo_id.removeprefix(DATASET_PREFIX).split("/")[0]
        is_own = request.user is not None and owner == request.user
        return repo if repo and (is_own or not repo.private) else None
