"""Line plots as SVG, by hand: a few series over a few points, both axes logarithmic or not."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 640, 400
LEFT, RIGHT, TOP, BOTTOM = 64, 150, 44, 52
COLOURS = ("#0b6e4f", "#c2410c", "#d99a2b", "#64748b", "#7c3aed")


@dataclass(frozen=True, slots=True)
class Series:
    """A named line through points (x, y), both above 0."""

    name: str
    points: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Axis:
    """A logarithmic axis: what it shows, and the values that get a mark."""

    title: str
    marks: Sequence[float]

    def place(self, value: float) -> float:
        """Where a value lies between the first mark (0) and the last (1)."""
        low, high = math.log(self.marks[0]), math.log(self.marks[-1])
        return (math.log(value) - low) / (high - low)


def decades(values: Sequence[float]) -> list[float]:
    """Marks 1, 2, 5, 10, 20 ... around all the values."""
    steps = [digit * 10.0**power for power in range(-4, 7) for digit in (1, 2, 5)]
    low = max(step for step in steps if step <= min(values))
    high = min(step for step in steps if step >= max(values))
    return [step for step in steps if low <= step <= (high if high > low else high * 2.6)]


def line_plot(title: str, x_title: str, y_title: str, series: Sequence[Series]) -> str:
    """An SVG document with all the series, a legend at the line ends, and a grid."""
    xs = sorted({x for line in series for x, _ in line.points})
    x_axis = Axis(x_title, xs)
    y_axis = Axis(y_title, decades([y for line in series for _, y in line.points]))
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(LEFT, 24, title, "start", size=15),
        *_grid(x_axis, y_axis),
    ]
    labels = _label_heights([_y(y_axis, line.points[-1][1]) for line in series])
    for line, colour, label in zip(series, COLOURS, labels, strict=False):
        at = [(_x(x_axis, x), _y(y_axis, y)) for x, y in line.points]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in at)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in at]
        parts.append(_text(WIDTH - RIGHT + 10, label + 4, line.name, "start", colour))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _x(axis: Axis, value: float) -> float:
    return LEFT + axis.place(value) * (WIDTH - LEFT - RIGHT)


def _y(axis: Axis, value: float) -> float:
    return HEIGHT - BOTTOM - axis.place(value) * (HEIGHT - TOP - BOTTOM)


def _grid(x_axis: Axis, y_axis: Axis) -> list[str]:
    parts = []
    for mark in x_axis.marks:
        x = _x(x_axis, mark)
        parts.append(_rule(x, TOP, x, HEIGHT - BOTTOM))
        parts.append(_text(x, HEIGHT - BOTTOM + 18, f"{mark:g}", "middle"))
    for mark in y_axis.marks:
        y = _y(y_axis, mark)
        parts.append(_rule(LEFT, y, WIDTH - RIGHT, y))
        parts.append(_text(LEFT - 8, y + 4, f"{mark:g}", "end"))
    middle = LEFT + (WIDTH - LEFT - RIGHT) / 2
    parts.append(_text(middle, HEIGHT - 14, x_axis.title, "middle"))
    height = TOP + (HEIGHT - TOP - BOTTOM) / 2
    turned = _text(0, 0, y_axis.title, "middle")
    parts.append(f'<g transform="translate(16 {height:.1f}) rotate(-90)">{turned}</g>')
    return parts


def _label_heights(wanted: Sequence[float], apart: float = 15) -> list[float]:
    """Heights near the wanted ones at which labels do not touch each other."""
    heights = list(wanted)
    order = sorted(range(len(heights)), key=lambda i: heights[i])
    for above, below in itertools.pairwise(order):
        heights[below] = max(heights[below], heights[above] + apart)
    return heights


def _rule(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="#e2e8f0"/>'


def _text(x: float, y: float, text: str, anchor: str, fill: str = "#334155", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{fill}" '
        f'font-size="{size}">{escape(text)}</text>'
    )
