"""Word and character error rates of transcripts, and the words that differ.

Rates are fractions (0.12 is 12 %) and can exceed 1. A corpus rate is all errors over all reference
words, so that a long clip weighs more than a short one. Both texts of a pair go through
`normalize.pieces`; jiwer finds the alignment with the fewest errors (Levenshtein).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import jiwer

from whisper_tuner.evaluation.normalize import joined, pieces, words


@dataclass(frozen=True)
class Score:
    """Error rates as fractions and the counts behind them.

    In languages written without spaces (`normalize.UNSPACED_LANGUAGES`) a "word" is a character.
    References without a word are left out and counted in `n_empty`. With no reference word at all
    the rates are 0.0: look at `n_words` before showing them.
    """

    wer: float
    cer: float
    n_words: int
    n_chars: int
    n_word_errors: int
    n_char_errors: int
    n_clips: int
    n_empty: int


@dataclass(frozen=True)
class Edit:
    """A stretch of reference and hypothesis as written, capitals and punctuation included.

    Texts carry the white space behind them: all `ref` joined are the reference (in NFC), all `hyp`
    joined the hypothesis. `ref` is empty in an insertion, `hyp` in a deletion.
    """

    op: Literal["equal", "substitute", "insert", "delete"]
    ref: str
    hyp: str


def score(references: Sequence[str], hypotheses: Sequence[str], language: str) -> Score:
    """The corpus score of hypotheses against references, in the same order.

    Raises ValueError when the two differ in length.
    """
    pairs = [
        (words(reference, language), words(hypothesis, language))
        for reference, hypothesis in zip(references, hypotheses, strict=True)
    ]
    kept = [pair for pair in pairs if pair[0]]
    n_empty = len(pairs) - len(kept)
    if not kept:
        return Score(0.0, 0.0, 0, 0, 0, 0, 0, n_empty)
    by_word = jiwer.process_words(
        [" ".join(reference) for reference, _ in kept],
        [" ".join(hypothesis) for _, hypothesis in kept],
    )
    by_character = jiwer.process_characters(
        [joined(reference, language) for reference, _ in kept],
        [joined(hypothesis, language) for _, hypothesis in kept],
    )
    n_words, n_word_errors = _counts(by_word)
    n_chars, n_char_errors = _counts(by_character)
    return Score(
        wer=n_word_errors / n_words,
        cer=n_char_errors / n_chars,
        n_words=n_words,
        n_chars=n_chars,
        n_word_errors=n_word_errors,
        n_char_errors=n_char_errors,
        n_clips=len(kept),
        n_empty=n_empty,
    )


def clip_score(reference: str, hypothesis: str, language: str) -> Score:
    """The score of one clip."""
    return score([reference], [hypothesis], language)


def word_diff(reference: str, hypothesis: str, language: str) -> list[Edit]:
    """What has to change in the reference to become the hypothesis, in reading order.

    Runs of equal, inserted and deleted words are one edit each; each substituted word is its own.
    A text without a word, for instance "…", counts as empty.
    """
    ref, hyp = pieces(reference, language), pieces(hypothesis, language)
    output = jiwer.process_words(
        " ".join(piece.word for piece in ref), " ".join(piece.word for piece in hyp)
    )
    edits = []
    for chunk in output.alignments[0]:
        ref_shown = [piece.shown for piece in ref[chunk.ref_start_idx : chunk.ref_end_idx]]
        hyp_shown = [piece.shown for piece in hyp[chunk.hyp_start_idx : chunk.hyp_end_idx]]
        if chunk.type == "substitute":
            pairs = zip(ref_shown, hyp_shown, strict=True)
            edits.extend(Edit("substitute", *pair) for pair in pairs)
        else:
            edits.append(Edit(chunk.type, "".join(ref_shown), "".join(hyp_shown)))
    return edits


def _counts(output: jiwer.WordOutput | jiwer.CharacterOutput) -> tuple[int, int]:
    """Units in the references, and errors."""
    n_units = output.hits + output.substitutions + output.deletions
    return n_units, output.substitutions + output.deletions + output.insertions
