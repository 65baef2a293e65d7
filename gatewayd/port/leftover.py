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
HURRY_S: Final = 0.7
"""Likewise when the next session is there already; twice of it, with the session that left it, is
less than a client waits for its first answer (pyserial: 3 s)."""
PIECE_BYTES: Final = 64
"""What a USB adapter takes at once, and shows no movement meanwhile."""


class Leftover:
    """Watches an outbox after its session, and counts what goes nowhere.

    `report(count)` is told of bytes that were discarded, `line()` is the line now, `mark()` the
    last action in the outbox that belongs to sessions which are over, if one waits, `awaited()`
    whether a client is there that has to wait for what another one left.
    """

    def __init__(
        self,
        clock: Clock,
        outbox: Outbox,
        *,
        line: Callable[[], Line | None],
        mark: Callable[[], Action | None],
        awaited: Callable[[], bool],
        report: Callable[[int], None],
    ) -> None:
        self.discarded = 0
        """Bytes for the device that went nowhere, since the port began."""
        self._clock = clock
        self._outbox = outbox
        self._line = line
        self._mark = mark
        self._awaited = awaited
        self._report = report
        self._unreported = 0
        self._timer: Timer | None = None
        self._due = 0.0
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

    def patience(self) -> float:
        """Seconds without movement after which what was left is given up."""
        line = self._line()
        if line is None or not self._awaited():
            return STALL_S
        piece = PIECE_BYTES / max(line.settings().bytes_per_second, 1.0)
        return min(max(HURRY_S, piece), STALL_S)

    def watch(self) -> None:
        """A session is over, or the next one begins: drop what was left once it no longer moves."""
        line = self._line()
        if line is None or self._mark() is None:
            return
        now, patience = self._clock.time(), self.patience()
        if self._timer is None:
            self._before = (self._outbox.taken, line.unsent())
        elif now + patience < self._due:
            self._timer.cancel()
        else:
            return
        self._due = now + patience
        self._timer = self._clock.call_later(patience, self._look)

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
