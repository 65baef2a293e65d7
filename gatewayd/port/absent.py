"""What stands for a line while its device is away."""

from __future__ import annotations

from gatewayd.line.api import Line
from gatewayd.line.model import OUTPUT_SIGNALS, LineErrors, LineSettings, Purge, Signal
from gatewayd.line.pending import Pending


class AbsentLine:
    """Remembers what a client sets, for the device that comes back.

    DSR, CD and CTS are off: so a client of Com Port Control sees that nobody is there.
    """

    def __init__(self, settings: LineSettings, outputs: Signal = OUTPUT_SIGNALS) -> None:
        self._settings = settings
        self._outputs = outputs

    @classmethod
    def of(cls, line: Line) -> AbsentLine:
        """What stands for a line that is gone, as it was."""
        return cls(line.settings(), line.signals() & OUTPUT_SIGNALS)

    def settings(self) -> LineSettings:
        """What the line had, or was set to since."""
        return self._settings

    def configure(self, wanted: LineSettings) -> Pending | None:
        """Remember what a line could take of it."""
        self._settings = wanted.possible(self._settings)
        return None

    def signals(self) -> Signal:
        """DTR and RTS as they were, or were set since."""
        return self._outputs

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """Remember."""
        self._outputs = (self._outputs | on) & ~off
        return None

    def set_break(self, on: bool) -> Pending | None:
        """Nothing: the session remembers it."""
        return None

    def errors(self) -> LineErrors:
        """None."""
        return LineErrors()

    def refresh(self) -> Pending | None:
        """Nothing is to be seen."""
        return None

    def unsent(self) -> int:
        """Nothing waits for a line that is not there."""
        return 0

    def purge(self, which: Purge) -> Pending | None:
        """Nothing to throw away."""
        return None
