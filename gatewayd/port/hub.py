"""Fans out what a port's line says and hears, to those who look on: taps.

A port without taps does not pass here: the line's receiver is the owner, and the way to the line is
the line's own `write`.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from gatewayd.log import Happening, note
from gatewayd.port.event import PortEvent
from gatewayd.typed import Protocol


class Tap(Protocol):
    """Looks on. It is called in the loop and must return at once; if it raises, it is removed."""

    def from_line(self, data: bytes) -> None:
        """Bytes came from the device, whether or not anybody holds the port."""

    def to_line(self, data: bytes) -> None:
        """The line has taken bytes for the device."""

    def happened(self, event: PortEvent) -> None:
        """Something else happened."""


class Hub:
    """The taps of one port, and who gets what the line says.

    `nobody` gets it while no client holds the port. `changed()` is called when taps, or what they
    ask for, changed.
    """

    def __init__(self, nobody: Callable[[bytes], None], *, changed: Callable[[], None]) -> None:
        self.deliver = nobody
        """Where bytes from the line go: straight to the client that holds the port, or to
        `from_line`."""
        self.taps: tuple[Tap, ...] = ()
        self._holder_asks = (False, False)
        self._changed = changed
        self._nobody = nobody
        self._holder = nobody
        self._asks: dict[int, tuple[bool, bool]] = {}

    def add(self, tap: Tap, *, signals: bool = False, errors: bool = False) -> None:
        """Call `tap` from now on; of one that is there already, change what it asks for."""
        if not any(one is tap for one in self.taps):
            self.taps = (*self.taps, tap)
        self._asks[id(tap)] = (signals, errors)
        self._choose()
        self._changed()

    def remove(self, tap: Tap) -> None:
        """Call it no more; nothing if it is not there."""
        if self._asks.pop(id(tap), None) is not None:
            self.taps = tuple(one for one in self.taps if one is not tap)
            self._choose()
            self._changed()

    def watch(self, *, signals: bool, errors: bool) -> None:
        """What the client that holds the port wants to be told."""
        if (signals, errors) != self._holder_asks:
            self._holder_asks = (signals, errors)
            self._changed()

    @property
    def signals(self) -> bool:
        """Whether anybody wants to know what the modem lines do."""
        return self._holder_asks[0] or any(signals for signals, _ in self._asks.values())

    @property
    def errors(self) -> bool:
        """Whether anybody wants to know of the receiver's errors."""
        return self._holder_asks[1] or any(errors for _, errors in self._asks.values())

    def serve(self, holder: Callable[[bytes], None] | None) -> None:
        """Who holds the port now gets what the line says; None is nobody."""
        self._holder = holder or self._nobody
        self._choose()

    def _choose(self) -> None:
        self.deliver = self.from_line if self.taps else self._holder

    def from_line(self, data: bytes) -> None:
        """Give bytes to who holds the port, then to all taps."""
        self._holder(data)
        for tap in self.taps:
            try:
                tap.from_line(data)
            except Exception as error:  # noqa: BLE001 - its fault alone
                self._failed(tap, error)

    def to_line(self, data: bytes) -> None:
        """Tell all taps."""
        for tap in self.taps:
            try:
                tap.to_line(data)
            except Exception as error:  # noqa: BLE001 - its fault alone
                self._failed(tap, error)

    def happened(self, event: PortEvent) -> None:
        """Tell all taps."""
        for tap in self.taps:
            try:
                tap.happened(event)
            except Exception as error:  # noqa: BLE001 - its fault alone
                self._failed(tap, error)

    def _failed(self, tap: Tap, error: Exception) -> None:
        text = "%s failed and is not told any more"
        note(Happening.FAULT, text, type(tap).__name__, level=logging.ERROR, exc_info=error)
        self.remove(tap)
