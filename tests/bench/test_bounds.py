"""The bounds of the benchmark: none is looser than the one that was published."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pytest

from bench.publish import TABLES
from bench.work import FULL, Must, Work, catalogue, unpinned

BOUND: Final = re.compile(r"([≤≥]) ([\d.]+)(?: \N{MULTIPLICATION SIGN} (\w+))?")


def parsed(text: str) -> tuple[str, float, str]:
    """Its sense, its limit, and what it is a ratio to."""
    if text == "0":
        return "≤", 0.0, ""
    found = BOUND.fullmatch(text)
    assert found is not None, text
    return found[1], float(found[2]), found[3] or ""


def looser(now: str, before: str) -> bool:
    """Whether one bound lets more pass than another, or is none of the same kind."""
    (sense, limit, to), (sense_before, limit_before, to_before) = parsed(now), parsed(before)
    if (sense, to) != (sense_before, to_before):
        return True
    return limit > limit_before if sense == "≤" else limit < limit_before


def published(document: Path, name: str = "") -> Iterator[tuple[str, str, str]]:
    """The bounds in a document's table, or in the one that has this name: work, figure, bound."""
    mark = f"<!-- bench {name} -->\n" if name else "<!-- bench -->\n"
    table = document.read_text().partition(mark)[2].partition("<!-- /bench -->")[0]
    title = ""
    for line in table.splitlines():
        if not line.startswith("|"):
            continue
        cells = [cell.strip() for cell in line[1:-1].split("|")]
        title = cells[0] or title
        if cells[-2] not in ("", "must", "---"):
            for bound in cells[-2].split(", "):
                yield title, cells[1], bound


def judge(works: Sequence[Work], found: Sequence[tuple[str, str, str]]) -> None:
    now: dict[tuple[str, str], list[str]] = {}
    for work in works:
        for figure in work.figures:
            now.setdefault((work.title, figure.title), []).extend(map(str, figure.musts))
    assert found
    for title, name, bound in found:
        bounds = now.get((title, name), [])
        assert any(not looser(one, bound) for one in bounds), (title, name, bound, bounds)


@pytest.mark.parametrize("document", TABLES, ids=lambda path: path.name)
def test_no_bound_is_looser_than_the_published_one(document: Path) -> None:
    judge(catalogue(FULL), list(published(document)))


def test_nor_is_one_without_a_core_for_each_process() -> None:
    document = next(path for path in TABLES if path.name == "performance.md")
    judge(unpinned(catalogue(FULL)), list(published(document, "unpinned")))


@pytest.mark.parametrize(
    ("now", "before", "is_looser"),
    [
        (Must(1.1, "tuned"), Must(1.0, "tuned"), True),
        (Must(0.9, "tuned"), Must(1.0, "tuned"), False),
        (Must(1.0, "ser2net"), Must(1.0, "tuned"), True),
        (Must(10, "ser2net", at_least=True), Must(12, "ser2net", at_least=True), True),
        (Must(12, "ser2net", at_least=True), Must(10, "ser2net", at_least=True), False),
        (Must(1), Must(0), True),
        (Must(0), Must(0), False),
    ],
)
def test_what_is_looser(now: Must, before: Must, is_looser: bool) -> None:
    assert looser(str(now), str(before)) is is_looser
