"""0xFF among data: it goes over the wire as two (RFC 854)."""

from __future__ import annotations

from typing import Final

from gatewayd.telnet.constants import IAC

DOUBLED: Final = IAC + IAC
MANY: Final = 32 * IAC
"""A run of at least so many is counted instead of matched pair by pair."""
_IAC: Final = IAC[0]
"""Bytes are searched for a number faster than for bytes."""


def double_iac(data: bytes) -> bytes:
    """Escape every 0xFF (RFC 854); returns `data` itself when there is none."""
    # `replace` costs per match: an unbroken run of 0xFF is doubled as a whole.
    if _IAC not in data:
        return data
    if data[0] == _IAC and data.startswith(MANY) and data.count(IAC) == len(data):
        return data + data
    return data.replace(IAC, DOUBLED)


def undouble_iac(data: bytes) -> bytes | None:
    """Undo that; returns `data` itself when there is none, and None when a command may begin."""
    if _IAC not in data:
        return data
    # Joining and searching is many times as fast as counting.
    parts = data.split(DOUBLED)
    return IAC.join(parts) if _IAC not in b"".join(parts) else None
