"""The page's parts, built as the page builds them."""

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from whisper_tuner.runs.device import Device
from whisper_tuner.runs.tryout import TryOut
from whisper_tuner.ui.app import PageView
from whisper_tuner.ui.session import Page, browser_state


def in_page(make: Callable[[Page], object]) -> object:
    """What `make` builds, in a loop that is closed behind it: Gradio would leave one open."""

    async def inside() -> object:
        with gr.Blocks():
            page = Page(
                device=Device("cpu", "2 CPU cores", 16.0),
                tryout=TryOut(),
                lang=gr.Radio(["en", "zh"], value="en"),
                run_id=browser_state("run"),
                person=browser_state("person"),
                spoken=browser_state("spoken"),
                sheet_id=browser_state("sheet"),
                steps=gr.Tabs(render=False),
                timer=gr.Timer(active=False),
            )
            return make(page)

    with ThreadPoolExecutor(1) as pool:  # the browser tests have a loop in this thread
        return pool.submit(asyncio.run, inside()).result()


@pytest.fixture
def whole_page() -> PageView:
    return in_page(PageView)


@pytest.fixture
def loops(monkeypatch) -> Iterator[None]:
    """Gradio makes an event loop for a lock outside of one, and never closes it."""
    made = []
    new_event_loop = asyncio.new_event_loop

    def remember() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", remember)
    yield
    asyncio.set_event_loop(None)
    for loop in made:
        loop.close()
