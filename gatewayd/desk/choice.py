"""Which port somebody means: a number of the list, a name, or the beginning of one."""

from __future__ import annotations

from collections.abc import Sequence


def choose(text: str, names: Sequence[str]) -> str:
    """The name of the port that is meant. Raises ValueError with what is wrong with `text`."""
    if text in names:
        return text
    if text.isascii() and text.isdigit() and len(text) < 6 and 1 <= int(text) <= len(names):
        return names[int(text) - 1]
    begin = [name for name in names if name.startswith(text)] if text else []
    if len(begin) == 1:
        return begin[0]
    if begin:
        some = ", ".join(begin[:8]) + (", ..." if len(begin) > 8 else "")
        raise ValueError(f"which of {some}?")
    raise ValueError(f"there is no port {text[:64]!r}")
