"""A line as it is behind glass: to be looked at, not to be touched."""

from __future__ import annotations

from gatewayd.line.model import LineErrors, LineSettings, Purge, Signal
from gatewayd.line.pending import Pending
from gatewayd.port.settling import Settling


class Glass:
    """What a port's line is to those who watch, in the shape of `Settling`.

    Whatever is asked of it is done at once and has no effect, so that the answers tell what is in
    force.
    """

    client_signals = Signal.NONE
    """A client decides over none of them."""

    def __init__(self, settling: Settling) -> None:
        self._settling = settling

    @property
    def window(self) -> int:
        """Bytes to read at once."""
        return self._settling.window

    def settings(self) -> LineSettings:
        """What is in force."""
        return self._settling.settings()

    def configure(self, wanted: LineSettings) -> Pending | None:
        """Nothing."""
        return None

    def signals(self) -> Signal:
        """The modem lines as last seen."""
        return self._settling.signals()

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """Nothing."""
        return None

    def set_break(self, on: bool) -> Pending | None:
        """Nothing."""
        return None

    def pulse_break(self, on: bool) -> Pending | None:
        """Nothing."""
        return None

    def errors(self) -> LineErrors:
        """The running counts of the receiver's errors as last seen."""
        return self._settling.errors()

    def refresh(self) -> Pending | None:
        """See what the modem lines and the counts are now."""
        return self._settling.refresh()

    def unsent(self) -> int:
        """Bytes that have not left."""
        return self._settling.unsent()

    def purge(self, which: Purge) -> Pending | None:
        """Nothing."""
        return None
