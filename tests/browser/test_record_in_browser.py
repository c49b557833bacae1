"""Sentences are read into Chromium's pretended microphone, which plays a file again and again."""

from collections.abc import Iterator

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Page, expect

from tests.browser.conftest import CHROMIUM, HOSTILE_TEXT, Visitor
from tests.browser.reader import Reader
from tests.sounds import decode
from whisper_tuner import steps
from whisper_tuner.audio import SAMPLE_RATE

pytestmark = pytest.mark.browser
LINES = ("Menu principale, scelga una voce.", HOSTILE_TEXT, "هل يمكنك أن تعيد الجملة الأخيرة؟")


@pytest.fixture
def speaker(chromium, served, tmp_path, request) -> Iterator[Visitor]:
    """Somebody who speaks as loud as the parameter says; every sentence lasts two seconds."""
    said = decode(steps.EXAMPLE_DIR / "clips" / "vm-rec-name.flac")[: 2 * SAMPLE_RATE]
    path = tmp_path / "microphone.wav"
    room = 1e-3 * np.random.default_rng(0).standard_normal(SAMPLE_RATE // 2)
    soundfile.write(path, request.param * np.concatenate([said, room]), SAMPLE_RATE)
    options = (
        "--no-sandbox",
        "--use-fake-device-for-media-stream",
        "--use-fake-ui-for-media-stream",
        f"--use-file-for-fake-audio-capture={path}",
    )
    browser = chromium.browser_type.launch(executable_path=CHROMIUM, args=options)
    visitor = Visitor(browser, served, locale="en-US")
    yield visitor
    visitor.close()
    browser.close()


def begin(reader: Reader) -> None:
    reader.page.get_by_role("tab", name=reader.say("page_record_tab")).click()
    reader.page.get_by_label(reader.say("page_sentences")).fill("\n".join([*LINES, "", LINES[0]]))
    reader.sees("Line 5 is left out")
    reader.press("page_sheet_begin")
    expect(part(reader.page, "say")).to_have_text(LINES[0])


def part(page: Page, name: str) -> object:
    return page.locator(f"tuner-recorder #{name}")


def speak(page: Page, seconds: float = 2.5) -> None:
    """By keys alone, as one does with sixty sentences."""
    page.keyboard.press("Space")
    expect(part(page, "record")).to_have_attribute("data-phase", "recording")
    page.wait_for_timeout(1000 * seconds)
    page.keyboard.press("Space")
    expect(part(page, "record")).to_have_attribute("data-phase", "idle")


@pytest.mark.parametrize("speaker", [1.0], indirect=True)
def test_two_sentences_today_and_the_third_tomorrow(speaker):
    reader = Reader(speaker.open(), "en")
    page = reader.page
    begin(reader)
    speak(page)
    expect(part(page, "progress")).to_contain_text("1 of 3 sentences")
    page.keyboard.press("ArrowRight")
    expect(part(page, "say")).to_have_text(HOSTILE_TEXT)
    speak(page)
    expect(part(page, "progress")).to_contain_text("2 of 3 sentences")
    page.reload()
    expect(part(page, "say")).to_have_text(LINES[2])  # without a click
    assert part(page, "say").evaluate("p => getComputedStyle(p).direction") == "rtl"
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.set_viewport_size({"width": 1280, "height": 800})
    page.keyboard.press("ArrowLeft")
    expect(part(page, "say")).to_have_text(HOSTILE_TEXT)
    sound = part(page, "audio")
    sound.evaluate("audio => audio.play()")
    assert 2 < sound.evaluate("audio => audio.duration") < 5
    reader.press("page_sheet_use")
    reader.sees("2 of 2 clips can be used")
    reader.sees("1 of the 3 sentences")
    reader.sees(LINES[0])


@pytest.mark.parametrize("speaker", [0.001], indirect=True)
def test_a_voice_too_faint_is_told_and_may_be_kept(speaker):
    reader = Reader(speaker.open(), "en")
    begin(reader)
    speak(reader.page, 3)
    expect(part(reader.page, "told")).to_contain_text("Too quiet")
    expect(part(reader.page, "record")).to_have_text(reader.say("recorder_again"))
    expect(part(reader.page, "progress")).to_contain_text("1 of 3 sentences")
