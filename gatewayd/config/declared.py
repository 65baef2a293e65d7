"""How a key of the file is declared: once, as a field of a class of values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from gatewayd.typed import NamedTuple
from gatewayd.value import REQUIRED, Said


class Key(NamedTuple):
    """What is said of a key, besides its default."""

    kind: Callable[[Any], Any]
    """Gives its kind, from the module where the kinds are."""
    doc: str
    """One sentence."""
    example: str
    """A value as it is written."""
    words: str
    """The default as it would be written, or in words."""


def key(
    kind: Callable[[Any], Any],
    doc: str,
    *,
    example: str,
    default: Any = REQUIRED,
    words: str = "",
) -> Any:
    """A field that is a key of the file; without a default it is required. `words` say what the
    default is where it is not written as it is."""
    return Said(default, Key(kind, doc, example, words or _written(default)))


def _written(value: Any) -> str:
    if value is REQUIRED:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(getattr(value, "value", value))
