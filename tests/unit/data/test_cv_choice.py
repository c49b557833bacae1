"""The first clips to come, and no sentence on both sides."""

from whisper_tuner.data.cv_archive import Row
from whisper_tuner.data.cv_choice import FirstToCome


def row(clip: str, sentence: str) -> Row:
    return Row(clip, sentence, "s", 2)


POOLS = {
    "train": [row("a1", "Un."), row("a2", "Dau."), row("a3", "Tri.")],
    "test": [row("b1", "UN!"), row("b2", "Pedwar.")],
}


def taken(order: list[str], n_train: int = 9, n_test: int = 9) -> tuple[list[str], bool]:
    """The clips that are taken when they come in this order, and whether that is all."""
    choice, found = FirstToCome(POOLS, n_train, n_test), []
    for clip in order:
        if choice.take(clip):
            found.append(clip)
    return found, choice.is_made


def test_a_sentence_stays_on_the_side_that_came_first():
    assert taken(["b1", "a1", "a2", "x"]) == (["b1", "a2"], False)
    assert taken(["a1", "b1", "b2"]) == (["a1", "b2"], False)
    assert taken(["a1", "a2", "a3", "b1", "b2"]) == (["a1", "a2", "a3", "b2"], True)


def test_enough_is_enough():
    assert taken(["a1", "a2", "b2"], 1, 1) == (["a1", "b2"], True)
    assert taken(["a1", "a2"], 1, 1) == (["a1"], False)
    assert taken(["a1", "a1"], 9, 9)[0] == ["a1"]


def test_without_sides():
    choice = FirstToCome({"": POOLS["train"]}, 1, 1)
    assert [bool(choice.take(clip)) for clip in ("a3", "b1", "a1")] == [True, False, True]
    assert choice.is_made
