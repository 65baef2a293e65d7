"""A gate: something is paused while anybody has a reason to hold it."""

from __future__ import annotations

import enum
from collections.abc import Callable


class Hold(enum.IntEnum):
    """The reasons for not reading on: bits, and plain numbers once they are combined."""

    CLIENT_SLOW = 1
    """The client does not take what is sent: the line is not read."""
    SUSPENDED = 2
    """The client sent FLOWCONTROL-SUSPEND: the line is not read."""
    LINE_FULL = 4
    """The line has enough to send: the client is not read."""
    REPLIES = 8
    """The client asks and does not take the answers: it is not read."""
    ABSENT = 16
    """The device is away and its bytes are to wait: the client is not read."""


class Gate:
    """Calls `pause` when the first reason comes and `resume` when the last one goes."""

    __slots__ = ("_pause", "_resume", "held")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self.held = 0

    def hold(self, why: int) -> None:
        """Keep it shut for a reason."""
        before, self.held = self.held, self.held | why
        if not before:
            self._pause()

    def release(self, why: int) -> None:
        """Take a reason back."""
        before, self.held = self.held, self.held & ~why
        if before and not self.held:
            self._resume()
