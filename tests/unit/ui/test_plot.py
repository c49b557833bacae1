"""Curves as SVG."""

import re

import pytest

from whisper_tuner.ui.plot import HEIGHT, WIDTH, bins, curve, histogram, ticks


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0, 10, [0, 5, 10]),
        (1, 4, [1, 2, 3, 4]),
        (0.18, 0.42, [0.2, 0.3, 0.4]),
        (3, 3, [3]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low, high, expected):
    assert ticks(low, high) == expected


@pytest.mark.parametrize(
    "points",
    [
        [(0, 5.0), (10, 1.0), (75, 0.25)],
        [(1, 2.0), (2, 2.0)],
        [(1, 0.0), (2, 0.0)],
        [(1, 1e-7), (1000, 3e7)],
    ],
)
def test_everything_is_inside_the_drawing(points):
    drawn = re.search(r'<polyline points="([^"]+)"', curve("Loss", points)).group(1)
    pairs = [tuple(map(float, pair.split(","))) for pair in drawn.split()]
    assert len(pairs) == len(points)
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in pairs)


def test_one_point_is_no_curve():
    assert curve("Loss", [(1, 2.0)]) == "" == curve("Loss", [])


def test_title_and_ends_are_there_for_who_cannot_see_it():
    html = curve("WER & more", [(0, 50.0), (5, 12.5)], "%")
    assert 'aria-label="WER &amp; more: 50% → 12.5%"' in html


@pytest.mark.parametrize(
    ("values", "edges", "counts"),
    [
        ([0.5, 1.5, 1.6, 1.9], [0.4, 0.6, 0.8, 1, 1.2, 1.4, 1.6, 1.8, 2], None),
        ([3.0], [3, 4], [1]),
        ([-3.0, -1.0], None, None),
    ],
)
def test_every_value_is_in_one_bin(values, edges, counts):
    found_edges, found_counts = bins(values)
    assert sum(found_counts) == len(values) and len(found_edges) == len(found_counts) + 1
    assert found_edges[0] <= min(values) and max(values) <= found_edges[-1]
    assert edges is None or found_edges == edges
    assert counts is None or found_counts == counts


def test_a_histogram_says_what_it_shows():
    svg = histogram("Length <s>", [1.0, 2.0, 2.1, 9.0], " s")
    assert 'aria-label="Length &lt;s&gt;: 1.0 … 2.1 … 9.0 s"' in svg
    assert "<title>2 – 3 s: 2</title>" in svg and "nan" not in svg
    assert histogram("Nothing", []) == ""
