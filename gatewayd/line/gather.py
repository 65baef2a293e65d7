"""Reading streams in gulps: what an event costs is paid once for many pieces.

A UART delivers a few bytes every millisecond, and each time that the loop wakes for them costs more
than the bytes. A line that keeps delivering, with nothing written to it, loses nothing when its
bytes are read a few milliseconds later together with those of other lines. A line in a dialogue
must not wait: the first byte written to it takes it out of here.

Members wait in an epoll set of their own. While there is traffic the set is looked at by a timer;
once a look finds nothing, the loop waits for the set, so that silence makes no wake-ups and the
first piece after it is read at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import Final, Protocol

DENSE_TICK_S: Final = 0.004
DENSE_GAP_S: Final = 0.006
"""The tick for lines whose pieces are no further apart than the second."""
SPARSE_TICK_S: Final = 0.002
SPARSE_GAP_S: Final = 0.025
SPARSE_LINES: Final = 8
"""Likewise; worth it only for so many lines together, since each piece is read for itself."""
STREAK: Final = 8
"""After so many pieces without a write in between the line's place is looked at again."""
FORGET_TICKS: Final = 16
"""A member that had nothing for so many ticks is read in the loop again."""


class Member(Protocol):
    """A line that can be read here."""

    def read_ready(self) -> None:
        """Read what is there."""

    def gathered_no_more(self) -> None:
        """Be read in the loop again."""


class Gatherer:
    """Reads its members together, every `tick` seconds while there is traffic."""

    def __init__(self, loop: asyncio.AbstractEventLoop, tick: float) -> None:
        self._loop = loop
        self.tick = tick
        """Seconds between two looks."""
        self._epoll: select.epoll | None = None
        self._members: dict[int, Member] = {}
        self._heard: set[int] = set()
        self.ticks = 0
        self._timer: asyncio.TimerHandle | None = None

    def add(self, fd: int, member: Member) -> bool:
        """Read the descriptor here from now on; False when the kernel has no room for that. The
        member, which nobody reads yet or no more, is then read where it was."""
        try:
            if self._epoll is None:
                self._epoll = select.epoll()
            self._epoll.register(fd, select.EPOLLIN)
        except OSError:
            self._close_if_empty()
            return False
        self._members[fd] = member
        self._heard.add(fd)
        if len(self._members) == 1:
            self._timer = self._loop.call_later(self.tick, self._look)
        return True

    def remove(self, fd: int) -> None:
        """Read it here no more."""
        if self._members.pop(fd, None) is None or self._epoll is None:
            return
        # Refused, it is tried again by the look that is told of it.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self._members or self._epoll is None:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        else:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._epoll = None

    def _look(self) -> None:
        assert self._epoll is not None
        # Before the reads, which may make this empty.
        self._timer = self._loop.call_later(self.tick, self._look)
        try:
            ready = self._epoll.poll(0)
        except MemoryError:
            return
        if not ready:
            self._timer.cancel()
            self._timer = None
            self._loop.add_reader(self._epoll.fileno(), self._wake)
            return
        for fd, _ in ready:
            member = self._members.get(fd)
            if member is not None:
                self._heard.add(fd)
                try:
                    member.read_ready()
                except MemoryError:
                    # The loop waits for some.
                    member.gathered_no_more()
            elif self._epoll is not None:
                with contextlib.suppress(OSError):
                    self._epoll.unregister(fd)
        self.ticks += 1
        if self.ticks % FORGET_TICKS == 0:
            heard, self._heard = self._heard, set()
            for fd, member in tuple(self._members.items()):
                if fd not in heard:
                    member.gathered_no_more()

    def _wake(self) -> None:
        assert self._epoll is not None
        self._loop.remove_reader(self._epoll.fileno())
        self._look()


class Gatherers:
    """The two of one event loop, for dense and for sparse streams."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._dense = Gatherer(loop, DENSE_TICK_S)
        self._sparse = Gatherer(loop, SPARSE_TICK_S)
        self._sparse_lines: set[int] = set()

    def choose(self, fd: int, gap: float) -> Gatherer | None:
        """Where to read a line whose pieces are `gap` seconds apart; None is in the loop."""
        if gap <= DENSE_GAP_S:
            self._sparse_lines.discard(fd)
            return self._dense
        if gap > SPARSE_GAP_S:
            self._sparse_lines.discard(fd)
            return None
        self._sparse_lines.add(fd)
        return self._sparse if len(self._sparse_lines) >= SPARSE_LINES else None

    def forget(self, fd: int) -> None:
        """The line is no stream, or is closed."""
        self._sparse_lines.discard(fd)
