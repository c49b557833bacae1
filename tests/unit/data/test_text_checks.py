"""What is odd about a transcript is named with its evidence; ordinary ones are left alone."""

import pytest

from whisper_tuner.data import text_checks
from whisper_tuner.data.clips import Clip
from whisper_tuner.data.split import sentence_key


def clip(text: str, name: str = "a.wav", seconds: float = 3.0) -> Clip:
    return Clip("1", "clips/1.flac", text, name, seconds, 3, "train", row=7)


def many(*texts: str) -> list[Clip]:
    return [clip(text, f"{i}.wav") for i, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("text", "found", "plain"),
    [
        ("<b>Hello</b> there", "<b> </b>", "Hello there"),
        (r"{\an8}Up there.", r"{\an8}", "Up there."),
        ("So [noise] it goes", "[noise]", "So it goes"),
        ("(laughs) Yes, [breath].", "(laughs) [breath]", "Yes,."),
        ("00:01:02,345 --> 00:01:04,000 Here", "00:01:02,345 --> 00:01:04,000", "Here"),
        ("Salt &amp; pepper", "&amp;", "Salt & pepper"),
        ("♪ la la ♪", "♪ ♪", "la la"),
        ("SPEAKER 1: Good morning", "SPEAKER 1:", "Good morning"),
        ("**bold** word", "** **", "bold word"),
    ],
)
def test_markup(text: str, found: str, plain: str) -> None:
    finding = text_checks.markup(clip(text))
    assert finding and finding.params == {"found": found} and finding.row == 7
    assert text_checks.strip_markup(text) == plain


@pytest.mark.parametrize(
    "text",
    [
        "At 12:30 he came (so they say).",
        "The price is 3.50 & rising, isn't it?",
        "a < b and c > d is not a tag of eighty letters" + " and so on" * 8,
        "L’été, c’est à 20 °C — non ?",
        "ご飯を食べます。「はい」",
        "今天，天气好。",
        "Привет, мир! №5",
        "می\u200cخواهم",
        "Naïve Straße, señor ¿qué? 1º",
    ],
)
def test_ordinary_texts(text: str) -> None:
    assert [check(clip(text)) for check in text_checks.CHECKS] == [None] * 5
    assert text_checks.strip_markup(text) == text
    assert text_checks.normalise_characters(text) == text
    assert text_checks.ungarble(text) == text


@pytest.mark.parametrize(
    ("text", "found", "plain"),
    [
        ("ﬁne oﬀer", "ﬁ × 1, ﬀ × 1", "fine offer"),
        ("Well done 👍👍.", "👍 × 2", "Well done."),
        ("A−B", "− × 1", "A-B"),
        ("it´s", "´ × 1", "it's"),
        ("Ｆｕｌｌ", "Ｆ × 1, ｕ × 1, ｌ × 2", "Full"),
        ("brand™ name", "™ × 1", "brand name"),
    ],
)
def test_odd_characters(text: str, found: str, plain: str) -> None:
    finding = text_checks.odd_characters(clip(text))
    if "ｌ" in text:
        found = "ｌ × 2, Ｆ × 1, ｕ × 1"  # most frequent first
    assert finding and finding.params["found"] == found
    assert text_checks.normalise_characters(text) == plain


def test_lost_and_garbled_characters() -> None:
    lost = text_checks.lost_characters(clip("caf\ufffd"))
    assert lost and lost.params == {"n": 1}
    garbled = text_checks.garbled(clip("CaffÃ¨ e perchÃ©"))
    assert garbled and garbled.params == {"fixed": "Caffè e perché"}


def test_letters_that_only_look_alike() -> None:
    found = text_checks.mixed_scripts(clip("The p\u0430ssword is long"))
    assert found and found.params == {"found": "p\u0430ssword"}
    assert text_checks.mixed_scripts(clip("das Wort привет ist russisch")) is None


def test_a_line_in_another_script() -> None:
    greek = ["Καλημέρα σας", "Τι κάνεις", "Όλα καλά", "Το σπίτι", "Η θάλασσα"] * 4
    found = text_checks.other_script(many(*greek, "good morning", "Καλά OK"))
    assert [(f.code, f.clip) for f in found] == [("script_unlike", "20.wav")]
    assert found[0].params == {"found": "d g i m n o r", "usual": "Greek"}
    assert text_checks.other_script(many("abc def", "где")) == []  # too few to tell
    japanese = ["カタカナ", "ひらがな", "漢字仮名", "これは本です"] * 5
    assert text_checks.other_script(many(*japanese)) == []


def test_habits_that_a_transcript_breaks() -> None:
    usual = [f"This is sentence number {word}." for word in "abcdefghijklmnopqrstuvwx"]
    odd = ["THIS ONE IS ALL CAPITALS.", "this one has none.", "This one has no stop"]
    codes = [f.code for h in text_checks.HABITS for f in text_checks.unlike_others(many(*usual), h)]
    assert codes == []
    found = [
        (finding.code, finding.clip, finding.params["n"])
        for habit in text_checks.HABITS
        for finding in text_checks.unlike_others(many(*usual, *odd), habit)
    ]
    assert found == [
        ("punctuation_open", "26.wav", 26),
        ("casing_upper", "24.wav", 25),
        ("casing_lower", "25.wav", 25),
    ]


def test_numbers_and_quotes_in_two_ways() -> None:
    texts = [f"It's {n} o'clock" for n in range(3, 25)] + ["It’s three o’clock"]
    found = [f for h in text_checks.HABITS for f in text_checks.unlike_others(many(*texts), h)]
    assert [(f.code, f.clip) for f in found] == [
        ("quotes_curly", "22.wav"),
        ("numbers_words", "22.wav"),
    ]


def test_a_word_or_a_name_breaks_no_habit() -> None:
    usual = [f"This is sentence number {word}." for word in "abcdefghijklmnopqrstuvwx"]
    texts = many(*usual, "S3", "yes", "OK", "Nein!")
    assert [f for h in text_checks.HABITS for f in text_checks.unlike_others(texts, h)] == []


def test_sentences_read_twice_are_counted_not_blamed() -> None:
    texts = many("Yes.", "No.", "yes", "Yes!", "Perhaps", "no")
    (found,) = text_checks.repeated_texts(texts, sentence_key)
    assert (found.code, found.clip, found.refused) == ("texts_repeat", "", False)
    assert found.params == {"n_sentences": 2, "n_clips": 5, "example": "Yes.", "times": 3}
    assert text_checks.repeated_texts(many("a", "b"), sentence_key) == []
