"""A long recording with an annotation of several tiers, on the page."""

import shutil

import pytest
from playwright.sync_api import expect

from tests.browser.reader import Reader
from tests.timed_files import eaf
from whisper_tuner import steps
from whisper_tuner.data.cues import Cue

pytestmark = pytest.mark.browser


def test_the_tier_is_asked_for_and_taken(visit, tmp_path):
    recording = steps.EXAMPLE_DIR / "clips" / "conf-getpin.flac"
    shutil.copy(recording, tmp_path / "talk.flac")
    cues = [Cue(0.1, 1.0, "<b>uno</b>", 1, "Anna"), Cue(1.0, 2.0, "due", 2, "Ben")]
    cues = [*cues, Cue(77, 78, "dopo", 3, "Ben")]
    (tmp_path / "talk.eaf").write_text(eaf(cues).replace("<b>uno</b>", "&lt;b&gt;uno"))
    reader = Reader(visit().open(), "en")
    files = [tmp_path / "talk.flac", tmp_path / "talk.eaf"]
    reader.page.locator("input[type=file]").first.set_input_files(files)
    reader.sees("ut@Anna (cues: 1): “<b>uno”")
    reader.press("page_check_button")
    reader.sees("talk.eaf has several tiers with text")
    reader.page.get_by_label("All 2 tiers of the kind “ut” (cues: 3)").check()
    reader.press("page_check_button")
    reader.sees("2 of 3 clips can be used")
    reader.sees("talk.flac 0:01:17.0–0:01:18.0 lies behind the end of the recording")
    reader.page.get_by_label("Clear").first.click()
    expect(reader.page.locator("#tiers")).to_be_hidden()
