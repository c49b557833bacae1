"""A small Hugging Face Hub on loopback, spoken to by the real huggingface_hub client.

It speaks the part of the wire protocol that huggingface_hub 2.4 uses to name a token's owner, to
create, fill and read model repositories (uploads over HTTP; set HF_HUB_DISABLE_XET=1), to
download models, to read datasets in ranges, and to ask how a Space runs. Repositories live in
memory with all their commits.

    with HubServer(users={"hf_token": "anna"}) as hub:
        hub.add_model("openai/whisper-tiny", folder)      # then HF_ENDPOINT=hub.endpoint
        hub.fail("POST /api/repos/create", status=500, times=2)
        hub.repos["anna/my-adapter"].files["README.md"]
"""

import socket
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import urlsplit

from tests.hub_datasets import HubDatasets
from tests.hub_wire import Reply, Repo, Request, blocks, size_of
from tests.loopback import Loopback


@dataclass
class Fault:
    """What goes wrong: `status` is answered, or without one the connection is dropped.

    `after` lets the request take effect first: only its answer is lost.
    """

    request: str  # the beginning of "METHOD /path"
    status: int | None
    times: int
    after: bool
    headers: dict[str, str]


class HubServer(Loopback, HubDatasets):
    """The Hub on a port of its own."""

    def __init__(self, users: dict[str, str] | None = None) -> None:
        super().__init__(users or {})
        self.faults: list[Fault] = []
        self.requests: list[str] = []  # "METHOD /path", in order
        self.endpoint = self.listen(type("Handler", (_Handler,), {"hub": self}))

    def add_model(self, repo_id: str, folder: Path) -> None:
        """Serve the files of a folder as a public model, read when they are asked for."""
        repo = Repo(private=False)
        repo.commit({path.name: path for path in folder.iterdir() if path.is_file()})
        self.repos[repo_id] = repo

    def fail(
        self,
        request: str,
        status: int | None = None,
        times: int = 1,
        after: bool = False,
        **headers: str,
    ) -> None:
        """Let the next `times` requests that begin like this fail; without status, drop them.

        Keywords become headers of the answer: `Retry_After="7"`.
        """
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self.faults.append(Fault(request, status, times, after, named))

    def take_fault(self, request: str) -> Fault | None:
        with self.lock:
            self.requests.append(request)
            for fault in self.faults:
                if fault.times and request.startswith(fault.request):
                    fault.times -= 1
                    return fault
        return None


class _Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else every answer waits 40 ms for the client's ACK

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _body(self) -> bytes:
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            chunks = []
            while size := int(self.rfile.readline(), 16):
                chunks.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(chunks)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _serve(self) -> None:
        path = urlsplit(self.path).path
        token = self.headers.get("Authorization", "").removeprefix("Bearer ")
        asked = self.headers.get("Range", "")
        request = Request(self.hub.users.get(token), self._body(), self.hub.endpoint, asked)
        fault = self.hub.take_fault(f"{self.command} {path}")
        if fault is None or fault.after:
            reply = self.hub.answer(self.command, path, request)
        if fault and fault.status is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
        elif fault:
            self._send(Reply(fault.status or 500, b"<html>out of order</html>", fault.headers))
        else:
            self._send(reply)

    def _send(self, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size_of(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            for block in blocks(reply.body):
                self.wfile.write(block)

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815 - names that http.server looks up
