"""The master of a PTY, which is the device's end of a line."""

from __future__ import annotations

import errno
import os
import select
import time
from typing import Final

PATIENCE: Final = 20.0
"""Seconds until what must come has not come."""
_AGAIN_S: Final = 0.01


def read(master: int, size: int, until: float | None = None) -> bytes:
    """What came, at most `size` bytes; nothing when nothing did until `until` (monotonic).

    While nobody has the line open the kernel answers EIO: who opens it is waited for.
    """
    until = time.monotonic() + PATIENCE if until is None else until
    while select.select([master], [], [], max(0.0, until - time.monotonic()))[0]:
        try:
            return os.read(master, size)
        except BlockingIOError:
            continue
        except OSError as error:
            if error.errno != errno.EIO or time.monotonic() > until:
                raise
        time.sleep(_AGAIN_S)  # of an opening the kernel tells nobody
    return b""


def read_exactly(master: int, size: int) -> bytes:
    """`size` bytes; they must come."""
    got = b""
    while len(got) < size:
        more = read(master, size - len(got))
        assert more, f"nothing follows {got[-200:]!r}"
        got += more
    return got
