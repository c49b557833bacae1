"""What the small Hub of `hub_server.py` answers: one function for each page of the protocol.

The pages are those that huggingface_hub 2.4 asks for, with the status codes and the `X-Error-Code`
headers of the real Hub, by which the client tells its errors apart.
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable
from urllib.parse import parse_qs, unquote

import yaml

from tests.hub_wire import (
    DATASET_PREFIX,
    Content,
    HubState,
    Reply,
    Repo,
    Request,
    as_json,
    blocks,
    is_lfs,
    oid_of,
    refused,
    size_of,
)

DATASET_PAGE = re.compile(r"(/api)?/datasets/([^/]+/.+)")


def answer(hub: HubState, method: str, path: str, request: Request) -> Reply:
    """A dataset's pages are those of a model whose owner has a prefix."""
    if page := DATASET_PAGE.fullmatch(path):
        path = f"{'/api/models' if page[1] else ''}/{DATASET_PREFIX}{page[2]}"
    for wanted, pattern, respond in ROUTES:
        match = re.fullmatch(pattern, path)
        if match and method in wanted:
            with hub.lock:
                return respond(hub, request, *(unquote(part) for part in match.groups()))
    return refused(404, "no such page")


def whoami(hub: HubState, request: Request) -> Reply:
    if request.user is None:
        return refused(401, "Invalid credentials in Authorization header")
    return as_json({"type": "user", "name": request.user, "orgs": [], "auth": {"type": "oauth"}})


def create(hub: HubState, request: Request) -> Reply:
    data = request.json()
    if request.user is None:
        return refused(401, "Invalid credentials in Authorization header")
    owner = data.get("organization") or request.user
    repo_id = f"{owner}/{data['name']}"
    held_as = repo_id if data.get("type") != "dataset" else f"{DATASET_PREFIX}{repo_id}"
    if owner != request.user:
        return refused(403, "You don't have the rights to create a model under this namespace")
    if held_as in hub.repos:
        return refused(409, "You already created this model repo")
    repo = Repo(private=data.get("visibility") == "private")
    repo.commit({".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"})
    hub.repos[held_as] = repo
    return as_json({"url": f"{request.endpoint}/{repo_id}", "name": repo_id})


def validate_yaml(hub: HubState, request: Request) -> Reply:
    header = request.json()["content"].split("---\n")
    data = yaml.safe_load(header[1]) if len(header) > 2 else None
    if not isinstance(data, dict) or not isinstance(data.get("language", ""), str):
        return as_json({"errors": [{"message": "invalid metadata"}], "warnings": []}, 400)
    return as_json({"errors": [], "warnings": []})


def info(hub: HubState, request: Request, repo_id: str, revision: str = "main") -> Reply:
    repo = hub.find(request, repo_id)
    if repo is None:
        return refused(404, "Repository not found", "RepoNotFound")
    found = repo.at(revision)
    if found is None:
        return refused(404, "Invalid rev id", "RevisionNotFound")
    siblings = [{"rfilename": name, **_blob(name, content)} for name, content in found[1].items()]
    repo_id = hub.moved.get(repo_id, repo_id).removeprefix(DATASET_PREFIX)
    return as_json({"id": repo_id, "sha": found[0], "private": repo.private, "siblings": siblings})


def runtime(hub: HubState, request: Request, space_id: str) -> Reply:
    found = hub.spaces.get(space_id)
    is_private = isinstance(found, dict) and found.get("private", False)
    if found is None or (is_private and request.user is None):
        return refused(401, "Invalid username or password.")
    return as_json(found)


def preupload(hub: HubState, request: Request, repo_id: str, revision: str) -> Reply:
    repo = hub.find(request, repo_id)
    if repo is None:
        return refused(404, "Repository not found", "RepoNotFound")
    files = []
    for file in request.json()["files"]:
        name = file["path"]
        there = repo.files.get(name)
        mode = {"path": name, "uploadMode": "lfs" if is_lfs(name) else "regular"}
        oid = None if there is None else oid_of(name, there)
        files.append({**mode, "shouldIgnore": False, "oid": oid})
    return as_json({"files": files})


def lfs_batch(hub: HubState, request: Request, repo_id: str) -> Reply:
    objects = []
    for wanted in request.json()["objects"]:
        upload = {"href": f"{request.endpoint}/lfs/{wanted['oid']}"}
        actions = {} if wanted["oid"] in hub.blobs else {"actions": {"upload": upload}}
        objects.append({**wanted, **actions})
    return as_json({"transfer": "basic", "objects": objects})


