"""The page as a process of its own, and Start pressed on it.

python -m benchmarks.chaos_parts.page: `app.py`, but its workers are `benchmarks.eager_worker`.
"""

import json
import os
import runpy
import secrets
import socket
import subprocess
import sys
import urllib.request
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.chaos_parts.kit import wait_until
from benchmarks.turns import REPOSITORY
from whisper_tuner.config import TrainConfig
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run
from whisper_tuner.ui.train_form import to_values

EAGER_WORKER = "benchmarks.eager_worker"
ANSWER_WITHIN_S = 60


class PageProcess:
    """The page on a free port, in a session of its own; killed at the end of its block, and with it
    all that it started and that is no run's worker. `eager`: checkpoints every second step.
    `repository`: the checkout whose page it is. `settings`: of its environment, besides ours.
    """

    def __init__(
        self, eager: bool = False, repository: Path = REPOSITORY, settings: dict | None = None
    ) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        environment = {**os.environ, "GRADIO_SERVER_PORT": str(self.port)}
        environment |= settings or {}
        self._process = subprocess.Popen(
            [sys.executable, *(["-m", __name__] if eager else ["app.py"])],
            env=environment,
            cwd=repository,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        wait_until(self._answers, "the page")

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, run: Run, config: TrainConfig) -> None:
        """What the browser sends when Start is pressed, over HTTP; returns when it is answered.

        Raises RuntimeError with the page's notice when it refuses.
        """
        settings = json.load(self._open("config"))
        names = {c["id"]: c["props"].get("elem_id") for c in settings["components"]}
        (event,) = (
            event
            for event in settings["dependencies"]
            if any(names.get(i) == "start" and kind == "click" for i, kind in event["targets"])
            and event["backend_fn"]
        )
        session = secrets.token_hex(8)
        values = ["en", run.id, "", False, *to_values(config)]
        asked = {"data": values, "fn_index": event["id"], "session_hash": session}
        self._open("gradio_api/queue/join", asked).close()
        with self._open(f"gradio_api/queue/data?session_hash={session}") as stream:
            for line in stream:
                told = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if told.get("msg") == "process_completed":
                    notice = told["output"].get("data", [told["output"]])[0]
                    if not told["success"] or notice:
                        raise RuntimeError(f"the page refused to start: {notice}")
                    return
        raise RuntimeError("the page said nothing to Start")

    def kill(self) -> None:
        """SIGKILL for the page, for its session and for all that descends from it, but for the
        sessions of the runs' workers: those are meant to live on.
        """
        spared = {pid for pid in psutil.pids() if _is_a_workers(pid)}
        page = psutil.Process(self.pid)
        doomed = {page.pid, *(child.pid for child in page.children(recursive=True))}
        doomed |= {pid for pid in psutil.pids() if _session(pid) == page.pid}
        for pid in [page.pid, *(doomed - {page.pid} - spared)]:
            with suppress(psutil.NoSuchProcess):
                psutil.Process(pid).kill()
        self._process.wait()

    def _open(self, path: str, data: dict | None = None) -> object:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/{path}",
            data=json.dumps(data).encode() if data else None,
            headers={"Content-Type": "application/json"},
        )
        return urllib.request.urlopen(request, timeout=ANSWER_WITHIN_S)

    def _answers(self) -> bool:
        with suppress(OSError):
            return self._open("").status == 200
        return False

    def __enter__(self) -> "PageProcess":
        return self

    def __exit__(self, *_: object) -> None:
        if self._process.poll() is None:
            self.kill()


def _session(pid: int) -> int:
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return 0


def _is_a_workers(pid: int) -> bool:
    """Whether it is in the session that a worker leads: one that is no worker's is not spared."""
    with suppress(psutil.Error):
        return EAGER_WORKER in psutil.Process(_session(pid)).cmdline()
    return False


if __name__ == "__main__":
    jobs.WORKER = EAGER_WORKER
    runpy.run_path(str(REPOSITORY / "app.py"), run_name="__main__")
