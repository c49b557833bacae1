"""The page as a process of its own."""

import os
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress

from benchmarks.chaos_parts.kit import wait_until
from benchmarks.turns import REPOSITORY


class PageProcess:
    """`python app.py` on a free port, killed at the end of its block."""

    def __init__(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        environment = {**os.environ, "GRADIO_SERVER_PORT": str(self.port)}
        self._process = subprocess.Popen(
            [sys.executable, "app.py"],
            env=environment,
            cwd=REPOSITORY,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(self._answers, "the page")

    def _answers(self) -> bool:
        with suppress(OSError):
            return urllib.request.urlopen(f"http://127.0.0.1:{self.port}", timeout=5).status == 200
        return False

    def __enter__(self) -> "PageProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
