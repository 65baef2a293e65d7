"""What is wrong in a configuration, and where."""

from __future__ import annotations

from collections.abc import Iterable

from gatewayd.errors import GatewayError
from gatewayd.value import Ordered


class Place(Ordered):
    """A position in a file; lines and columns count from 1.

    Line 0 means the whole: a file that cannot be read, or an option of the command line, whose name
    is then in `file`.
    """

    file: str
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file


class Problem(Ordered):
    """One thing that is wrong: `FILE:LINE:COLUMN: what was found; what would do`."""

    place: Place
    text: str

    def __str__(self) -> str:
        return f"{self.place}: {self.text}"


class ConfigError(GatewayError):
    """A configuration was refused; `problems` is what is wrong with it, in file order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(map(str, self.problems)))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """What to write instead of `word`: the most similar of `known`, else all of them."""
    known = tuple(known)
    meant = most_similar(word, known)
    return "write " + alternatives(known) if meant is None else f"did you mean '{meant}'?"


def most_similar(word: str, known: Iterable[str]) -> str | None:
    """What of `known` was probably meant by `word`."""
    import difflib  # not in the memory of a daemon

    folded = {candidate.lower(): candidate for candidate in known}
    similar = difflib.get_close_matches(word.lower()[:64], folded, n=1)
    return folded[similar[0]] if similar else None


def alternatives(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}" if first else last


def quoted(text: str, limit: int = 60) -> str:
    """`text` for a message: in quotes, on one line, cut to about `limit` characters."""
    return repr(cut(text, limit))


def cut(text: str, limit: int = 300) -> str:
    """`text`, at most `limit` characters of it."""
    return text if len(text) <= limit else text[: limit - 3] + "..."
