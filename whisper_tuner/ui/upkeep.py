"""Keeps the page's process small: it is up for months, and visitors come and go.

Gradio remembers a tab, every component of it with its value, until 10,000 others have come. And
what a visit needed for a moment is freed inside the heaps of glibc, one for each of many threads,
which give hardly anything back to the system by themselves.
"""

import ctypes
import sys
import threading
import time
import traceback
from datetime import datetime, timedelta

from gradio.state_holder import StateHolder

MAX_TABS = 300  # half a megabyte each on the bundled example; who came longest ago is forgotten
CLOSED_S = 3600.0  # without a word since its heartbeat ended; Gradio drops its gr.State then too
LOOK_EVERY_S = 60.0
M_ARENA_MAX, N_ARENAS = -8, 2  # malloc.h; one Python thread works at a time


def share_heaps() -> None:
    """Let all threads take memory from the same two heaps. To be called before they are started."""
    if hasattr(_libc(), "mallopt"):
        _libc().mallopt(M_ARENA_MAX, N_ARENAS)


class Upkeep:
    """A daemon thread that forgets closed tabs and gives free memory back once a minute."""

    def __init__(self, tabs: StateHolder) -> None:
        self.tabs = tabs
        threading.Thread(target=self._watch, daemon=True, name="upkeep").start()

    def _watch(self) -> None:
        while True:
            time.sleep(LOOK_EVERY_S)
            try:
                forget_closed(self.tabs)
                give_back()
            except Exception:  # without it the page grows for ever
                traceback.print_exc()


def forget_closed(tabs: StateHolder) -> None:
    """Forget the tabs that were closed, and have asked for nothing, for an hour.

    One that comes back, such as that of a computer that slept, is drawn anew from its run's folder.
    """
    latest = datetime.now() - timedelta(seconds=CLOSED_S)
    for name, tab in list(tabs.session_data.items()):
        if tab.is_closed and tabs.time_last_used.get(name, latest) <= latest:
            with tabs.lock:
                tabs.session_data.pop(name, None)
                tabs.time_last_used.pop(name, None)


def give_back() -> None:
    """Give the free pages of all heaps back to the system."""
    if hasattr(_libc(), "malloc_trim"):
        _libc().malloc_trim(0)


def _libc() -> ctypes.CDLL | None:
    """The C library; where it is not glibc, the functions above are missing."""
    return ctypes.CDLL(None) if sys.platform == "linux" else None
