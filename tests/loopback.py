"""A small HTTP server on a free port of loopback, in a thread, until its `with` block ends."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Loopback:
    """What the small Hub and the small Mozilla Data Collective have in common."""

    def listen(self, handler: type[BaseHTTPRequestHandler]) -> str:
        """Take a port, and answer there from the beginning of the block on; the address."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
