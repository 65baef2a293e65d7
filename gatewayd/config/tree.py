"""A configuration file as text with positions, before anything is known about its meaning.

Values stay the text that was written: YAML 1.1 would make a boolean of `no` and 750 of `12:30`.
"""

from __future__ import annotations

from dataclasses import dataclass

from gatewayd.config.problem import Place


@dataclass(frozen=True, slots=True)
class Scalar:
    """A single value; `plain` when it was written without quotes."""

    place: Place
    text: str
    plain: bool = True

    @property
    def empty(self) -> bool:
        """Whether no value was written: nothing at all, or one of YAML's words for nothing."""
        return self.plain and self.text in ("", "~", "null", "Null", "NULL")


@dataclass(frozen=True, slots=True)
class Sequence:
    """A list."""

    place: Place
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Keys and values in the order of the file; a key may be anything, and may come twice."""

    place: Place
    entries: tuple[tuple[Node, Node], ...]


Node = Scalar | Sequence | Mapping


def noun(node: Node) -> str:
    """What `node` is, for a message."""
    match node:
        case Scalar():
            return "no value" if node.empty else "a single value"
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
