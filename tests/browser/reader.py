"""Someone who reads the page."""

from functools import partial
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

from whisper_tuner.locales import text


class Reader:
    """A window seen by someone who reads one language: finds things by what is written on them."""

    def __init__(self, page: Page, lang: str) -> None:
        self.page = page
        self.say = partial(text, lang=lang)

    def go(self, step: str) -> None:
        self.page.get_by_role("tab", name=self.say(f"page_step_{step}"), exact=True).click()

    def press(self, key: str, timeout: float = 20_000) -> None:
        self.page.get_by_role("button", name=self.say(key)).click(timeout=timeout)

    def button(self, key: str) -> Locator:
        return self.page.get_by_role("button", name=self.say(key))

    def sees(self, sentence: str, timeout: float = 20_000) -> None:
        shown = self.page.get_by_text(sentence).filter(visible=True).first
        expect(shown).to_be_visible(timeout=timeout)

    def choose(self, key: str, option: str, inside: str = "body") -> None:
        box = self.page.locator(inside).get_by_label(self.say(key)).first
        box.click()
        box.fill(option)
        self.page.get_by_role("option", name=option).click()

    def give(self, upload: Path) -> None:
        self.page.locator("input[type=file]").first.set_input_files(upload)
        expect(self.page.locator(f'a[href$="{upload.name.replace(" ", "%20")}"]')).to_be_visible()
        self.press("page_check_button")

    def start(self, language: str, epochs: int) -> None:
        self.go("train")
        self.choose("page_language", language)
        self.choose("page_base", "whisper-tiny")
        self.page.get_by_label(self.say("page_epochs")).first.fill(str(epochs))
        self.page.keyboard.press("Tab")
        self.press("page_start")
        expect(self.button("page_stop")).to_be_visible(timeout=120_000)  # torch is loaded first
