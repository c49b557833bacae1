"""The real page in a process of its own, and Chromium before it."""

import csv
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.hub_server import HubServer
from whisper_tuner import steps
from whisper_tuner.runs import jobs
from whisper_tuner.runs.folder import Run

REPOSITORY = Path(__file__).resolve().parents[2]
CHROMIUM = Path("/usr/bin/chromium")
PATIENCE_S = 120
SLOW_MS = 240_000  # a training or a try-out on a busy machine
expect.set_options(timeout=20_000)  # two cores, a browser and a page
TOKEN = "hf_canarycanarycanary"
HOSTILE_TEXT = '<img src=x onerror=alert(1)> buongiorno "a tutti"'


@dataclass(frozen=True)
class Served:
    """A running page."""

    url: str
    process: subprocess.Popen
    runs: Path
    log: Path
    ready_cpu_s: float  # its own CPU time up to the first answer: steady on a busy machine

    def maps(self) -> str:
        return Path(f"/proc/{self.process.pid}/maps").read_text(encoding="utf-8")

    def memory_mb(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) / 1024


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=2) as response:
            return response.status == 200
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return False


@contextmanager
def serve(folder: Path, **settings: str) -> Iterator[Served]:
    """The page in a process of its own, with a runs folder of its own."""
    port, log = free_port(), folder / "page.log"
    environment = {
        **os.environ,
        "WHISPER_TUNER_RUNS": str(folder / "runs"),
        "GRADIO_TEMP_DIR": str(folder / "gradio"),
        "GRADIO_SERVER_PORT": str(port),
        **settings,
    }
    with log.open("wb") as output:
        began_s = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=REPOSITORY,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        while not answers(url):
            assert process.poll() is None
            assert time.monotonic() - began_s < PATIENCE_S
            time.sleep(0.1)
        spent = psutil.Process(process.pid).cpu_times()
        yield Served(url, process, folder / "runs", log, spent.user + spent.system)
    finally:
        print(log.read_text())  # pytest shows it with a test that failed
        _end(process, folder / "runs")
    assert "Traceback" not in log.read_text()


def _end(process: subprocess.Popen, runs: Path) -> None:
    """The page, and what a failed test left at work."""
    for lock in runs.glob("*/worker.lock"):
        if jobs.is_alive(Run(lock.parent)):
            jobs.stop(Run(lock.parent))
    process.terminate()
    process.wait(20)


@pytest.fixture(scope="session")
def served(tmp_path_factory, hub_cache) -> Iterator[Served]:
    """The page on a machine without internet, with two small base models at hand."""
    folder = tmp_path_factory.mktemp("page")
    with serve(folder, HF_HOME=str(hub_cache), HF_HUB_OFFLINE="1") as page:
        yield page


@pytest.fixture
def hub(hub_cache) -> Iterator[HubServer]:
    """A Hub that knows one account and one base model."""
    with HubServer(users={TOKEN: "anna"}) as server:
        snapshot = next((hub_cache / "hub").glob("models--openai--whisper-tiny/snapshots/*"))
        server.add_model("openai/whisper-tiny", snapshot)
        yield server


@pytest.fixture
def online(tmp_path, hub) -> Iterator[Served]:
    """The page on a machine that reaches this Hub."""
    home = {"HF_HOME": str(tmp_path / "home"), "HF_ENDPOINT": hub.endpoint, "HF_HUB_OFFLINE": "0"}
    with serve(tmp_path, **home) as page:
        yield page


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        if os.environ.get("WHISPER_TUNER_REQUIRE_BROWSER") == "1":
            pytest.fail(f"{CHROMIUM} is missing and WHISPER_TUNER_REQUIRE_BROWSER=1")
        pytest.skip(f"{CHROMIUM} is missing: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


class Visitor:
    """One browser profile: its windows share what the page remembers, and nothing with others."""

    def __init__(self, chromium: Browser, served: Served, **settings: object) -> None:
        self.served = served
        self.context: BrowserContext = chromium.new_context(accept_downloads=True, **settings)
        self.context.set_default_timeout(20_000)
        self.errors: list[str] = []
        self.foreign: list[str] = []
        self.dialogs: list[str] = []

    def open(self):
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._note_request)
        page.on("dialog", self._note_dialog)
        page.goto(self.served.url)
        page.get_by_role("tab").first.wait_for()
        page.wait_for_function("document.documentElement.style.getPropertyValue('--tuner-drop')")
        return page

    def _note_request(self, request) -> None:
        if not request.url.startswith((self.served.url, "data:", "blob:")):
            self.foreign.append(request.url)

    def _note_dialog(self, dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def close(self) -> None:
        self.context.close()
        assert self.errors == []
        assert self.foreign == []
        assert self.dialogs == []


@pytest.fixture
def visit(chromium, served) -> Iterator:
    """A function that makes a Visitor; all are checked and closed at the end."""
    visitors: list[Visitor] = []

    def make(to: Served = served, **settings: object) -> Visitor:
        visitors.append(Visitor(chromium, to, **{"locale": "en-US", **settings}))
        return visitors[-1]

    yield make
    for visitor in visitors:
        visitor.close()


@pytest.fixture(scope="session")
def upload(tmp_path_factory) -> Path:
    """A ZIP as a user packs it: ten good clips, one of them with a hostile transcript; one broken,
    one missing, and a file that does not belong there."""
    with (steps.EXAMPLE_DIR / "metadata.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))

    def smallest(split: str, n: int) -> list[dict]:
        chosen = [row for row in rows if row["split"] == split]
        return sorted(chosen, key=lambda r: (steps.EXAMPLE_DIR / r["file_name"]).stat().st_size)[:n]

    chosen = smallest("train", 8) + smallest("test", 2)
    chosen[-1] = {**chosen[-1], "transcription": HOSTILE_TEXT}
    folder = tmp_path_factory.mktemp("upload")
    table = folder / "metadata.csv"
    with table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, ["file_name", "transcription", "split"])
        writer.writeheader()
        writer.writerows(chosen)
        broken = {"file_name": "clips/broken visit.wav", "transcription": "rotto"}
        writer.writerow({**broken, "split": "train"})
        writer.writerow({**broken, "file_name": "clips/missing.wav", "split": "train"})
    path = folder / "visits.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(table, "metadata.csv")
        for row in chosen:
            archive.write(steps.EXAMPLE_DIR / row["file_name"], row["file_name"])
        archive.writestr("clips/broken visit.wav", b"no sound " * 100)
        archive.writestr("notes.docx", b"x")
    return path


@pytest.fixture(scope="session")
def recording() -> Path:
    """Something to try the models with."""
    return steps.EXAMPLE_DIR / "clips" / "conf-muted.flac"
