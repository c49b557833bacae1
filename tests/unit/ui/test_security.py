"""The guard before a real Gradio page, and before a stream."""

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.routing import Route

from whisper_tuner.ui.security import OriginGuard

REPO_DIR = Path(__file__).resolve().parents[3]
SPACE = "anna-tuner.hf.space"
FOREIGN = [
    "https://evil.example",
    "https://evil.hf.space",
    f"https://{SPACE}.evil.example",
    f"https://x{SPACE}",
    f"http://{SPACE}",
    f"https://{SPACE}:8443",
    "https://huggingface.co",
    "http://localhost:7860",
    "null",
    "",
    "file://",
]


# In a process of its own: Gradio leaves event loops open, which pytest reports.
PAGE = """
import sys
import gradio as gr
from whisper_tuner.ui.security import middleware
with gr.Blocks() as page:
    box = gr.Textbox()
    box.submit(lambda text: text.upper(), box, box, api_name="shout")
guarded = {"middleware": middleware()}
url = page.launch(prevent_thread_lock=True, quiet=True, ssr_mode=False, app_kwargs=guarded)[1]
print(url, flush=True)
sys.stdin.read()
"""


@contextmanager
def gradio_page(space_host: str) -> Iterator[httpx.Client]:
    """A launched Gradio page behind the guard, as a Space or as a computer has it."""
    env = {**os.environ, "SPACE_HOST": space_host, "GRADIO_ANALYTICS_ENABLED": "False"}
    command = [sys.executable, "-c", PAGE]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=env, cwd=REPO_DIR, text=True, **pipes) as process:
        url = process.stdout.readline().strip()
        with httpx.Client(base_url=url) as client:
            yield client
        process.stdin.close()


@pytest.fixture(scope="module")
def on_a_space() -> Iterator[httpx.Client]:
    with gradio_page(f"{SPACE}, tuner.example.org") as client:
        yield client


@pytest.fixture(scope="module")
def on_a_computer() -> Iterator[httpx.Client]:
    with gradio_page("") as client:
        yield client


def press(page: httpx.Client, *origins: str, host: str = SPACE) -> int:
    """The answer to pressing the button from a page of this origin, at this Host."""
    headers = [("Host", host), *(("Origin", origin) for origin in origins)]
    return page.post("/gradio_api/call/shout", json={"data": ["a"]}, headers=headers).status_code


@pytest.mark.parametrize("origin", FOREIGN)
def test_other_sites_cannot_press_a_button(on_a_space: httpx.Client, origin: str) -> None:
    assert press(on_a_space, origin) == 403


def test_the_spaces_own_names_and_programs_can(on_a_space: httpx.Client) -> None:
    assert press(on_a_space, f"https://{SPACE}") == 200
    assert press(on_a_space, "https://Tuner.example.org") == 200
    assert press(on_a_space) == 200


def test_two_origins_are_none(on_a_space: httpx.Client) -> None:
    assert press(on_a_space, f"https://{SPACE}", "https://evil.example") == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "PROPFIND"])
def test_every_changing_method_is_guarded(on_a_space: httpx.Client, method: str) -> None:
    headers = {"Origin": "https://evil.example"}
    assert on_a_space.request(method, "/gradio_api/upload", headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("host", "origin", "status"),
    [
        ("127.0.0.1:7860", "http://127.0.0.1:7860", 200),
        ("127.0.0.1:7860", "http://localhost:7860", 200),
        ("[::1]:7860", "http://[::1]:7860", 200),
        ("lab.example.org", "https://lab.example.org", 200),
        ("127.0.0.1:7860", "http://localhost:3000", 403),
        ("127.0.0.1:7860", "http://evil.example:7860", 403),
        ("lab.example.org:7860", "http://localhost:7860", 403),
        ("127.0.0.1:7860", "null", 403),
        ("127.0.0.1:7860", "http://localhost:port", 403),
    ],
)
def test_on_a_computer_the_page_has_the_host_it_was_asked_at(
    on_a_computer: httpx.Client, host: str, origin: str, status: int
) -> None:
    assert press(on_a_computer, origin, host=host) == status


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/deep_link?session_hash=x",
        "/gradio_api/runs",
        "/gradio_api/runs/",
        "/monitoring",
        "/monitoring/summary",
        "/gradio_api/monitoring",
    ],
)
def test_gradios_leaking_pages_are_closed(on_a_space: httpx.Client, path: str) -> None:
    assert on_a_space.get(path).status_code == 403


def test_the_page_itself_is_open_and_carries_the_headers(on_a_space: httpx.Client) -> None:
    answer = on_a_space.get("/", headers={"Origin": "https://huggingface.co"})
    assert answer.status_code == 200
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    policy = answer.headers["content-security-policy"]
    assert policy == "frame-ancestors 'self' https://huggingface.co https://*.hf.space"


def test_refusals_carry_the_headers_too(on_a_space: httpx.Client) -> None:
    assert on_a_space.get("/monitoring").headers["x-content-type-options"] == "nosniff"


def test_off_a_space_any_page_may_frame_it(on_a_computer: httpx.Client) -> None:
    answer = on_a_computer.get("/")
    assert answer.status_code == 200
    assert "content-security-policy" not in answer.headers


@contextmanager
def serving(app: OriginGuard) -> Iterator[str]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="off"))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            while not server.started:
                time.sleep(0.01)
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


def test_a_stream_arrives_piece_by_piece() -> None:
    may_end = threading.Event()

    async def events() -> AsyncIterator[bytes]:
        yield b"data: 1\n\n"
        assert may_end.wait(10)  # nothing more until the first piece has arrived
        yield b"data: 2\n\n"

    async def page(request: object) -> StreamingResponse:
        return StreamingResponse(events(), media_type="text/event-stream")

    app = OriginGuard(Starlette(routes=[Route("/stream", page)]))
    with serving(app) as url, httpx.stream("GET", f"{url}/stream", timeout=10) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"data: 1\n\n"
        may_end.set()
        assert b"".join(pieces) == b"data: 2\n\n"
