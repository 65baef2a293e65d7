"""Who shows a person what is typed: found out by what the device makes of the first lines.

A board's console sends back what it is sent; an instrument does not, and a console that asks for a
password does not either. So a character that comes back proves that the device echoes, and nothing
is proved by one that does not until the line is ended: a device that then answers with anything but
the end of that line, or with nothing at all for `SILENCE_S`, does not echo. Behind a password every
console at least ends the line.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Clock, Timer

SILENCE_S: Final = 1.0
LINE_BYTES: Final = 256
"""Longer lines are not looked at further."""
_CR: Final = 13
_LF: Final = 10


class EchoJudge:
    """Watches what one client types and what comes back, until it has decided.

    `decided` is called once: with True when the device echoes.
    """

    def __init__(self, clock: Clock, decided: Callable[[bool], None]) -> None:
        self._clock = clock
        self._decided = decided
        self._typed = bytearray()
        self._by_hand = True
        self._ended = False
        self._silence: Timer | None = None

    def sent(self, data: bytes) -> None:
        """The client sent `data`; one character at a time is taken for typed by hand."""
        if self._ended:
            # If that was not answered yet, what comes now could be to either.
            self._begin()
        first = data[0]
        if first in (_CR, _LF):
            self._ended = bool(self._typed) and self._by_hand and len(data) <= 2
            if self._ended:
                self._silence = self._clock.call_later(SILENCE_S, self._decide, False)
            else:
                self._begin()
        elif len(data) == 1 and 32 <= first < 127 and len(self._typed) < LINE_BYTES:
            self._typed += data
        else:
            self._by_hand = False

    def came(self, data: bytes) -> None:
        """The device sent `data`."""
        if not self._typed or not self._by_hand:
            return
        if data[0] == self._typed[0] or self._typed[-1] in data[:2]:
            self._decide(True)
        elif self._ended and data[0] not in b"\r\n":
            self._decide(False)
        elif self._ended:
            self._begin()

    def cancel(self) -> None:
        """Decide nothing more for this line."""
        if self._silence is not None:
            self._silence.cancel()
            self._silence = None

    def _begin(self) -> None:
        self.cancel()
        self._typed.clear()
        self._by_hand = True
        self._ended = False

    def _decide(self, echoes: bool) -> None:
        self._begin()
        self._decided(echoes)
