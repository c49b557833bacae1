"""Sentences in Thai, Hindi and Chinese are from Common Voice 6.1 (CC0)."""

import unicodedata

import pytest

from whisper_tuner.evaluation.normalize import normalize, pieces, words

THAI = "มันจะเกิดขึ้นในวันอังคาร; น่าจะมีแค่พวกเราสามคน"
SENTENCES = {
    "it": "Nell'audio, l’età «è» 3,5%!",
    "hi": "नमस्ते दुनिया, क्या हाल है?",
    "th": THAI,
    "ar": "السَّلامُ عَلَيْكُمْ، كيف حالك؟",
    "he": "שָׁלוֹם, מה שלומך?",
    "zh": "你好，GPT-4 模型（2024年）真棒！",
    "ja": "「ｶﾞﾗｽ」は2024年のカメラー。",
    "ko": "안녕하세요, 반갑습니다!",
    "my": "မြန်မာ၊ နိုင်ငံ။",
    "de": "  Straße — „Größe“ (ca. ½ m²)…\n",
}


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_pieces_show_the_whole_text_and_hold_the_counted_words(language: str, text: str) -> None:
    found = pieces(text, language)
    assert "".join(piece.shown for piece in found) == unicodedata.normalize("NFC", text)
    assert [piece.word for piece in found] == words(text, language)
    assert all(piece.word and not piece.word.isspace() for piece in found)


@pytest.mark.parametrize(("language", "text"), SENTENCES.items())
def test_normalizing_twice_changes_nothing(language: str, text: str) -> None:
    once = normalize(text, language)
    assert normalize(once, language) == once


def test_hindi_keeps_its_vowel_signs() -> None:
    assert normalize("नमस्ते दुनिया।", "hi") == "नमस्ते दुनिया"


def test_arabic_and_hebrew_keep_their_points() -> None:
    assert words("السَّلامُ عَلَيْكُمْ، كيف؟", "ar") == ["السَّلامُ", "عَلَيْكُمْ", "كيف"]
    assert words("שָׁלוֹם!", "he") == ["שָׁלוֹם"]


def test_thai_is_counted_by_character_with_its_marks() -> None:
    assert words("น้ำใจดี", "th") == [unicodedata.normalize("NFKC", "น้ำ"), "ใ", "จ", "ดี"]
    assert words("น้ำ", "th") != words("น้า", "th")
    assert words(THAI, "th") == words(THAI.replace("; ", ""), "th")


def test_foreign_words_and_numbers_in_chinese_stay_whole() -> None:
    assert words("你好，Whisper 模型2024年", "zh") == [*"你好", "whisper", *"模型", "2024", "年"]
    assert normalize("你好，世界。", "zh") == normalize("你好世界", "zh") == "你好世界"


def test_japanese_half_width_is_full_width() -> None:
    assert words("ｶﾞﾗｽ", "ja") == words("ガラス", "ja") == [*"ガラス"]


def test_every_apostrophe_parts_words() -> None:
    assert words("dell'audio", "it") == words("dell’audio", "it") == ["dell", "audio"]
    assert words("Don't", "en") == ["don", "t"]
    assert words("м'яч", "uk") == words("м’яч", "uk") == words("мʼяч", "uk")


def test_letters_typed_in_different_ways_are_equal() -> None:
    assert normalize(unicodedata.normalize("NFD", "Élan 안녕")) == normalize("élan 안녕")
    assert normalize("ＡＢＣ") == "abc"
    assert normalize("STRASSE") == normalize("Straße")
    assert normalize("İstanbul", "tr") == normalize("istanbul", "tr")
    assert normalize("می‌خواهم", "fa") == normalize("میخواهم", "fa")


def test_symbols_leave_no_mark_behind() -> None:
    assert normalize("ok ❤️ 5 ㎏ ´a") == "ok 5 kg a"


@pytest.mark.parametrize("text", ["", "   ", "…", "—!?", "\u200b", "❤️"])
def test_a_text_without_a_word_is_empty(text: str) -> None:
    assert normalize(text) == ""
    assert pieces(text, "en") == []


def test_opening_quotes_go_with_the_word_behind_them() -> None:
    shown = [piece.shown for piece in pieces("disse «Ciao» — (ok)", "it")]
    assert shown == ["disse ", "«Ciao» — ", "(ok)"]
    assert [piece.shown for piece in pieces("好（年）", "zh")] == ["好", "（年）"]
