"""The tap of a client that watches: it gets what the line says, and misses what it does not take.

So a client that does not read costs one buffer, and neither the line nor the one who holds it
notices. What it missed is counted, and a person is told where.
"""

from __future__ import annotations

from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.typed import Protocol


class Viewer(Protocol):
    """A session, as it matters here."""

    def overfull(self, more: int) -> bool:
        """Whether so much waits for the client already that `more` bytes are not to be added."""

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""

    def missed_bytes(self, count: int) -> None:
        """So many bytes are missing here."""

    def outbox_room(self) -> None:
        """Less of what it asked for waits."""

    def abort(self) -> None:
        """Close at once: it cannot be served."""


class Onlooker:
    """A tap, see `gatewayd.port.hub.Tap`."""

    def __init__(self, viewer: Viewer) -> None:
        self.missed = 0
        """Bytes that the client did not get."""
        self._viewer = viewer
        self.gap = 0
        """How many of them it is still to be told of."""
        self._behind = False

    def from_line(self, data: bytes) -> None:
        """See `Tap`."""
        viewer = self._viewer
        if self._behind or viewer.overfull(len(data)):
            self._behind = True
            self.gap += len(data)
            self.missed += len(data)
            return
        try:
            if self.gap:
                self.caught_up()
            viewer.line_data(data)
        except Exception:
            viewer.abort()
            raise

    def caught_up(self) -> None:
        """The client has taken most of what waited for it."""
        self._behind = False
        if self.gap:
            count, self.gap = self.gap, 0
            self._viewer.missed_bytes(count)

    def room(self) -> None:
        """Less of what the client asked for waits."""
        self._viewer.outbox_room()

    def to_line(self, data: bytes) -> None:
        """See `Tap`."""

    def happened(self, event: PortEvent) -> None:
        """See `Tap`."""
        if event.kind is EventKind.SIGNALS and event.signals is not None:
            self._viewer.line_signals(event.signals)
        elif event.kind is EventKind.ERRORS and event.errors is not None:
            self._viewer.line_errors(event.errors)
