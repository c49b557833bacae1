"""Every sentence a person reads, in English and Chinese, looked up by key.

Standard library only: errors use it, so everything may import it.
"""

import json
from functools import cache
from pathlib import Path

LANGUAGES = {"en": "English", "zh": "中文"}
DEFAULT_LANGUAGE = "en"


@cache
def sentences(lang: str) -> dict[str, str]:
    """All keys and sentences of one interface language; English when `lang` is not one of ours."""
    name = lang if lang in LANGUAGES else DEFAULT_LANGUAGE
    return json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))


def text(code: str, /, lang: str = DEFAULT_LANGUAGE, **params: object) -> str:
    """The sentence with this key, its `{placeholders}` filled from `params`."""
    return sentences(lang)[code].format(**params)
