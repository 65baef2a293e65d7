"""What clients leave behind for a line that does not take it, and what was thrown away."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Clock, Line, Timer
from gatewayd.line.model import Purge
from gatewayd.port.outbox import Action, Outbox

STALL_S: Final = 5.0
"""What nobody waits for any more is dropped when nothing moved for so long: it would hold up the
next session."""


class Leftover:
    """Watches an outbox after its session, and counts what goes nowhere.

    `report(count)` is told of bytes that were discarded, `line()` is the line now, `mark()` the
    last action in the outbox that belongs to sessions which are over, if one waits.
    """

    def __init__(
        self,
        clock: Clock,
        outbox: Outbox,
        *,
        line: Callable[[], Line | None],
        mark: Callable[[], Action | None],
        report: Callable[[int], None],
    ) -> None:
        self.discarded = 0
        """Bytes for the device that went nowhere, since the port began."""
        self._clock = clock
        self._outbox = outbox
        self._line = line
        self._mark = mark
        self._report = report
        self._unreported = 0
        self._timer: Timer | None = None
        self._before = (-1, -1)

    def count(self, discarded: int) -> None:
        """So many bytes went nowhere."""
        self.discarded += discarded
        self._unreported += discarded

    def report(self) -> None:
        """Tell of what was discarded since the last report."""
        count, self._unreported = self._unreported, 0
        if count:
            self._report(count)

    def unsent(self) -> int:
        """Bytes that wait here and in the line."""
        line = self._line()
        return self._outbox.waiting + (line.unsent() if line is not None else 0)

    def watch(self) -> None:
        """A session is over: drop what it left once that no longer moves."""
        line = self._line()
        if self._timer is None and line is not None and self._mark() is not None:
            self._before = (self._outbox.taken, line.unsent())
            self._timer = self._clock.call_later(STALL_S, self._look)

    def _look(self) -> None:
        self._timer = None
        line, mark = self._line(), self._mark()
        if line is None or mark is None:
            return
        if self._before == (self._outbox.taken, line.unsent()):
            self.count(line.unsent())
            self._outbox.drop_bytes(before=mark)
            line.purge(Purge.TX)
            self.report()
        self.watch()
