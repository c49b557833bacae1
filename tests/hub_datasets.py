"""The part of the small Hub that holds datasets: listed by commit or branch, read by Range."""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote

from tests import hub_pages
from tests.hub_wire import DATASET_PREFIX, HubState, Reply, Request, as_json, refused

CONVERTED = "refs/convert/parquet"


@dataclass
class DatasetRepo:
    """Files by branch. `gated`: whose account has accepted the conditions."""

    branches: dict[str, dict[str, bytes]]
    card: dict = field(default_factory=dict)
    private: bool = False
    gated: set[str] | None = None

    def at(self, revision: str) -> tuple[str, dict[str, bytes]] | None:
        for branch, files in self.branches.items():
            commit = hashlib.sha1(branch.encode()).hexdigest()
            if revision in (branch, commit):
                return commit, files
        return None


@dataclass
class HubDatasets(HubState):
    """`n_sent`: bytes of files that were handed out."""

    datasets: dict[str, DatasetRepo] = field(default_factory=dict)
    n_sent: int = 0

    def add_dataset(
        self, repo_id: str, files: dict[str, bytes], converted: dict[str, bytes] | None = None
    ) -> DatasetRepo:
        branches = {"main": files} | ({CONVERTED: converted} if converted else {})
        self.datasets[repo_id] = DatasetRepo(branches)
        return self.datasets[repo_id]

    def answer(self, method: str, path: str, request: Request) -> Reply:
        for wanted, pattern, respond in ROUTES:
            match = re.fullmatch(pattern, path)
            if match and method in wanted and f"{DATASET_PREFIX}{match[1]}" not in self.repos:
                with self.lock:
                    return self._answer(respond, request, *map(unquote, match.groups()))
        return hub_pages.answer(self, method, path, request)

    def _answer(
        self,
        respond: Callable[..., Reply],
        request: Request,
        repo_id: str,
        revision: str = "main",
        *rest: str,
    ) -> Reply:
        repo = self.datasets.get(repo_id)
        is_own = request.user is not None and repo_id.startswith(f"{request.user}/")
        if repo is None or (repo.private and not is_own):
            return refused(404 if request.user else 401, "Repository not found", "RepoNotFound")
        found = repo.at(revision)
        if found is None:
            return refused(404, f"Invalid rev id: {revision}", "RevisionNotFound")
        if respond is resolve and repo.gated is not None and request.user not in repo.gated:
            return refused(403, "Access to this dataset is restricted", "GatedRepo")
        return respond(self, request, repo_id, repo, *found, *rest)


def info(
    hub: HubDatasets, request: Request, repo_id: str, repo: DatasetRepo, commit: str, files: dict
) -> Reply:
    siblings = [{"rfilename": name} for name in files]
    told = {"id": repo_id, "sha": commit, "private": repo.private, "cardData": repo.card}
    return as_json(
        {**told, "gated": "auto" if repo.gated is not None else False} | {"siblings": siblings}
    )


def tree(
    hub: HubDatasets,
    request: Request,
    repo_id: str,
    repo: DatasetRepo,
    commit: str,
    files: dict,
    folder: str = "",
) -> Reply:
    """One folder: its files and, as directories, its folders."""
    entries = {}
    for name, data in files.items():
        if name.startswith(f"{folder}/" if folder else ""):
            rest = name.removeprefix(folder).lstrip("/")
            path = f"{folder}/{rest.split('/')[0]}".lstrip("/")
            oid = hashlib.sha1(data).hexdigest()
            file = {"type": "file", "path": path, "size": len(data), "oid": oid}
            entries[path] = file if path == name else {**file, "type": "directory", "size": 0}
    return as_json(list(entries.values()))


def resolve(
    hub: HubDatasets,
    request: Request,
    repo_id: str,
    repo: DatasetRepo,
    commit: str,
    files: dict,
    name: str,
) -> Reply:
    if name not in files:
        return Reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": commit})
    data = files[name]
    match = re.fullmatch(r"bytes=(\d+)-(\d+)", request.range)
    if match is None:
        hub.n_sent += len(data)
        return Reply(200, data, {"X-Repo-Commit": commit})
    begin, end = int(match[1]), min(int(match[2]) + 1, len(data))
    hub.n_sent += end - begin
    return Reply(206, data[begin:end], {"Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"})


DATASET = r"/api/datasets/([^/]+/[^/]+)"
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., Reply]]] = [
    (("GET", "HEAD"), DATASET, info),
    (("GET", "HEAD"), DATASET + r"/revision/([^/]+)", info),
    (("GET",), DATASET + r"/tree/([^/]+)", tree),
    (("GET",), DATASET + r"/tree/([^/]+)/(.+)", tree),
    (("GET",), r"/datasets/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", resolve),
]
