"""The master of a PTY, which is the device's end of a line."""

from __future__ import annotations

import errno
import os
import select
import time
from contextlib import ExitStack

from gatewayd.device.inotify import Inotify
from tests.until import PATIENCE, openings


def read(master: int, size: int, until: float | None = None) -> bytes:
    """What came, at most `size` bytes; nothing when nothing did until `until` (monotonic).

    While nobody has the line open the kernel answers EIO: who opens it is waited for.
    """
    until = time.monotonic() + PATIENCE if until is None else until
    with ExitStack() as stack:
        opened: Inotify | None = None
        while _readable(master, until):
            try:
                return os.read(master, size)
            except BlockingIOError:
                continue
            except OSError as error:
                if error.errno != errno.EIO:
                    raise
            if opened is None:
                opened = stack.enter_context(openings(master))
            elif _readable(opened, until):
                opened.read()
            else:
                break
    return b""


def _readable(what: int | Inotify, until: float) -> bool:
    return bool(select.select([what], [], [], max(0.0, until - time.monotonic()))[0])


def read_exactly(master: int, size: int) -> bytes:
    """`size` bytes; they must come."""
    got = b""
    while len(got) < size:
        more = read(master, size - len(got))
        assert more, f"nothing follows {got[-200:]!r}"
        got += more
    return got
