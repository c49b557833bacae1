"""Curves and histograms as inline SVG: drawn anew without flicker, in the page's own colours.

Gradio's own line plot fails in the browser when it is updated on a step that is not in view.
"""

import math
from html import escape

WIDTH, HEIGHT = 360, 170  # units of the drawing; the page scales it to its width
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 22  # room for the numbers at the axes
N_TICKS = 4
N_BARS = 12
MAX_EDGES = 8  # numbers below a histogram

Point = tuple[float, float]


def curve(title: str, points: list[Point], unit: str = "") -> str:
    """A figure with one curve; empty as long as there is no line to draw."""
    if len(points) < 2:
        return ""
    xs, ys = zip(*points, strict=True)
    x_ticks = [tick for tick in ticks(min(xs), max(xs)) if tick == int(tick)]
    y_ticks = ticks(min(ys), max(ys))
    low, high = min(ys), max(ys)
    if low == high:
        low, high = low - 1, high + 1  # a flat line runs through the middle

    def across(x: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * (x - xs[0]) / (xs[-1] - xs[0])

    def down(y: float) -> float:
        return TOP + (HEIGHT - TOP - BOTTOM) * (high - y) / (high - low)

    parts = [
        f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down(y):.1f}" y2="{down(y):.1f}"/>'
        f'<text x="{LEFT - 6}" y="{down(y) + 4:.1f}" text-anchor="end">{y:g}{unit}</text>'
        for y in y_ticks
    ]
    parts += [
        f'<text x="{across(x):.1f}" y="{HEIGHT - 6}" text-anchor="middle">{x:g}</text>'
        for x in x_ticks
    ]
    path = " ".join(f"{across(x):.1f},{down(y):.1f}" for x, y in points)
    end = f'<circle cx="{across(xs[-1]):.1f}" cy="{down(ys[-1]):.1f}" r="3"/>'
    told = escape(f"{title}: {points[0][1]:g}{unit} → {points[-1][1]:g}{unit}")
    return (
        f'<figure class="curve"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f'{"".join(parts)}<polyline points="{path}"/>{end}</svg></figure>'
    )


def histogram(title: str, values: list[float], unit: str = "") -> str:
    """A figure with a bar for every range of values; empty when there is none."""
    if not values:
        return ""
    edges, counts = bins(values)
    step = (WIDTH - LEFT - RIGHT) / len(counts)
    down = HEIGHT - BOTTOM
    parts = [f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{down}" y2="{down}"/>']
    for i, count in enumerate(counts):
        height = (down - TOP) * count / max(counts)
        told = escape(f"{edges[i]:g} – {edges[i + 1]:g}{unit}: {count}")
        parts.append(
            f'<rect x="{LEFT + i * step + 1:.1f}" y="{down - height:.1f}" width="{step - 2:.1f}"'
            f' height="{height:.1f}"><title>{told}</title></rect>'
        )
    every = -(-len(edges) // MAX_EDGES)
    parts += [
        f'<text x="{LEFT + i * step:.1f}" y="{HEIGHT - 6}" text-anchor="middle">{edge:g}</text>'
        for i, edge in enumerate(edges[:-1])
        if i % every == 0
    ]
    parts.append(f'<text x="{LEFT - 6}" y="{TOP + 8}" text-anchor="end">{max(counts)}</text>')
    low, middle, high = min(values), sorted(values)[len(values) // 2], max(values)
    told = escape(f"{title}: {low:.1f} … {middle:.1f} … {high:.1f}{unit}")
    return (
        f'<figure class="curve"><figcaption>{escape(title)}</figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{told}">'
        f"{''.join(parts)}</svg></figure>"
    )


def bins(values: list[float]) -> tuple[list[float], list[int]]:
    """Round edges around all values, and how many lie between each two."""
    marks = ticks(min(values), max(values), N_BARS)
    step = marks[1] - marks[0] if len(marks) > 1 else 1.0
    first = math.floor(min(values) / step)
    last = max(first + 1, math.floor(max(values) / step) + 1)
    edges = [round(i * step, 10) for i in range(first, last + 1)]
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(math.floor(value / step) - first, len(counts) - 1)] += 1
    return edges, counts


def ticks(low: float, high: float, n: int = N_TICKS) -> list[float]:
    """About `n` round numbers between `low` and `high`."""
    if low == high:
        return [low]
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(i * step, 10) for i in range(first, last + 1)]
