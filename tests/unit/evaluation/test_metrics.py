import json
import unicodedata
from dataclasses import asdict

import pytest

from whisper_tuner.evaluation.metrics import Edit, clip_score, score, word_diff


def test_a_corpus_rate_is_all_errors_over_all_words() -> None:
    found = score(["one two three four", "five"], ["one too three", "five six"], "en")
    assert (found.n_words, found.n_word_errors, found.n_clips) == (5, 3, 2)
    assert found.wer == pytest.approx(3 / 5)
    assert found.n_chars == len("one two three four") + len("five")
    assert found.cer == pytest.approx(found.n_char_errors / found.n_chars)


def test_case_and_punctuation_are_no_errors() -> None:
    found = clip_score("L'età è 3,5.", "l’ETÀ è 3.5", "it")
    assert (found.wer, found.cer, found.n_words) == (0.0, 0.0, 5)


def test_empty_references_are_left_out_and_counted() -> None:
    found = score(["…", "ciao mondo"], ["thanks for watching", "ciao"], "it")
    assert (found.n_empty, found.n_clips, found.wer) == (1, 1, 0.5)
    assert score(["", "!"], ["a", "b"], "en").n_empty == 2
    assert clip_score("", "a", "en").n_words == 0


def test_an_empty_hypothesis_is_all_deletions() -> None:
    assert clip_score("uno due", "", "it").wer == 1.0


def test_more_words_than_spoken_exceed_one() -> None:
    assert clip_score("sì", "sì sì sì sì", "it").wer == 3.0


def test_a_chinese_comma_is_no_character_error() -> None:
    found = clip_score("你好，世界。", "你好世间", "zh")
    assert (found.n_words, found.n_word_errors) == (4, 1)
    assert found.cer == found.wer == 0.25


def test_a_missing_hindi_vowel_sign_is_an_error() -> None:
    assert clip_score("नमस्ते दुनिया", "नमस्त दुनिया", "hi").wer == 0.5


def test_lists_of_different_length_are_refused() -> None:
    with pytest.raises(ValueError):
        score(["a"], ["a", "b"], "en")


def test_a_diff_shows_the_texts_as_written() -> None:
    assert word_diff("Il Paziente, sì, ha la febbre.", "il paziente ha la Fibra alta.", "it") == [
        Edit("equal", "Il Paziente, ", "il paziente "),
        Edit("delete", "sì, ", ""),
        Edit("equal", "ha la ", "ha la "),
        Edit("insert", "", "Fibra "),
        Edit("substitute", "febbre.", "alta."),
    ]


@pytest.mark.parametrize(
    ("language", "reference", "hypothesis"),
    [
        ("it", "Nell'audio, l’età «è» 3,5%!", "nel audio l'età 3,5"),
        ("th", "น้ำใจดี", "น้าใจ"),
        ("zh", "你好，GPT-4 模型", "您好 GPT 模型。"),
        ("ar", "السَّلامُ عَلَيْكُمْ", "السلام عليكم"),
        ("en", "", "thank you"),
        ("en", "hello there", ""),
        ("ko", unicodedata.normalize("NFD", "안녕하세요 여러분"), "안녕하세요"),
    ],
)
def test_a_diff_holds_both_texts_and_every_error(
    language: str, reference: str, hypothesis: str
) -> None:
    edits = word_diff(reference, hypothesis, language)
    assert "".join(edit.ref for edit in edits) == unicodedata.normalize("NFC", reference)
    assert "".join(edit.hyp for edit in edits) == unicodedata.normalize("NFC", hypothesis)
    is_right = clip_score(reference, hypothesis, language).n_word_errors == 0 and reference != ""
    assert is_right == all(edit.op == "equal" for edit in edits)


def test_two_empty_texts_have_no_edits() -> None:
    assert word_diff("", "…", "en") == []


def test_results_are_plain_json() -> None:
    edits = [asdict(edit) for edit in word_diff("a b", "a c", "en")]
    assert json.loads(json.dumps(edits)) == edits
    assert json.loads(json.dumps(asdict(clip_score("a b", "a c", "en"))))["wer"] == 0.5
