"""What stands for a line while its device is away."""

from __future__ import annotations

from gatewayd.line.api import Line
from gatewayd.line.model import OUTPUT_SIGNALS, LineErrors, LineSettings, Purge, Signal


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

    def configure(self, wanted: LineSettings) -> LineSettings:
        """Remember."""
        self._settings = wanted
        return wanted

    def signals(self) -> Signal:
        """DTR and RTS as they were, or were set since."""
        return self._outputs

    def set_signals(self, on: Signal, off: Signal) -> None:
        """Remember."""
        self._outputs = (self._outputs | on) & ~off

    def set_break(self, on: bool) -> None:
        """Nothing: the session remembers it."""

    def errors(self) -> LineErrors:
        """None."""
        return LineErrors()

    def unsent(self) -> int:
        """Nothing waits for a line that is not there."""
        return 0

    def purge(self, which: Purge) -> None:
        """Nothing to throw away."""
