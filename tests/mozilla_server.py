"""A small Mozilla Data Collective on loopback, spoken to by the real client.

The pages are those of mozilladatacollective.com/api-reference: the public catalogue, and tickets
for archives, which a storage hands out by Range and If-Range without asking for a key.

    with MozillaServer({"mdc_key": {"cy"}}) as mozilla:        # key → whose terms were accepted
        mozilla.add("cy", "Common Voice Scripted Speech 26.0 - Welsh", "cy", archive)
        monkeypatch.setenv("MDC_API_URL", mozilla.api)
        mozilla.drop_after(100_000)                            # once, then it works again
        mozilla.n_sent
"""

import hashlib
import json
import socket
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from tests.loopback import Loopback

BLOCK_BYTES = 16 << 10
GATE_BYTES = 100_000
BUFFER_BYTES = 64 << 10  # of the socket, so that little is sent that nobody reads


@dataclass
class Dataset:
    item: dict
    data: bytes
    signature: str = "s1"  # links with another one have run out

    @property
    def etag(self) -> str:
        return f'"{hashlib.md5(self.data).hexdigest()}"'


@dataclass
class Refusal:
    path: str
    status: int
    headers: dict[str, str]


class MozillaServer(Loopback):
    def __init__(self, keys: dict[str, set[str]] | None = None) -> None:
        self.keys = keys or {}
        self.datasets: dict[str, Dataset] = {}
        self.refusals: list[Refusal] = []
        self.drops: deque[int] = deque()
        self.requests: list[str] = []  # "METHOD /path Range"
        self.headers: list[dict[str, str]] = []
        self.n_sent = 0
        self.lock = threading.Lock()
        self.with_checksum = True
        self.gate = threading.Event()  # cleared, files stop behind their first 100,000 bytes
        self.gate.set()
        self.url = self.listen(type("Handler", (_Handler,), {"mozilla": self}))
        self.api = f"{self.url}/api"

    def add(self, id: str, name: str, locale: str, data: bytes = b"", **more: object) -> None:
        item = {
            "id": id,
            "slug": name.lower().replace(" ", "-"),
            "name": name,
            "locale": locale,
            "sizeBytes": str(len(data)),  # the API's own documentation shows a string
            "licenseAbbreviation": "CC0-1.0",
            "task": "ASR",
            "format": "MP3",
            "datasetUrl": f"https://mozilladatacollective.com/datasets/{id}",
            **more,
        }
        self.datasets[id] = Dataset(item, data)

    def refuse(self, path: str, status: int, times: int = 1, **headers: str) -> None:
        """Answer the next requests to paths that begin so with this status."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.refusals += [Refusal(path, status, named)] * times

    def drop_after(self, n_bytes: int) -> None:
        """Break the next file off after so many bytes."""
        self.drops.append(n_bytes)


@dataclass
class _Answer:
    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


def _json(data: object, status: int = 200) -> _Answer:
    return _Answer(status, json.dumps(data).encode(), {"Content-Type": "application/json"})


class _Handler(BaseHTTPRequestHandler):
    mozilla: MozillaServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        mozilla, parts = self.mozilla, urlsplit(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with mozilla.lock:
            asked = self.headers.get("Range", "")
            mozilla.requests.append(f"{self.command} {parts.path} {asked}".strip())
            mozilla.headers.append(dict(self.headers))
            refusal = next((r for r in mozilla.refusals if parts.path.startswith(r.path)), None)
            if refusal:
                mozilla.refusals.remove(refusal)
        if refusal:
            answer = _json({"error": "refused"}, refusal.status)
            self._send(_Answer(refusal.status, answer.body, answer.headers | refusal.headers))
        elif parts.path.startswith("/files/"):
            self._send_file(parts.path.removeprefix("/files/"), parse_qs(parts.query))
        else:
            self._send(self._answer(parts.path.removeprefix("/api"), parse_qs(parts.query)))

    def _answer(self, path: str, query: dict[str, list[str]]) -> _Answer:
        if self.command == "GET" and path == "/datasets":
            return self._page(query)
        id, _, action = path.removeprefix("/datasets/").partition("/")
        dataset = self.mozilla.datasets.get(id)
        if dataset is None:
            return _json({"error": "Dataset not found"}, 404)
        if self.command == "GET" and not action:
            return _json(dataset.item)
        if self.command == "POST" and action == "download":
            return self._ticket(id, dataset)
        return _json({"error": "no such page"}, 404)

    def _page(self, query: dict[str, list[str]]) -> _Answer:
        wanted = query.get("q", [""])[0].lower()
        limit, page = int(query.get("limit", ["24"])[0]), int(query.get("page", ["1"])[0])
        if not 1 <= limit <= 100:
            return _json({"error": "limit must be between 1 and 100"}, 400)
        items = [d.item for d in self.mozilla.datasets.values() if wanted in str(d.item).lower()]
        return _json({"items": items[(page - 1) * limit : page * limit], "total": len(items)})

    def _ticket(self, id: str, dataset: Dataset) -> _Answer:
        key = self.headers.get("Authorization", "").removeprefix("Bearer ")
        if key not in self.mozilla.keys:
            return _json({"error": "Authentication required"}, 401)
        if id not in self.mozilla.keys[key]:
            return _json({"error": "You must agree to the terms of use"}, 403)
        url = f"{self.mozilla.url}/files/{id}?signature={dataset.signature}"
        ticket = {"downloadUrl": url, "sizeBytes": str(len(dataset.data))}
        if self.mozilla.with_checksum:
            ticket["checksum"] = "sha256:" + hashlib.sha256(dataset.data).hexdigest()
        return _json(ticket)

    def _send_file(self, id: str, query: dict[str, list[str]]) -> None:
        dataset = self.mozilla.datasets[id]
        if query.get("signature") != [dataset.signature]:
            self._send(_Answer(403, b"<Error>Request has expired</Error>"))
            return
        data, begin = dataset.data, 0
        asked, condition = self.headers.get("Range"), self.headers.get("If-Range")
        headers = {"ETag": dataset.etag, "Accept-Ranges": "bytes"}
        if asked and condition in (None, dataset.etag):
            begin = int(asked.removeprefix("bytes=").removesuffix("-"))
            if begin >= len(data):
                self._send(_Answer(416, b"", {"Content-Range": f"bytes */{len(data)}"}))
                return
            headers["Content-Range"] = f"bytes {begin}-{len(data) - 1}/{len(data)}"
        self._send(_Answer(206 if "Content-Range" in headers else 200, data[begin:], headers), True)

    def _send(self, answer: _Answer, is_file: bool = False) -> None:
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        with self.mozilla.lock:
            drops = is_file and self.mozilla.drops
            end = self.mozilla.drops.popleft() if drops else len(answer.body)
        try:
            for at in range(0, min(end, len(answer.body)), BLOCK_BYTES):
                if is_file and at > GATE_BYTES:
                    self.mozilla.gate.wait(60)
                block = answer.body[at : min(at + BLOCK_BYTES, end)]
                self.wfile.write(block)
                if is_file:
                    self.mozilla.n_sent += len(block)
            if end < len(answer.body):
                self.close_connection = True
                self.connection.shutdown(socket.SHUT_RDWR)
        except OSError:  # whoever asked has hung up
            self.close_connection = True
