"""A trained run is trained further on the page, with more recordings, across a reload."""

import re
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import SLOW_MS
from tests.browser.reader import Reader

pytestmark = pytest.mark.browser


@pytest.fixture
def more(tmp_path, recording) -> Path:
    """A ZIP with one recording more."""
    folder = tmp_path / "more"
    folder.mkdir()
    shutil.copy(recording, folder / "visit 11.flac")
    (folder / "visit 11.txt").write_text("Una frase del tutto nuova.", encoding="utf-8")
    return Path(shutil.make_archive(str(tmp_path / "more"), "zip", folder))


def test_train_further_with_more_recordings(visit, upload, more):
    visitor = visit()
    reader = Reader(visitor.open(), "en")
    reader.give(upload)
    reader.sees("10 of 12 clips can be used")
    expect(reader.page.get_by_label("Add them to these recordings")).to_have_count(0)
    reader.start("Italian", epochs=2)
    reader.press("page_further", SLOW_MS)
    reader.sees("This training goes on from what an earlier run has learned")
    reader.page.get_by_label(reader.say("page_epochs")).first.fill("3")
    reader.page.keyboard.press("Tab")
    reader.page.get_by_label("中文").check()  # drawing the page again keeps what was chosen
    chinese = Reader(reader.page, "zh")
    chinese.sees(chinese.say("train_goes_on"))
    expect(chinese.page.get_by_label(chinese.say("page_epochs")).first).to_have_value("3")
    chinese.page.get_by_label("English").check()
    reader.sees("This training goes on from what an earlier run has learned")
    reader.page.close()

    reader = Reader(visitor.open(), "en")
    reader.sees("This training goes on from what an earlier run has learned")
    base = reader.page.get_by_label("Base model", exact=True).first
    expect(base).to_be_disabled()
    expect(base).to_have_value("whisper-tiny · 38 M")
    expect(reader.page.get_by_label(reader.say("page_epochs")).first).to_have_value("2")
    reader.go("recordings")
    expect(reader.page.get_by_label("Add them to these recordings")).to_be_checked()
    reader.give(more)
    reader.sees("11 of 13 clips can be used")
    reader.page.set_viewport_size({"width": 390, "height": 844})
    assert reader.page.evaluate("document.documentElement.scrollWidth") <= 390
    reader.page.set_viewport_size({"width": 1280, "height": 800})
    reader.go("train")
    reader.press("page_start")
    reader.sees(reader.say("state_done"), SLOW_MS)
    told = reader.page.get_by_label(reader.say("page_log")).first
    expect(told).to_have_value(re.compile("Going on from what run"))
    reader.go("recordings")
    expect(reader.page.get_by_label("Add them to these recordings")).to_have_count(0)
