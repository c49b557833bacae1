from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard

from tests.unit.publish.conftest import CLIP_NAME, COMPARISON, REPORT, SPEC, TRANSCRIPT
from whisper_tuner.publish.card import model_card


def test_the_metadata_is_what_the_hub_reads() -> None:
    data = ModelCard(model_card(SPEC, COMPARISON, REPORT, "anna/it-lora")).data
    assert (data.language, data.license, data.library_name) == ("it", "apache-2.0", "peft")
    assert data.base_model == "openai/whisper-base"
    assert data.pipeline_tag == "automatic-speech-recognition"
    assert data.model_name == "it-lora"
    measured = {result.metric_type: result.metric_value for result in data.eval_results}
    assert measured == {"wer": 12.34, "cer": 5.0}


def test_the_card_says_what_was_measured_and_how_it_was_trained() -> None:
    card = model_card(SPEC, COMPARISON, REPORT, "anna/it-lora")
    assert "| Word error rate | 43.2 % | 12.3 % |" in card
    assert "30 held-out clips (712 words)" in card
    assert "these figures are rough" in card
    assert "rank 4, alpha 8" in card
    assert "90 clips, 21.0 minutes" in card
    assert "can reveal what it was trained on" in card


def test_fast_mode_is_one_sentence_where_it_was_measured() -> None:
    fast = {**COMPARISON, "tuned_speech_window": {"wer": 0.1412, "cer": 0.06}}
    card = model_card(SPEC, fast, REPORT, "anna/it-lora")
    assert "In fast mode, " in card
    assert "the tuned word error rate is 14.1 %." in card
    measured = {r.metric_type: r.metric_value for r in ModelCard(card).data.eval_results}
    assert measured == {"wer": 12.34, "cer": 5.0}  # ordinary inference is what the Hub is told
    assert "fast mode" not in model_card(SPEC, COMPARISON, REPORT, "anna/it-lora")


def test_the_card_holds_no_transcript_and_no_name() -> None:
    card = model_card(SPEC, COMPARISON, REPORT, "anna/it-lora")
    assert TRANSCRIPT not in card
    assert CLIP_NAME not in card
    assert str(Path.home()) not in card


def test_without_a_comparison_the_card_says_so() -> None:
    for comparison in (None, {**COMPARISON, "n_words": 0}):
        card = model_card(SPEC, comparison, REPORT, "anna/it-lora")
        assert "Not measured" in card
        assert ModelCard(card).data.eval_results is None


def test_a_worse_adapter_is_called_worse() -> None:
    worse = {**COMPARISON, "tuned": {"wer": 0.5, "cer": 0.3}}
    assert "more word errors than the base" in model_card(SPEC, worse, REPORT, "a/b")


@pytest.mark.parametrize(("code", "iso"), [("no", "no"), ("jw", "jv"), ("yue", "yue")])
def test_language_codes_survive_yaml(code: str, iso: str) -> None:
    spec = replace(SPEC, config=replace(SPEC.config, language=code))
    header = model_card(spec, COMPARISON, REPORT, "a/b").split("---\n")[1]
    assert yaml.safe_load(header)["language"] == iso


def test_a_language_without_spaces_counts_characters() -> None:
    spec = replace(SPEC, config=replace(SPEC.config, language="zh", max_steps=7))
    card = model_card(spec, COMPARISON, REPORT, "a/b")
    assert "712 characters" in card
    assert "| Steps at most | 7 |" in card


def test_the_snippet_is_python() -> None:
    card = model_card(SPEC, None, REPORT, "anna/it-lora")
    snippet = card.split("```python\n")[1].split("```")[0]
    compile(snippet, "card", "exec")
    assert 'adapter = "anna/it-lora"' in snippet


def test_the_card_says_what_it_goes_on_from_and_not_the_id_that_opens_it() -> None:
    spec = replace(SPEC, started_from="20261123-101500-0123456789abcdef")
    card = model_card(spec, COMPARISON, REPORT, "anna/it-lora")
    assert "| Goes on from | the adapter of run 20261123-101500 |" in card
    assert "0123456789abcdef" not in card
    assert "Goes on from" not in model_card(SPEC, COMPARISON, REPORT, "anna/it-lora")
