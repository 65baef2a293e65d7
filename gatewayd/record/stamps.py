"""Local times as a record writes them."""

from __future__ import annotations

from datetime import datetime


class Stamps:
    """Stamps of times that mostly go forward: what a second has in common is worked out once.

    Times are in seconds since 1970.
    """

    def __init__(self) -> None:
        self._second = -1
        self._head = self._zone = b""
        self._day = ""

    def stamp(self, when: float) -> bytes:
        """`2026-11-25T09:12:03.118+01:00`, cut to the millisecond."""
        second = int(when)
        if second != self._second:
            self._read(second)
        return b"%b.%03d%b" % (self._head, (when - second) * 1000, self._zone)

    def day(self, when: float) -> str:
        """`2026-11-25`."""
        second = int(when)
        if second != self._second:
            self._read(second)
        return self._day

    def _read(self, second: int) -> None:
        text = datetime.fromtimestamp(second).astimezone().isoformat(timespec="seconds")
        self._second, self._day = second, text[:10]
        self._head, self._zone = text[:19].encode(), text[19:].encode()
