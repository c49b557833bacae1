"""Trainings that are stopped, resumed, killed and queued, as a person sees them."""

import json
import os
import re
import signal

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW_MS
from tests.browser.reader import Reader
from whisper_tuner.runs.folder import Run

pytestmark = pytest.mark.browser


def test_stop_resume_compare_and_train_again(visit, upload):
    reader = Reader(visit().open(), "en")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    reader.start("Italian", epochs=30)
    expect(reader.page.locator("#status")).to_contain_text("Step", timeout=SLOW_MS)
    reader.press("page_stop")
    reader.sees("Stopped.", SLOW_MS)
    reader.sees("What was learned so far is kept.")
    reader.press("page_resume")
    expect(reader.page.get_by_label(reader.say("page_log")).first).to_have_value(
        re.compile("Going on behind step"), timeout=SLOW_MS
    )
    reader.press("page_stop")
    reader.sees("Stopped.", SLOW_MS)
    reader.go("compare")
    reader.press("page_compare_now")
    expect(reader.page.locator("#compare-status .headline")).to_contain_text("WER", timeout=SLOW_MS)

    reader.go("train")
    reader.press("page_again")
    expect(reader.button("page_start")).to_be_visible()
    expect(reader.page.get_by_label("Language spoken").first).to_have_value("Italian")
    reader.go("compare")
    reader.sees(reader.say("compare_none"))


def made_runs(served, before: set) -> list[Run]:
    return [Run(path) for path in sorted(set(served.runs.glob("*-*-*")) - before)]


def test_a_second_training_waits_and_a_killed_one_goes_on(visit, served, upload):
    before = set(served.runs.glob("*-*-*"))
    reader = Reader(visit().open(), "en")
    reader.press("page_example_button")
    reader.sees("160 of 160 clips can be used", SLOW_MS)
    reader.start("Italian", epochs=30)
    expect(reader.page.locator("#status")).to_contain_text("Step", timeout=SLOW_MS)
    reader.go("recordings")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    reader.go("train")
    expect(reader.page.locator("#trainings")).to_be_visible()
    reader.choose("page_language", "Italian")
    reader.press("page_start")
    reader.sees("Trainings ahead of yours: 1. It should start in about")
    reader.press("page_cancel")
    reader.sees("Stopped.", SLOW_MS)

    reader.page.get_by_label("Your trainings").click()
    reader.page.get_by_role("option", name="Training").click()
    expect(reader.page.locator("#status")).to_contain_text("Step")
    first, second = made_runs(served, before)
    os.killpg(json.loads(first.lock_path.read_text())["pid"], signal.SIGKILL)
    log = reader.page.get_by_label(reader.say("page_log")).first
    expect(log).to_have_value(re.compile("It broke off; going on by itself"), timeout=SLOW_MS)
    reader.press("page_stop")
    reader.sees("Stopped.", SLOW_MS)
    assert not second.has_adapter
