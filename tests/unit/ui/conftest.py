"""What tests of the page's components need outside of a running page."""

import asyncio
from collections.abc import Iterator

import pytest


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
