"""What a tab leaves in the page's memory goes when it was closed long enough ago."""

import subprocess
import sys
from datetime import datetime, timedelta

import gradio as gr
import pytest
from gradio.state_holder import StateHolder

from whisper_tuner.ui.upkeep import CLOSED_S, forget_closed

OLD = timedelta(seconds=CLOSED_S + 1)
HEAPS = """
import threading, psutil
from whisper_tuner.ui import upkeep
upkeep.share_heaps()
def work():
    blocks = [bytes(4096) for _ in range(2000)]
    kept.append(blocks[-1])
kept = []
threads = [threading.Thread(target=work) for _ in range(16)]
[thread.start() for thread in threads], [thread.join() for thread in threads]
fill = [bytes(4096) for _ in range(20000)]
kept.append(fill[-1])
del fill
before = psutil.Process().memory_info().rss
upkeep.give_back()
print((before - psutil.Process().memory_info().rss) / 2**20)
"""


@pytest.fixture
def tabs(loops) -> StateHolder:
    with gr.Blocks() as blocks:
        gr.Textbox()
    holder = StateHolder()
    holder.set_blocks(blocks)
    return holder


def test_only_tabs_closed_for_an_hour_are_forgotten(tabs):
    for name in ("open", "closed", "closed long ago", "back again"):
        tabs[name].is_closed = name != "open"
    for name in ("open", "closed long ago", "back again"):
        tabs.time_last_used[name] = datetime.now() - OLD
    assert tabs["back again"]  # it asks for something: its heartbeat ended, its tab did not
    forget_closed(tabs)
    assert set(tabs.session_data) == {"open", "closed", "back again"} == set(tabs.time_last_used)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's heaps")
def test_freed_memory_goes_back_to_the_system():
    command = [sys.executable, "-c", HEAPS]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert float(done.stdout) > 60  # of the 80 MB that were freed behind a block that is kept
