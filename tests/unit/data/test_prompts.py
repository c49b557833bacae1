"""Sentences out of whatever a person pastes or uploads; what is no sentence is said."""

from pathlib import Path

import pytest

from tests.sheets import write_xlsx
from whisper_tuner.data import prompts
from whisper_tuner.data.prompts import check, read_file
from whisper_tuner.errors import InputError
from whisper_tuner.narrate import finding_sentence


def count(text: str) -> int:
    return 4 + len(text.split())


def test_every_line_is_a_sentence_or_is_said():
    long = " ".join(["Wörterbuch"] * 40)
    many = "a " * 460
    given = f" Uno  due. \n\nuno due\n…\n<br>\n{long}\n{many}\nTre\u200b \tquattro!\n   \n"
    found = check(given, count)
    assert found.sentences == ["Uno due.", "Tre quattro!"]
    assert {(f.code, f.row) for f in found.findings} == {
        ("sentence_again", 3),
        ("sentence_no_words", 4),
        ("sentence_no_words", 5),
        ("sentence_too_long", 6),
        ("sentence_too_long", 7),
        ("sentences_blank", None),
    }
    for lang in ("en", "zh"):
        told = [finding_sentence(finding, lang) for finding in found.findings]
        assert all("{" not in sentence for sentence in told)
    assert "line 1" in finding_sentence(found.findings[0]) and "2" in finding_sentence(
        found.findings[-1]
    )


def test_too_many_tokens_are_said_even_where_reading_is_quick():
    odd = "ઞ" * 200  # three bytes each, and no tokens of their own
    assert [f.code for f in check(odd, lambda _: 449).findings] == ["sentence_too_many_tokens"]
    assert check(odd, lambda _: 448).sentences == [odd]


def test_too_many_lines_and_too_much_text(monkeypatch):
    monkeypatch.setattr(prompts, "MAX_SENTENCES", 3)
    found = check("\n".join(f"Satz {i}" for i in range(5)), count)
    assert len(found.sentences) == 3
    assert [(f.code, f.params["n"]) for f in found.findings] == [("sentences_over", 2)]
    with pytest.raises(InputError):
        check("é" * prompts.MAX_BYTES, count)


def test_a_dense_script_takes_as_long_to_read():
    assert 2 < prompts.reading_s("走廊里的老钟每过一刻钟就响一次。") < 8
    assert 2 < prompts.reading_s("The old clock strikes every quarter.") < 8


def save(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("name", "data", "wanted", "guess"),
    [
        ("a.txt", "Grüß Gott.\r\nServus, Anna!".encode(), ["Grüß Gott.", "Servus, Anna!"], ""),
        ("a.TXT", "Grüß Gott.\nServus".encode("utf-16"), ["Grüß Gott.", "Servus"], ""),
        (
            "a.txt",
            "Schöne Grüße\nfür dich".encode("cp1252"),
            ["Schöne Grüße", "für dich"],
            "cp1252",
        ),
        ("a.csv", b"id;sentence\n1;One, two\n2;Three\n", ["One, two", "Three"], ""),
        ("a.csv", b"One, two, three.\nFour five.\nSix, seven.\n", None, ""),
        ("a.csv", b"One, two.\nFour, five.\n", None, ""),
        ("a.csv", b"Only words\nMore words\n", ["Only words", "More words"], ""),
        ("a.tsv", b"k1\tA longer sentence\nk2\tAnother one here\n", ["A longer sentence"], ""),
        ("a.csv", "Satz\nSchöne Grüße für Jürgen\n".encode("cp1252"), ["Satz"], "cp1252"),
        ("a.jsonl", b'{"id": 1, "text": "One"}\n{"id": 2, "text": "Two"}\n', ["One", "Two"], ""),
    ],
)
def test_files_become_lines(tmp_path, name, data, wanted, guess):
    text, encoding = read_file(save(tmp_path, name, data), name)
    lines = text.splitlines()
    if wanted is None:  # lines of text that are called a table
        wanted = data.decode().splitlines()
    assert lines[: len(wanted)] == wanted and encoding == guess


def test_spreadsheets(tmp_path):
    rows = [["Nr", "Prompt"], [1, "Buongiorno a tutti"], [2, "=SUM(1)"], [3, "Ciao"]]
    path = write_xlsx(tmp_path / "a.xlsx", rows)
    assert read_file(path, "mine.xlsx")[0].splitlines() == ["Buongiorno a tutti", "=SUM(1)", "Ciao"]


@pytest.mark.parametrize(
    ("name", "data"), [("a.pdf", b"%PDF"), ("a.xlsx", b"no zip"), ("a.txt", b"a\0b\0c" * 9)]
)
def test_other_files_are_refused_in_a_sentence(tmp_path, name, data):
    with pytest.raises(InputError) as caught:
        read_file(save(tmp_path, name, data), name)
    assert name in str(caught.value)
