"""A curve as inline SVG: drawn anew every second without flicker, in the page's own colours.

Gradio's own line plot fails in the browser when it is updated on a step that is not in view.
"""

import math
from html import escape

WIDTH, HEIGHT = 360, 170  # units of the drawing; the page scales it to its width
LEFT, RIGHT, TOP, BOTTOM = 52, 10, 10, 22  # room for the numbers at the axes
N_TICKS = 4

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


def ticks(low: float, high: float, n: int = N_TICKS) -> list[float]:
    """About `n` round numbers between `low` and `high`."""
    if low == high:
        return [low]
    rough = (high - low) / n
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * nice for nice in (1, 2, 5, 10) if power * nice >= rough)
    first, last = math.ceil(low / step), math.floor(high / step)
    return [round(i * step, 10) for i in range(first, last + 1)]
