"""Reading streams in gulps: what an event costs is paid once for many pieces.

A UART delivers a few bytes every millisecond, and each time that the loop wakes for them costs more
than the bytes. A line that keeps delivering, with nothing written to it, loses nothing when its
bytes are read a millisecond or two later together with those of other lines. A line in a dialogue
must not wait: the first byte written to it takes it out of here, unless its user says that it
streams both ways; then its client is read here as well.

Members wait in an epoll set of their own. While there is traffic the set is looked at by a timer;
once a look finds nothing, the loop waits for the set, so that silence makes no wake-ups and the
first piece after it is read at once.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Member
from gatewayd.typed import Protocol

TICK_S: Final = 0.0018
"""Between two looks at the lines that are read together."""
SHARE: Final = 0.4
"""Of the time, what looks may take before they are further apart; at most `FURTHEST` ticks."""
FURTHEST: Final = 2
GAP_S: Final = 0.025
"""A line whose pieces are further apart is read in the loop."""
WORTH: Final = 1000.0
STILL_WORTH: Final = 500.0
"""Pieces a second, of all lines, from which on the ticks cost less than the events that they
spare; and below which they do not any more, as far as that is seen from tick to tick."""
STREAK: Final = 8
"""After so many pieces without a write in between the line's place is looked at again."""
SPELL_S: Final = 0.05
"""So often is asked whether a line that is written to streams both ways."""
FORGET_TICKS: Final = 16
"""A member that had nothing for so many ticks is read in the loop again."""


class Selector(Protocol):
    """What a loop of ours has beyond asyncio's."""

    def alarm(self, seconds: float, callback: Callable[[], None] | None) -> None:
        """Call back once in so many seconds; None takes it back. Cheaper and finer than a timer."""


class Gatherer:
    """Reads its members together, every `tick` seconds while there is traffic."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tick: float = TICK_S,
        selector: Selector | None = None,
    ) -> None:
        """Without a `selector` a timer of the loop does."""
        self._loop = loop
        self._alarm = (selector or _Plain(loop)).alarm
        self.tick = tick
        """Seconds between two looks."""
        self._epoll: select.epoll | None = None
        self._members: dict[int, Member] = {}
        self._heard: set[int] = set()
        self.ticks = 0
        self._ticking = False

    def add(self, fd: int, member: Member) -> bool:
        """See `api.Gathering`."""
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
            self._tick_again()
        return True

    def __contains__(self, fd: int) -> bool:
        return fd in self._members

    def _tick_again(self) -> None:
        self._ticking = True
        self._alarm(self.tick, self._look)

    def remove(self, fd: int) -> None:
        """See `api.Gathering`."""
        if self._members.pop(fd, None) is None or self._epoll is None:
            return
        # Refused, it is tried again by the look that is told of it.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)
        self._close_if_empty()

    def _close_if_empty(self) -> None:
        if self._members or self._epoll is None:
            return
        if self._ticking:
            self._ticking = False
            self._alarm(0, None)
        else:
            self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()
        self._epoll = None

    def _look(self) -> None:
        assert self._epoll is not None
        try:
            ready = self._epoll.poll(0)
        except MemoryError:
            self._tick_again()
            return
        if not ready:
            self._ticking = False
            self._loop.add_reader(self._epoll.fileno(), self._wake)
            return
        began = self._loop.time()
        # Before the reads, which may make this empty.
        self._tick_again()
        # In the same order each time: then nobody's bytes wait for longer than a tick.
        ready.sort()
        self._heard.update(dict(ready))
        members = self._members
        for fd, _ in ready:
            member = members.get(fd)
            if member is not None:
                try:
                    member.read_ready()
                except MemoryError:
                    # The loop waits for some.
                    member.gathered_no_more()
            elif self._epoll is not None:
                with contextlib.suppress(OSError):
                    self._epoll.unregister(fd)
        self._rest(self._loop.time() - began)
        self.ticks += 1
        if self.ticks % FORGET_TICKS == 0:
            heard, self._heard = self._heard, set()
            for fd, member in tuple(self._members.items()):
                if fd not in heard:
                    member.gathered_no_more()

    def _rest(self, took: float) -> None:
        """After a look that took so long: the more there is to do, the more is done at once."""
        if self._ticking and took > SHARE * self.tick:
            self._alarm(min(took / SHARE, FURTHEST * self.tick) - took, self._look)

    def _wake(self) -> None:
        assert self._epoll is not None
        self._loop.remove_reader(self._epoll.fileno())
        self._look()


class _Plain:
    """What does for a `Selector` in any loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._timer: asyncio.TimerHandle | None = None

    def alarm(self, seconds: float, callback: Callable[[], None] | None) -> None:
        """See `Selector`."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None if callback is None else self._loop.call_later(seconds, callback)


class Gatherers:
    """Which lines of an event loop are read together.

    A tick costs as much as an event. So it depends on what comes from all lines that stream whether
    they are read together: one alone is only if it delivers more often than it would be looked at.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, selector: Selector | None = None) -> None:
        self.selector: Selector = selector or _Plain(loop)
        self.place = Gatherer(loop, TICK_S, self.selector)
        """Where they are."""
        self._rates: dict[int, float] = {}
        self._rate = 0.0

    def choose(self, fd: int, gap: float, *, both_ways: bool = False) -> Gatherer | None:
        """Where to read a line whose pieces are `gap` seconds apart, with as many to it if it
        streams `both_ways`; None is in the loop."""
        self.forget(fd)
        if gap > GAP_S:
            return None
        self._rates[fd] = rate = (1 + both_ways) / max(gap, TICK_S / STREAK)
        self._rate += rate
        worth = STILL_WORTH if fd in self.place else WORTH
        return self.place if self._rate >= worth else None

    def forget(self, fd: int) -> None:
        """The line is no stream, or is closed."""
        self._rate -= self._rates.pop(fd, 0.0)
        if not self._rates:
            self._rate = 0.0
