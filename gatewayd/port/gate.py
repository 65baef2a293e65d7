"""A gate: something is paused while anybody has a reason to hold it."""

from __future__ import annotations

import enum
from collections.abc import Callable


class Hold(enum.Flag):
    """The reasons for not reading on."""

    NOTHING = 0
    CLIENT_SLOW = enum.auto()
    """The client does not take what is sent: the line is not read."""
    SUSPENDED = enum.auto()
    """The client sent FLOWCONTROL-SUSPEND: the line is not read."""
    LINE_FULL = enum.auto()
    """The line has enough to send: the client is not read."""
    REPLIES = enum.auto()
    """The client asks and does not take the answers: it is not read."""
    ABSENT = enum.auto()
    """The device is away and its bytes are to wait: the client is not read."""


class Gate:
    """Calls `pause` when the first reason comes and `resume` when the last one goes."""

    __slots__ = ("_pause", "_resume", "held")

    def __init__(self, pause: Callable[[], None], resume: Callable[[], None]) -> None:
        self._pause = pause
        self._resume = resume
        self.held = Hold.NOTHING

    def hold(self, why: Hold) -> None:
        """Keep it shut for a reason."""
        before, self.held = self.held, self.held | why
        if not before:
            self._pause()

    def release(self, why: Hold) -> None:
        """Take a reason back."""
        before, self.held = self.held, self.held & ~why
        if before and not self.held:
            self._resume()
