"""The long form is `python -m benchmarks.fuzz_parts.tables`."""

from dataclasses import replace

import pytest

from benchmarks.fuzz_parts import tables


@pytest.mark.parametrize(
    "encodings", [tables.ENCODINGS, tables.MORE_ENCODINGS], ids=["ten", "more"]
)
def test_every_table_is_right_or_a_question(encodings: dict) -> None:
    figures = tables.run(seed=0, encodings=encodings)
    assert figures["tables"] == 20 * len(encodings)
    assert figures["tables_wrong"] == []
    assert figures["tables_right_or_asked"] == figures["tables"]
    assert figures["tables_right_once_answered"] == figures["tables"]
    # Unicode says what it is: what is asked there is only what no header tells.
    n_unicode = 20 * sum(encoding.startswith("utf") for encoding in encodings)
    assert figures["tables_right"] > 0.7 * n_unicode


def test_a_wrong_answer_is_scored_as_wrong() -> None:
    case = next(case for case in tables.generate() if case.traits[0] == "cp1251")
    assert tables.score(case) == ("asked", True)
    case = replace(case, answer=replace(case.answer, encoding="cp1252"))
    assert tables.score(case) == ("asked", False)
    right = next(case for case in tables.generate() if tables.score(case)[0] == "right")
    shifted = [(file, text[::-1]) for file, text in right.rows]
    assert tables.score(replace(right, rows=shifted))[0] == "wrong"
