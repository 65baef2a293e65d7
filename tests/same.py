"""Comparing what is large: pytest's own explanation of a difference can take hours."""

from __future__ import annotations


def same(found: bytes | bytearray, wanted: bytes | bytearray) -> None:
    """Raises AssertionError that names the first difference when the two are not the same."""
    if found == wanted:
        return
    both = zip(found, wanted, strict=False)
    short = min(len(found), len(wanted))
    at = next((at for at, (one, other) in enumerate(both) if one != other), short)
    raise AssertionError(
        f"{len(found)} bytes, wanted {len(wanted)}; from {at} on "
        f"{bytes(found[at : at + 16])!r}, wanted {bytes(wanted[at : at + 16])!r}"
    )
