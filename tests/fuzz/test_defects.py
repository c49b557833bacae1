"""Forty kinds of defects are all named, clean rows are not refused, copies stay together. Short."""

from benchmarks.fuzz_parts.clean import clean_rows
from benchmarks.fuzz_parts.defects import count_defects, words
from benchmarks.fuzz_parts.leaks import count_leaks


def test_every_kind_of_defect_is_named_and_no_clean_row_refused(tmp_path):
    figures = count_defects(tmp_path, words, n_clean=200)
    assert figures["missed"] == []
    assert (figures["defects"], figures["defects_named"]) == (40, 40)
    assert (figures["clean_rows"], figures["false_refusals"]) == (200, 0)
    assert figures["false_warnings"] <= 2


def test_copies_stay_on_one_side_of_the_split(tmp_path):
    figures = count_leaks(tmp_path, words, n_clean=200, n_copies=30)
    assert (figures["exact_tied"], figures["exact_apart"]) == (30, 0)
    assert figures["near_tied"] >= 29 and figures["near_apart"] <= 1
    assert figures["false_ties"] <= 2 and figures["test_clips"] >= 40


def test_the_clean_rows_are_as_many_as_asked_for_and_named_apart():
    rows = clean_rows(2000)
    assert len({row.name for row in rows}) == 2000
    assert {row.split for row in rows} == {"train", "test"}
