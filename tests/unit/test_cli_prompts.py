"""Built-in sentences, printed in the terminal; and that they are what they should be."""

import json

import pytest

from whisper_tuner import cli, steps
from whisper_tuner.data import prompts
from whisper_tuner.data.text_checks import script
from whisper_tuner.model.languages import LANGUAGES

SCRIPTS = {"ar": "ARABIC", "zh": "CJK"}


@pytest.mark.parametrize("language", prompts.languages())
def test_every_built_in_sentence_can_be_read_and_used(hub_cache, language):
    found = steps.check_sentences(prompts.built_in(language))
    assert language in LANGUAGES and found.findings == [] and len(found.sentences) == 60
    letters = [char for sentence in found.sentences for char in sentence if char.isalpha()]
    assert {script(char) for char in letters} == {SCRIPTS.get(language, "LATIN")}
    assert min(map(prompts.reading_s, found.sentences)) > 1.5
    assert max(map(prompts.reading_s, found.sentences)) < 15


def test_they_are_printed(capsys):
    assert cli.main(["prompts"]) == 0
    assert "it  Italian" in capsys.readouterr().out
    assert cli.main(["prompts", "--language", "it", "--json"]) == 0
    known = json.loads(capsys.readouterr().out)
    assert len(known["sentences"]) == 60 and "quarto d'ora" in known["sentences"][0]
    assert cli.main(["prompts", "--language", "zh"]) == 0
    assert capsys.readouterr().out.count("\n") == 60


@pytest.mark.parametrize("language", ["tlh", "../locales/en", ""])
def test_others_are_not(language, capsys):
    wanted = 2 if language else 0  # no language: all are listed
    assert cli.main(["prompts", "--language", language]) == wanted
    assert "en" in "".join(capsys.readouterr())
