"""Text in the encodings that real programs write: right, or a question, never mojibake."""

import pytest

from whisper_tuner.data.encodings import ENCODINGS, decode_text, possible_encodings
from whisper_tuner.errors import InputError
from whisper_tuner.locales import text

TEXTS = {
    "chinese": "文件名,文本\n录音一.wav,今天的天气很好，我们去公园。\n录音二.wav,他是一位医生。\n",
    "japanese": "file,text\n録音1.wav,今日はとても良い天気です。\n録音2.wav,カメラを買いました。\n",
    "korean": "file,text\n녹음1.wav,오늘은 날씨가 아주 좋습니다.\n녹음2.wav,저는 의사입니다.\n",
    "german": "file,text\na.wav,Der Müller fährt über die Straße – schön!\nb.wav,Ähnlich\n",
    "french": "file,text\na.wav,« Où est l’élève ? » demanda-t-elle.\nb.wav,Ça coûte 5 €\n",
    "russian": "file,text\nа.wav,Сегодня очень хорошая погода.\nб.wav,Он врач и я тоже.\n",
    "greek": "file,text\na.wav,Σήμερα ο καιρός είναι πολύ καλός.\nb.wav,Είμαι γιατρός.\n",
    "polish": "file,text\na.wav,Dziś jest bardzo ładna pogoda, byłem już w mieście.\n",
    "czech": "file,text\na.wav,Příští týden přijede můj dědeček, řekl učitel.\n",
    "taiwanese": "file,text\na.wav,今天天氣很好，我們去公園散步。\nb.wav,他是一位醫生，沒錯。\n",
}


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_unicode_is_certain(language: str, encoding: str) -> None:
    found, _, is_certain = decode_text(TEXTS[language].encode(encoding), "x.csv")
    assert found == TEXTS[language] and is_certain


@pytest.mark.parametrize("language", TEXTS)
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark_is_told_by_its_zeros(language: str, encoding: str) -> None:
    words, found, is_certain = decode_text(TEXTS[language].encode(encoding), "x.csv")
    assert (words, found, is_certain) == (TEXTS[language], encoding, True)


def test_utf_16_big_endian() -> None:
    assert decode_text(b"\xfe\xff" + "é,b".encode("utf-16-be"), "x")[0] == "é,b"


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("chinese", "gb18030"),
        ("chinese", "gbk"),
        ("japanese", "cp932"),
        ("japanese", "shift_jis"),
        ("korean", "cp949"),
        ("german", "cp1252"),
        ("french", "cp1252"),
        ("russian", "cp1251"),
        ("polish", "cp1250"),
        ("czech", "cp1250"),
    ],
)
def test_country_encodings_are_guessed_right_but_never_certain(
    language: str, encoding: str
) -> None:
    data = TEXTS[language].encode(encoding)
    found, _, is_certain = decode_text(data, "x.csv")
    assert found == TEXTS[language] and not is_certain
    name = {"gbk": "gb18030", "shift_jis": "cp932"}.get(encoding, encoding)
    assert decode_text(data, "x.csv", said=name) == (TEXTS[language], name, True)
    assert name in possible_encodings(data)


@pytest.mark.parametrize(
    ("language", "encoding"),
    [
        ("russian", "koi8-r"),
        ("greek", "cp1253"),
        ("taiwanese", "big5"),
        ("japanese", "euc-jp"),
        ("japanese", "iso2022-jp"),
    ],
)
def test_other_encodings_are_a_question(language: str, encoding: str) -> None:
    try:
        assert not decode_text(TEXTS[language].encode(encoding), "x.csv")[2]
    except InputError as error:
        assert (error.code, error.params) == ("text_encoding_unknown", {"file": "x.csv"})


def test_an_encoding_that_does_not_fit() -> None:
    with pytest.raises(InputError) as caught:
        decode_text(b"caf\xe9", "x.csv", said="utf-8")
    assert caught.value.code == "text_encoding_wrong"
    assert "utf-8" not in possible_encodings(b"caf\xe9")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_every_encoding_on_offer_has_a_name(encoding: str) -> None:
    "a".encode(encoding)
    assert text(f"encoding_{encoding}", "en") != text(f"encoding_{encoding}", "zh") or (
        encoding == "utf-8"
    )


def test_one_accent_is_enough_for_cp1252() -> None:
    assert decode_text("file,text\na.wav,café\n".encode("cp1252"), "x")[0].endswith("café\n")


@pytest.mark.parametrize("data", [b"a\0b", "file,text".encode("utf-16-le")])
def test_nul_is_refused(data: bytes) -> None:
    with pytest.raises(InputError) as caught:
        decode_text(data, "x.csv")
    assert caught.value.code == "text_not_text"
