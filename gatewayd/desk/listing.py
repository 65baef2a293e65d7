"""The list of ports as a person sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

WIDTH: Final = 79
NARROWEST: Final = 40


@dataclass(frozen=True, slots=True)
class Entry:
    """A port. `state` is one word, `who` and `about` are for people; `owner` is who holds it, in
    words; empty if nobody does, or not for long."""

    name: str
    state: str
    who: str = ""
    about: str = ""
    owner: str = ""


def table(entries: Sequence[Entry], width: int = WIDTH) -> list[str]:
    """A line for each, plain ASCII, with its number."""
    rows = [(str(n), one.name, one.state, one.who) for n, one in enumerate(entries, 1)]
    sizes = [max((len(row[column]) for row in rows), default=0) for column in range(4)]
    lines = []
    for row, one in zip(rows, entries, strict=True):
        number, *words = row
        cells = (word.ljust(size) for word, size in zip(words, sizes[1:], strict=True))
        text = "   ".join((number.rjust(sizes[0]), *cells, one.about))
        lines.append(plain(f"  {text}".rstrip())[: max(width, NARROWEST)])
    return lines


def plain(text: str) -> str:
    """Without what a terminal may not have, or would act on."""
    return "".join(one if one.isascii() and one.isprintable() else "?" for one in text)