def lfs_put(hub: HubState, request: Request, oid: str) -> Reply:
    if hashlib.sha256(request.body).hexdigest() != oid:
        return refused(400, "the bytes are not those announced")
    hub.blobs[oid] = request.body
    return Reply()


def commit(hub: HubState, request: Request, repo_id: str, revision: str) -> Reply:
    repo = hub.find(request, repo_id)
    if repo is None or request.user is None:
        return refused(404, "Repository not found", "RepoNotFound")
    files = dict(repo.files)
    for line in request.body.splitlines():
        entry = json.loads(line)
        value = entry["value"]
        if entry["key"] == "file":
            files[value["path"]] = base64.b64decode(value["content"])
        elif entry["key"] == "lfsFile":
            if value["oid"] not in hub.blobs:
                return refused(400, "a large file was not uploaded")
            files[value["path"]] = hub.blobs[value["oid"]]
        elif entry["key"] == "deletedFile" and files.pop(value["path"], None) is None:
            return refused(400, f"{value['path']} does not exist")
    oid = repo.commit(files)
    url = f"{request.endpoint}/{repo_id.replace(DATASET_PREFIX, 'datasets/')}/commit/{oid}"
    return as_json({"commitUrl": url, "commitOid": oid, "success": True})


def _blob(name: str, content: Content) -> dict:
    oid, size = oid_of(name, content), size_of(content)
    lfs = {"lfs": {"sha256": oid, "size": size, "pointerSize": 134}} if is_lfs(name) else {}
    return {"size": size, "blobId": oid, **lfs}


def _entry(name: str, content: Content) -> dict:
    oid, size = oid_of(name, content), size_of(content)
    lfs = {"lfs": {"oid": oid, "size": size, "pointerSize": 134}} if is_lfs(name) else {}
    return {"type": "file", "path": name, "size": size, "oid": oid, **lfs}


def tree(hub: HubState, request: Request, repo_id: str, revision: str, path: str = "") -> Reply:
    repo = hub.find(request, repo_id)
    found = repo.at(revision) if repo else None
    if found is None:
        return refused(404, "Repository not found", "RepoNotFound")
    if path:  # repositories here are flat
        return refused(404, f"{path} does not exist", "EntryNotFound")
    return as_json([_entry(name, content) for name, content in found[1].items()])


def paths_info(hub: HubState, request: Request, repo_id: str, revision: str) -> Reply:
    repo = hub.find(request, repo_id)
    found = repo.at(revision) if repo else None
    if found is None:
        return refused(404, "Repository not found", "RepoNotFound")
    names = parse_qs(request.body.decode()).get("paths", [])
    return as_json([_entry(name, found[1][name]) for name in names if name in found[1]])


def resolve(hub: HubState, request: Request, repo_id: str, revision: str, name: str) -> Reply:
    repo = hub.find(request, repo_id)
    if repo is None:
        return refused(404 if request.user else 401, "Repository not found", "RepoNotFound")
    found = repo.at(revision)
    if found is None:
        return refused(404, "Invalid rev id", "RevisionNotFound")
    oid, files = found
    if name not in files:
        return Reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": oid})
    content = files[name]
    headers = {"ETag": f'"{oid_of(name, content)}"', "X-Repo-Commit": oid}
    if hub.corrupt and is_lfs(name):
        held = b"".join(blocks(content))
        content = held[:-1] + bytes([held[-1] ^ 1])
    return Reply(200, content, headers)


MODEL = r"/api/models/([^/]+/[^/]+)"
ROUTES: list[tuple[tuple[str, ...], str, Callable[..., Reply]]] = [
    (("GET",), r"/api/whoami-v2", whoami),
    (("POST",), r"/api/repos/create", create),
    (("POST",), r"/api/validate-yaml", validate_yaml),
    (("GET", "HEAD"), MODEL, info),
    (("GET", "HEAD"), MODEL + r"/revision/([^/]+)", info),
    (("GET",), r"/api/spaces/([^/]+/[^/]+)/runtime", runtime),
    (("POST",), MODEL + r"/preupload/([^/]+)", preupload),
    (("POST",), r"/([^/]+/[^/]+)\.git/info/lfs/objects/batch", lfs_batch),
    (("PUT",), r"/lfs/([0-9a-f]{64})", lfs_put),
    (("POST",), MODEL + r"/commit/([^/]+)", commit),
    (("GET",), MODEL + r"/tree/([^/]+)", tree),
    (("GET",), MODEL + r"/tree/([^/]+)/(.+)", tree),
    (("POST",), MODEL + r"/paths-info/([^/]+)", paths_info),
    (("GET", "HEAD"), r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", resolve),
]
