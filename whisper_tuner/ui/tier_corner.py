"""Step 1, only where it is needed: which tier of an annotation holds what is said."""

from pathlib import Path

import gradio as gr

from whisper_tuner import steps
from whisper_tuner.data.tiers import Choice
from whisper_tuner.errors import TunerError
from whisper_tuner.locales import text
from whisper_tuner.ui.language import label
from whisper_tuner.ui.session import PRIVATE, Page


class TierCorner:
    """`chosen` is a tier's name, or that of a kind; None while there is nothing to choose."""

    def __init__(self, page: Page, files: gr.File) -> None:
        self.page, self.files = page, files
        self.chosen = gr.Radio(
            [],
            label=label("page_tier"),
            info=label("page_tier_info"),
            visible=False,
            elem_id="tiers",
        )

    def wire(self) -> None:
        self.files.change(ask, [self.page.lang, self.files], self.chosen, **PRIVATE)


def ask(lang: str, files: list[str] | None) -> gr.Radio:
    """The tiers to choose from as soon as files are there; nothing is chosen for the user."""
    try:
        found = steps.tiers([Path(file) for file in files or []])
    except TunerError:
        found = []  # checking the recordings says why
    listed = [(describe(choice, lang), choice.name) for choice in found]
    return gr.Radio(choices=listed, value=None, visible=bool(listed))


def describe(choice: Choice, lang: str) -> str:
    if choice.n_tiers == 1:
        return text("tier_choice", lang, name=choice.name, n=choice.n_cues, text=choice.text)
    if choice.name == "*":
        return text("tier_choice_all", lang, n_tiers=choice.n_tiers, n=choice.n_cues)
    return text("tier_choice_kind", lang, name=choice.name, n_tiers=choice.n_tiers, n=choice.n_cues)
