"""Every static piece of HTML is known to the browser, in both languages."""

import inspect

from whisper_tuner.ui import fragments
from whisper_tuner.ui.language import TRANSLATIONS


def test_every_fragment_is_given_to_the_browser():
    functions = inspect.getmembers(fragments, inspect.isfunction)
    own = {function for _, function in functions if function.__module__ == fragments.__name__}
    assert own == set(fragments.ALL)
    for lang in ("en", "zh"):
        told = TRANSLATIONS.translations[lang]
        assert all(told[f"html_{function.__name__}"] for function in own)
