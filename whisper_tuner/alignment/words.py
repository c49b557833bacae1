"""A full text → the words that a recording may be cut between, each with the letters it is known
by. In languages written without spaces every character is a word of its own.
"""

import re
from dataclasses import dataclass

from whisper_tuner.evaluation.normalize import UNSPACED_LANGUAGES, pieces

SENTENCE_END = re.compile(r"[.!?…。！？؟।։።][\"'”’»›)\]」』】]*$")
CLAUSE_END = re.compile(r"[,;:—–،؛、，；：][\"'”’»›)\]」』】]*$")
PARAGRAPH_END = re.compile(r"\n[^\S\n]*\n")
SENTENCE, CLAUSE, WORD = 2, 1, 0  # what ends behind a word


@dataclass(frozen=True, slots=True)
class Word:
    """`shown`: as it stands in the text, with its punctuation and the space behind it; `letters`:
    what is compared; `ends`: SENTENCE, CLAUSE or WORD.
    """

    shown: str
    letters: str
    ends: int


def words(text: str, language: str) -> list[Word]:
    """All words of a text; their `shown` joined are the text in NFC."""
    has_spaces = language not in UNSPACED_LANGUAGES
    found: list[Word] = []
    shown, letters = "", ""
    for piece in pieces(text, language):
        shown, letters = shown + piece.shown, letters + piece.word
        if not has_spaces or not shown or shown[-1].isspace():
            found.append(Word(shown, letters, _ends(shown)))
            shown, letters = "", ""
    if shown:
        found.append(Word(shown, letters, SENTENCE))
    return found


def _ends(shown: str) -> int:
    text = shown.rstrip()
    if SENTENCE_END.search(text) or PARAGRAPH_END.search(shown[len(text) :]):
        return SENTENCE
    return CLAUSE if CLAUSE_END.search(text) or "\n" in shown else WORD


def joined(listed: list[Word]) -> str:
    """The words as the text of a clip: single spaces."""
    return " ".join("".join(word.shown for word in listed).split())
