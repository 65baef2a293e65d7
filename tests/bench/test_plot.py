"""Plots are well-formed and hold every point."""

from __future__ import annotations

import itertools
from xml.etree import ElementTree

import pytest

from bench.plot import HEIGHT, WIDTH, Axis, Series, decades, line_plot

SVG = "{http://www.w3.org/2000/svg}"


def test_every_point_lies_on_the_canvas() -> None:
    series = [
        Series("a & b", [(1, 0.2), (16, 3), (256, 80)]),
        Series("c", [(1, 0.2), (256, 80)]),
    ]
    tree = ElementTree.fromstring(line_plot("title <1>", "x", "y", series))
    circles = tree.findall(f"{SVG}circle")
    assert len(circles) == 5
    for circle in circles:
        assert 0 < float(circle.attrib["cx"]) < WIDTH
        assert 0 < float(circle.attrib["cy"]) < HEIGHT
    texts = [text.text for text in tree.iter(f"{SVG}text")]
    assert {"title <1>", "a & b", "c", "x", "y"} <= set(texts)


def test_labels_of_lines_that_end_together_do_not_touch() -> None:
    series = [Series(name, [(1, 1), (2, 5)]) for name in ("a", "b", "c")]
    tree = ElementTree.fromstring(line_plot("", "x", "y", series))
    heights = sorted(
        float(text.attrib["y"]) for text in tree.iter(f"{SVG}text") if text.text in ("a", "b", "c")
    )
    assert min(b - a for a, b in itertools.pairwise(heights)) >= 12


@pytest.mark.parametrize("values", [[1.0], [0.3, 70], [5, 5], [0.0002, 900000]])
def test_marks_enclose_the_values(values: list[float]) -> None:
    marks = decades(values)
    assert marks[0] <= min(values)
    assert max(values) <= marks[-1]
    assert len(marks) > 1
    assert 0 <= Axis("", marks).place(values[0]) <= 1
