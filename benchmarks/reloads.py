"""Reloads and second tabs while a training runs: how soon is everything back, and does it go on?

    python benchmarks/reloads.py --json FILE

The real page in Chromium (Debian's), a tiny random Whisper, the bundled example. A view is back
when it shows the training's state and steps again. Every other one is a second tab.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from playwright.sync_api import Page, expect, sync_playwright

from benchmarks.chaos_parts.kit import finish, worker_pid
from benchmarks.chaos_parts.page import PageProcess
from benchmarks.turns import QUICK_BASE, race_environment
from whisper_tuner.locales import text
from whisper_tuner.runs import jobs
from whisper_tuner.runs.events import read_events
from whisper_tuner.runs.folder import ROOT_VARIABLE, Run

CHROMIUM = "/usr/bin/chromium"
PATIENCE_MS = 120_000
EPOCHS = 30


def press(page: Page, key: str) -> None:
    page.get_by_role("button", name=text(key)).click()


def choose(page: Page, key: str, option: str) -> None:
    box = page.get_by_label(text(key)).first
    box.click()
    box.fill(option)
    page.get_by_role("option", name=option).click()


def start_training(page: Page, url: str) -> None:
    page.goto(url)
    press(page, "page_example_button")
    press(page, "page_continue_train")
    choose(page, "page_language", text("language_it"))
    choose(page, "page_base", QUICK_BASE.rpartition("/")[2])
    page.get_by_label(text("page_epochs")).first.fill(str(EPOCHS))
    page.keyboard.press("Tab")
    press(page, "page_start")
    wait_for_view(page)


def wait_for_view(page: Page) -> None:
    expect(page.locator("#status")).to_contain_text(text("tile_step"), timeout=PATIENCE_MS)


def restored_s(page: Page, url: str) -> float:
    began_s = time.monotonic()
    page.goto(url)
    wait_for_view(page)
    return time.monotonic() - began_s


def measure(n: int, root: Path) -> dict:
    with sync_playwright() as playwright, PageProcess() as served:
        url = f"http://127.0.0.1:{served.port}"
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        context = browser.new_context(locale="en-US")
        context.set_default_timeout(PATIENCE_MS)
        first = context.new_page()
        start_training(first, url)
        (spec,) = root.glob("*/run.json")
        run = Run(spec.parent)
        pid = worker_pid(run)
        seconds = []
        for i in range(n):
            page = context.new_page() if i % 2 else first
            seconds.append(restored_s(page, url))
            if page is not first:
                page.close()
        records = read_events(run.events_path)
        is_whole = [record.seq for record in records] == list(range(1, len(records) + 1))
        undisturbed = jobs.is_alive(run) and worker_pid(run) == pid and is_whole
        browser.close()
        if jobs.is_alive(run):
            jobs.stop(run)
        finish(run)
    return {
        "views": n,
        "second_tabs": n // 2,
        "restored_median_s": median(seconds),
        "restored_p95_s": quantiles(seconds, n=20)[-1] if n > 1 else seconds[0],
        "restored_slowest_s": max(seconds),
        "trains_undisturbed": undisturbed,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--views", type=int, default=50)
    parser.add_argument("--quick", action="store_true", help="four views")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as scratch,
        race_environment(QUICK_BASE, True, True, threads=1) as environment,
    ):
        os.environ.update(environment)
        os.environ[ROOT_VARIABLE] = f"{scratch}/runs"
        result = measure(4 if options.quick else options.views, Path(scratch) / "runs")
    for name, value in result.items():
        print(f"{name:28} {value if isinstance(value, bool | int) else round(value, 2)}")
    if options.json:
        options.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
