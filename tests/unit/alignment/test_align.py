"""What was heard and a full text → clips: exact where they agree, and honest where they do not."""

from dataclasses import asdict

import pytest

from tests.unit.alignment.heard import Told, sentences
from whisper_tuner.alignment.align import Piece, align, matched
from whisper_tuner.alignment.review import SURE


def aligned(told: Told, text: str, language: str = "it") -> list[Piece]:
    told.close()
    pieces = align(matched(text, told.windows, told.levels(), language), told.now_s)
    kinds = {type(value) for piece in pieces for value in asdict(piece).values()}
    assert kinds == {float, str}  # no numpy: the review is JSON
    assert all(isinstance(piece.is_sound, bool) for piece in pieces)
    return pieces


def right_text(told: Told, piece: Piece) -> str:
    """What is spoken in a piece; a sentence that is cut apart makes it wrong."""
    inside = []
    for sentence, start_s, end_s in told.spoken:
        overlap_s = min(piece.end_s, end_s) - max(piece.start_s, start_s)
        if overlap_s > 0.01:
            inside.append(sentence if overlap_s > end_s - start_s - 0.02 else f"<{sentence}>")
    return " ".join(inside)


def told(spoken: list[str], share_wrong: float = 0.0, pause_s: float = 0.7) -> Told:
    told = Told(share_wrong, pause_s)
    for sentence in spoken:
        told.say(sentence)
    return told


def clips(pieces: list[Piece]) -> list[Piece]:
    return [piece for piece in pieces if piece.is_sound and piece.text]


@pytest.mark.parametrize("share_wrong", [0.0, 0.25, 0.5])
def test_every_clip_has_its_words_however_badly_it_was_heard(share_wrong):
    spoken = sentences(60)
    recording = told(spoken, share_wrong)
    found = aligned(recording, " ".join(spoken))
    assert [piece.text for piece in found] == [right_text(recording, piece) for piece in found]
    assert " ".join(piece.text for piece in found) == " ".join(spoken)
    assert all(0.8 <= piece.end_s - piece.start_s <= 30.0 for piece in found)
    assert min(piece.confidence for piece in found) >= SURE


def test_a_paragraph_that_nobody_speaks_is_listed_and_shifts_nothing():
    spoken, unspoken = sentences(40), sentences(6, seed=9)
    recording = told(spoken, 0.2)
    found = aligned(recording, " ".join([*spoken[:17], *unspoken, *spoken[17:]]))
    others = [piece for piece in found if not piece.is_sound]
    assert " ".join(piece.text for piece in others) == " ".join(unspoken)
    assert [p.text for p in clips(found)] == [right_text(recording, p) for p in clips(found)]
    assert " ".join(piece.text for piece in clips(found)) == " ".join(spoken)


def test_speech_that_stands_nowhere_is_listed_and_shifts_nothing():
    spoken = sentences(40)
    recording = told(spoken, 0.2)
    found = aligned(recording, " ".join([*spoken[:17], *spoken[23:]]))
    listed = [piece for piece in found if not piece.text]
    start_s, end_s = recording.spoken[17][1], recording.spoken[22][2]
    assert listed[0].start_s <= start_s and listed[-1].end_s >= end_s
    assert sum(p.end_s - p.start_s for p in listed) < end_s - start_s + 1.5
    assert [p.text for p in clips(found)] == [right_text(recording, p) for p in clips(found)]
    assert " ".join(piece.text for piece in found if piece.text) == " ".join(
        [*spoken[:17], *spoken[23:]]
    )


def test_another_text_gives_no_sure_clip():
    recording = told(sentences(30))
    found = aligned(recording, " ".join(sentences(30, seed=77)))
    assert not any(piece.confidence >= SURE for piece in found)
    assert any(not piece.is_sound for piece in found) and any(not piece.text for piece in found)


def test_languages_without_spaces_are_cut_between_characters():
    draw = sentences(40, seed=3)
    table = {letter: chr(0x4E00 + 37 * i) for i, letter in enumerate("abcdefghijklmnopqrstuvwxyz")}
    spoken = [
        "".join(table.get(letter, "") for letter in sentence.lower()) + "。" for sentence in draw
    ]
    recording = told(spoken, 0.0)
    found = aligned(recording, "".join(spoken), "zh")
    assert "".join(piece.text for piece in found) == "".join(spoken)
    wanted = [right_text(recording, piece).replace(" ", "") for piece in found]
    assert [piece.text for piece in found] == wanted


def test_no_recording_and_nothing_heard():
    assert aligned(Told(), "Ciao.") == [Piece(0.0, 0.0, "Ciao.", 0.0)]


def test_one_sentence_that_nobody_speaks():
    spoken, unspoken = sentences(24), sentences(1, seed=5)[0]
    recording = told(spoken, 0.1, pause_s=1.2)
    found = aligned(recording, " ".join([*spoken[:9], unspoken, *spoken[9:]]))
    assert [piece.text for piece in found if not piece.is_sound] == [unspoken]
    assert " ".join(piece.text for piece in clips(found)) == " ".join(spoken)
