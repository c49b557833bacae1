"""Text → the words that are counted, each with the piece of the text it was read from.

One rule for every language, for references and hypotheses, for the base and the tuned model:

- NFKC and casefold, so that composed and decomposed letters, full-width letters and capitals agree.
- Punctuation (P*) and symbols (S*) become a space, as in the basic normaliser of the Whisper paper
  (arXiv 2212.04356, appendix C). So does every apostrophe, also those that Unicode counts as
  letters: Italian "dell'audio" is two words, English "don't" is "don" and "t".
- Combining marks (M*) are kept, which that normaliser does not do: without them Hindi, Thai, Tamil,
  pointed Hebrew and Arabic are other words, and a word error rate means nothing.
- Invisible format characters (Cf: joiners, direction marks, soft hyphens) are dropped.
- Languages written without spaces are counted by character (a base character with its marks);
  foreign words and numbers inside them stay whole.
"""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

UNSPACED_LANGUAGES = frozenset({"zh", "yue", "ja", "th", "lo", "my", "km", "bo"})

# Letters that are typed for an apostrophe: Ukrainian, Hawaiian, Hebrew transliteration.
_LETTER_APOSTROPHES = frozenset("\u02b9\u02bb\u02bc\u02bd")
_DOTTED_I = "i\u0307"  # what casefold makes of the Turkish capital I with a dot
# Letters by category that are written on the character before: half-width Japanese voicing marks,
# and the Thai and Lao vowel "am" (as in UAX 29, table 2).
_JOINING = frozenset("\uff9e\uff9f\u0e33\u0eb3")

# Unicode blocks of the scripts written without spaces.
_UNSPACED = re.compile(
    "["
    "\u0e00-\u0eff"  # Thai, Lao
    "\u0f00-\u0fff"  # Tibetan
    "\u1000-\u109f\ua9e0-\ua9ff\uaa60-\uaa7f"  # Myanmar
    "\u1780-\u17ff\u19e0-\u19ff"  # Khmer
    "\u3005-\u3007\u3021-\u3029\u3031-\u3035\u303b"  # iteration marks, zero, Hangzhou numerals
    "\u3041-\u30ff\u31f0-\u31ff"  # Hiragana, Katakana
    "\u2e80-\u2fdf\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Han
    "]"
)


@dataclass(frozen=True)
class Piece:
    """One counted word and the stretch of the text that shows it, its punctuation included."""

    shown: str
    word: str


def _clusters(text: str) -> Iterator[str]:
    """Base characters with everything that combines with them."""
    start = 0
    for i in range(1, len(text)):
        category = unicodedata.category(text[i])
        if category[0] != "M" and category != "Cf" and text[i] not in _JOINING:
            yield text[start:i]
            start = i
    if text:
        yield text[start:]


def _fold(cluster: str) -> str:
    """One cluster as it is compared: letters, digits and marks; a space stands for a separator."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", cluster).casefold())
    has_base = unicodedata.category(cluster[0])[0] != "M"
    kept: list[str] = []
    for char in folded.replace(_DOTTED_I, "i"):
        category = unicodedata.category(char)
        if char.isspace() or category[0] in "PS" or char in _LETTER_APOSTROPHES:
            kept.append(" ")
        elif category[0] == "M" and (kept[-1] == " " if kept else not has_base):
            continue  # a mark whose base was a symbol, as in an emoji or a spacing accent
        elif category[0] != "C" or category == "Co":
            kept.append(char)
    return "".join(kept)


def _gap_end(gap: str) -> int:
    """Where a gap between two words is cut: opening quotes and brackets go to the second word."""
    after_space = max((i + 1 for i, char in enumerate(gap) if char.isspace()), default=0)
    if after_space:
        return after_space
    end = len(gap)
    while end and unicodedata.category(gap[end - 1]) in ("Ps", "Pi"):
        end -= 1
    return end


def pieces(text: str, language: str) -> list[Piece]:
    """The counted words of a text. The pieces' `shown` joined are the text in NFC, unless no word.

    The text is composed first (NFC): files written on a Mac hold Korean in single letters.
    """
    by_character = language in UNSPACED_LANGUAGES
    shown: list[str] = []
    words: list[str] = []
    gap = ""  # separators read since the last letter
    is_open = False  # whether the next letter continues the last word
    for cluster in _clusters(unicodedata.normalize("NFC", text)):
        folded = _fold(cluster)
        parts = folded.split()
        if not parts:
            gap += cluster
            is_open = is_open and " " not in folded
            continue
        is_character = by_character and bool(_UNSPACED.match(parts[0]))
        if is_open and not is_character and not folded.startswith(" "):
            shown[-1] += gap + cluster
            words[-1] += parts[0]
        else:
            cut = _gap_end(gap) if words else 0
            if words:
                shown[-1] += gap[:cut]
            shown.append(gap[cut:] + cluster)
            words.append(parts[0])
        shown.extend("" for _ in parts[1:])  # one character, two words: a vulgar fraction
        words.extend(parts[1:])
        gap = ""
        is_open = not is_character and not folded.endswith(" ")
    if words:
        shown[-1] += gap
    return [Piece(*pair) for pair in zip(shown, words, strict=True)]


def words(text: str, language: str) -> list[str]:
    """The counted words of a text; in languages written without spaces, its characters."""
    return [piece.word for piece in pieces(text, language)]


def joined(counted: list[str], language: str) -> str:
    """Counted words as a text; languages written without spaces get none."""
    return ("" if language in UNSPACED_LANGUAGES else " ").join(counted)


def normalize(text: str, language: str = "") -> str:
    """The text as its characters are counted."""
    return joined(words(text, language), language)
