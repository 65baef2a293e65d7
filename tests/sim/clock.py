"""A clock that stands still until a test moves it."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable


class FakeTimer:
    """A pending call of a FakeClock."""

    def __init__(self, when: float, callback: Callable[..., object], args: tuple[object, ...]):
        self.when = when
        self.cancelled = False
        self._callback = callback
        self._args = args

    def cancel(self) -> None:
        """Do not call."""
        self.cancelled = True

    def run(self) -> None:
        """Call now, unless cancelled."""
        if not self.cancelled:
            self._callback(*self._args)


class FakeClock:
    """An `api.Clock` whose time, in seconds from 0, only `advance` moves."""

    def __init__(self) -> None:
        self._now = 0.0
        self._order = itertools.count()
        self._timers: list[tuple[float, int, FakeTimer]] = []

    def time(self) -> float:
        """Seconds since the clock was made."""
        return self._now

    def call_later(self, delay: float, callback: Callable[..., object], *args: object) -> FakeTimer:
        """Call back when `delay` seconds have been advanced; equal times in the order of calls."""
        timer = FakeTimer(self._now + max(delay, 0.0), callback, args)
        heapq.heappush(self._timers, (timer.when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on, running what falls due on the way at its own time, also what that adds."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _order, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.run()
        self._now = end

    def skip(self, seconds: float) -> None:
        """Let time pass in which nothing is run, as on a machine that is busy."""
        self._now += seconds

    def pending(self) -> int:
        """How many calls are waiting."""
        return sum(not timer.cancelled for _when, _order, timer in self._timers)
