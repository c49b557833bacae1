"""The page's language: that of the browser at first paint, switched at any time without a reload.

Static texts are Gradio's own translation markers, resolved in the browser; sentences with numbers
are written here, in the language that the page says it is shown in (`language.js`).
"""

from collections.abc import Callable
from pathlib import Path

import gradio as gr

from whisper_tuner.locales import LANGUAGES, sentences
from whisper_tuner.ui import fragments

PREFIX = "page_"  # keys that the browser itself looks up
HEAD = f"<script>{(Path(__file__).parent / 'language.js').read_text(encoding='utf-8')}</script>"

# Given to events as `js=`: the first input is the language radio.
ON_LOAD_JS = "async (lang, ...rest) => [await whisperTuner.begin(), ...rest]"
ON_SWITCH_JS = "async (lang, ...rest) => { await whisperTuner.speak(lang); return [lang, ...rest] }"


def _known_to_browser(lang: str) -> dict[str, str]:
    labels = {key: text for key, text in sentences(lang).items() if key.startswith(PREFIX)}
    return labels | {f"html_{build.__name__}": build(lang) for build in fragments.ALL}


TRANSLATIONS = gr.I18n(**{lang: _known_to_browser(lang) for lang in LANGUAGES})


def label(key: str) -> str:
    """The marker of a static text."""
    return str(TRANSLATIONS(key))


def static_html(build: Callable[[str], str]) -> str:
    """The marker of a static piece of HTML. A component's value can be one marker, no more."""
    return label(f"html_{build.__name__}")
