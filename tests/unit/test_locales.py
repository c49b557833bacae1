"""English and Chinese say the same things, and exactly the things that the code asks for."""

import ast
import json
import re
from collections.abc import Iterator
from pathlib import Path
from string import Formatter

import pytest

import whisper_tuner
from whisper_tuner.locales import LANGUAGES, sentences, text
from whisper_tuner.model.languages import LANGUAGES as SPOKEN
from whisper_tuner.runs.events import STATES

PACKAGE = Path(whisper_tuner.__file__).parent
ASKING = re.compile(r"text|label|refusal|progress|Finding|Note|Failed|[A-Z]\w*Error")
KEY = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)+")
FROM_LIBRARIES = {"ValueError", "AssertionError", "RuntimeError", "KeyError", "TypeError"}
ADDED = {"refusal": {"clip", "row"}, "UnusableError": {"file"}}  # by the function itself

TREES = [ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py")]
NODES = [node for tree in TREES for node in ast.walk(tree)]


def placeholders(sentence: str) -> set[str]:
    return {field for _, field, _, _ in Formatter().parse(sentence) if field is not None}


def roots(sentence: str) -> set[str]:
    """The names a sentence must be given: `base[wer]` needs `base`."""
    return {re.split(r"[\[.]", field)[0] for field in placeholders(sentence)}


def asking_calls() -> Iterator[tuple[ast.Call, ast.expr]]:
    """Calls that name a sentence, and the key they name."""
    for node in NODES:
        if isinstance(node, ast.Call) and node.args:
            function = node.func
            name = getattr(function, "id", None) or getattr(function, "attr", "")
            if ASKING.fullmatch(name) and name not in FROM_LIBRARIES:
                yield node, node.args[0]


def named_keys() -> set[str]:
    """Keys written out where a sentence is asked for."""
    return {
        key.value
        for _, key in asking_calls()
        if isinstance(key, ast.Constant) and isinstance(key.value, str) and KEY.fullmatch(key.value)
    }


def composed_keys() -> list[re.Pattern]:
    """Keys put together where a sentence is asked for: f"state_{state}" → state_.+"""
    patterns = []
    for _, key in asking_calls():
        if isinstance(key, ast.JoinedStr):
            parts = (
                re.escape(v.value) if isinstance(v, ast.Constant) else ".+" for v in key.values
            )
            patterns.append(re.compile("".join(parts)))
    return patterns


def test_both_languages_have_the_same_keys_and_placeholders():
    english, chinese = sentences("en"), sentences("zh")
    assert english.keys() == chinese.keys()
    for key, sentence in english.items():
        assert placeholders(sentence) == placeholders(chinese[key]), key


def test_every_sentence_asked_for_exists():
    assert named_keys() - sentences("en").keys() == set()


@pytest.mark.parametrize(
    "keys",
    [[f"state_{state}" for state in STATES], [f"language_{code}" for code in SPOKEN]],
    ids=["states", "languages"],
)
def test_every_composed_key_exists(keys):
    assert set(keys) <= sentences("en").keys()


def test_every_sentence_is_asked_for():
    written = {n.value for n in NODES if isinstance(n, ast.Constant) and isinstance(n.value, str)}
    script = (PACKAGE / "ui" / "language.js").read_text(encoding="utf-8")
    composed = composed_keys()
    unused = [
        key
        for key in sentences("en").keys() - written
        if not any(pattern.fullmatch(key) for pattern in composed) and key not in script
    ]
    assert unused == []


def test_every_call_gives_what_its_sentence_needs():
    for call, key in asking_calls():
        is_plain = isinstance(key, ast.Constant) and key.value in sentences("en")
        names = {keyword.arg for keyword in call.keywords}
        if not is_plain or None in names or (names and names <= {"params", "refused", "clip"}):
            continue
        function = getattr(call.func, "id", None) or getattr(call.func, "attr", "")
        if function in ("Note", "Failed", "Finding", "progress", "label"):
            continue  # these carry their parameters in a dict, or have none
        given = names | ADDED.get(function, set())
        assert roots(text_of(key.value)) <= given, ast.unparse(call)


def text_of(key: str) -> str:
    return sentences("en")[key]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_files_are_sorted_one_sentence_a_line(lang):
    content = (PACKAGE / "locales" / f"{lang}.json").read_text(encoding="utf-8")
    data = json.loads(content)
    assert content == json.dumps(data, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def test_an_unknown_interface_language_is_english():
    assert text("state_done", "de") == text("state_done", "en")
