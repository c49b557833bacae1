"""Bytes that a person saved as text → text, when nothing says in which encoding.

UTF-8 and UTF-16 with a byte order mark are certain. Everything else is what an old Excel wrote in
the country's own encoding, and most of these encodings decode most bytes without an error: "ül" in
cp1252 is one rare Chinese character in GB18030. So an encoding is taken only when the text it gives
looks like its language, from the most to the least particular. Such a guess is only ever offered: a
wrong one would teach the model garbage.
"""

import codecs
import re
import unicodedata
from collections.abc import Callable

from whisper_tuner.errors import InputError

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
# What a person may choose from, by Python's names. UTF-16 is not among them: it tells itself.
ENCODINGS = (
    *("utf-8", "cp1252", "cp1250", "cp1251", "cp1253", "cp1254", "cp1255", "cp1256", "cp1257"),
    *("cp1258", "cp874", "gb18030", "big5", "cp932", "euc_jp", "cp949", "koi8_r", "mac_roman"),
)
NOT_IN_TEXT = re.compile(r"[\x00-\x08\x0e-\x1f\x7f]")
CP1252_MARKS = frozenset("“”‘’„‚–—…«»‹›°€£§¡¿·•ªº\u00a0")
CP1252_LETTERS = frozenset("ŠšŽžŒœŸ") | {chr(c) for c in range(0xC0, 0x100)} - frozenset("×÷")


def decode_text(data: bytes, name: str, said: str | None = None) -> tuple[str, str, bool]:
    """The text of a file, its encoding, and whether that is certain, not guessed.

    `said`: the encoding a person has chosen, for bytes that do not tell it themselves.

    Raises: InputError text_not_text (NUL characters inside), text_encoding_unknown,
    text_encoding_wrong.
    """
    encoding = certain_encoding(data)
    is_certain = encoding is not None or said is not None
    encoding = encoding or said or guess_encoding(data)
    if encoding is None:
        raise InputError("text_encoding_unknown", file=name)
    text = _decodes(data, encoding)
    if text is None:
        raise InputError("text_encoding_wrong", file=name, encoding=encoding)
    if "\0" in text:
        raise InputError("text_not_text", file=name)
    return text, encoding, is_certain


def certain_encoding(data: bytes) -> str | None:
    """The encoding that the bytes themselves tell: a byte order mark, UTF-8's own pattern, or the
    zeros of UTF-16. ISO-2022-JP looks like ASCII but for its escapes.
    """
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return encoding if _decodes(data, encoding) is not None else None
    if b"\0" in data:
        for encoding in ("utf-16-le", "utf-16-be"):
            text = _decodes(data, encoding)
            if text and not NOT_IN_TEXT.search(text) and re.search("[\r\n]", text):
                return encoding
    is_utf8 = _decodes(data, "utf-8") is not None and b"\x1b" not in data
    return "utf-8" if is_utf8 else None


def possible_encodings(data: bytes) -> list[str]:
    """The encodings in which these bytes mean something, likely or not."""
    found = ((encoding, _decodes(data, encoding)) for encoding in ENCODINGS)
    return [encoding for encoding, text in found if text and not NOT_IN_TEXT.search(text)]


def guess_encoding(data: bytes) -> str | None:
    """The same as `likely_encoding`; where nothing is likely, Eastern Europe's encodings, else any
    that is possible: where a person is to choose, one must be shown first.
    """
    encoding = likely_encoding(data)
    if encoding is not None and not (encoding == "cp1252" and _is_rather_central(data)):
        return encoding
    for encoding, letters in EASTERN.items():
        text = _decodes(data, encoding)
        foreign = {char for char in text or "" if char > "\x7f"}
        is_mixed = MIXED_WORD.search(text or "")
        if foreign and foreign <= letters | CP1252_MARKS | {"№"} and not is_mixed:
            return encoding
    return encoding or next(iter(possible_encodings(data)), None)


def _is_rather_central(data: bytes) -> bool:
    """Czech in cp1252 reads ø, ì, è inside words where French and Italian have them at an end."""
    text = data.decode("cp1252")
    return len(re.findall(r"[øìèùïò](?=[a-zà-ÿ])", text)) > 0.5 * sum(
        c in CP1252_LETTERS for c in text
    )


def likely_encoding(data: bytes) -> str | None:
    """The encoding these bytes are most likely in; None when nothing fits."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return encoding if _decodes(data, encoding) is not None else None
    if _decodes(data, "utf-8") is not None:
        return "utf-8"
    for encoding, fits in GUESSES.items():
        text = _decodes(data, encoding)
        if text is not None and fits([char for char in text if char > "\x7f"], text):
            return encoding
    return None


def _decodes(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_chinese(foreign: list[str], text: str) -> bool:
    """Everyday Chinese: rows 01-03 (marks) and 16-55 (3,755 common characters) of GB 2312.

    Korean in cp949 falls into rows 16-40 only, where Chinese also has 是, 我, 有, 在 (rows 41-55);
    Cyrillic and Greek fall into the rare rows 56-87.
    """
    codes = [char.encode("gb18030") for char in foreign]
    codes = [code for code in codes if len(code) == 2 and code[1] >= 0xA1]
    hanzi = [code[0] for code in codes if 0xB0 <= code[0] <= 0xD7]
    marks = [code[0] for code in codes if 0xA1 <= code[0] <= 0xA3]
    n_late = sum(lead >= 0xC9 for lead in hanzi)
    return len(hanzi) + len(marks) >= 0.9 * len(foreign) and n_late >= 0.1 * len(hanzi) > 0


def _is_japanese(foreign: list[str], text: str) -> bool:
    """Japanese is never without kana; cp932's half-width kana are how Chinese looks in it."""
    n_kana = sum("\u3040" <= char <= "\u30ff" for char in foreign)
    n_half = sum("\uff61" <= char <= "\uff9f" for char in foreign)
    return n_kana >= 0.2 * len(foreign) and n_half <= 0.1 * len(foreign)


def _is_korean(foreign: list[str], text: str) -> bool:
    """Korean syllables; a dozen, because a few could as well be Chinese from rows 16-40."""
    n_hangul = sum("\uac00" <= char <= "\ud7a3" for char in foreign)
    return n_hangul >= max(12, 0.9 * len(foreign))


def _is_western(foreign: list[str], text: str) -> bool:
    """Western European: a few accents among plain letters. Polish would show ³, Russian ïðè."""
    if not set(foreign) <= CP1252_LETTERS | CP1252_MARKS:
        return False
    n_letters = sum(unicodedata.category(char).startswith("L") for char in text)
    return sum(char in CP1252_LETTERS for char in foreign) <= 0.25 * n_letters


GUESSES: dict[str, Callable[[list[str], str], bool]] = {
    "cp932": _is_japanese,
    "gb18030": _is_chinese,
    "cp949": _is_korean,
    "cp1252": _is_western,
}
MIXED_WORD = re.compile("[A-Za-z][\u0400-\u04ff]|[\u0400-\u04ff][A-Za-z]")
EASTERN = {  # the letters of its languages
    "cp1251": frozenset(map(chr, range(0x410, 0x450))) | frozenset("ЁёЄєІіЇїҐґЎў"),
    "cp1250": frozenset(
        "ĄąĆćĘęŁłŃńÓóŚśŹźŻżÁáČčĎďÉéĚěÍíŇňŘřŠšŤťÚúŮůÝýŽžĽľĹĺŔŕÄäÔôÖöŐőÜüŰűĂăÂâÎîŞşŢţĐđ"
    ),
}
