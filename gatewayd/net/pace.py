"""How many connections may come in a second: from one host, and in all.

The decision is pure (`Pace`); `Turnstile` asks it with the time, and tells of those that it sends
away, many of them in one entry of the log.
"""

from __future__ import annotations

import logging
import socket
from typing import Final

from gatewayd.line.api import Clock, Timer
from gatewayd.log import Happening, note
from gatewayd.net.address import packed
from gatewayd.net.admission import is_local

BURST_S: Final = 6
"""So many seconds' connections may come at once: a program that opens all ports of a rack."""
IN_ALL: Final = 8
"""So many times the rate of one host is that of all."""
TELL_S: Final = 10.0
_FEW: Final = 1024
_ALL: Final = ""
"""What stands for all hosts."""


class Pace:
    """Two rates, as the time at which each would be used up (GCRA). Hosts that have not come for a
    while are forgotten; those that are sent away are not remembered, so all of them together are
    bounded by the rate in all."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}
        """By host: when it will have paid for what has come, in seconds of the clock."""
        self._many = _FEW

    def __len__(self) -> int:
        return len(self._until)

    def lets(self, host: str, rate: int, now: float) -> str:
        """Count a connection from `host` at `now`, in seconds; `rate` is how many a second one
        host may make. Return why it may not come, if so; it is not counted then."""
        key = _whose(host)
        until = max(self._until.get(key, now), now) + 1 / rate
        until_all = max(self._until.get(_ALL, now), now) + 1 / (rate * IN_ALL)
        most = now + BURST_S + 1e-6
        if until > most:
            return f"more than {rate} connections a second from {key}"
        if until_all > most:
            return f"more than {rate * IN_ALL} connections a second in all"
        self._until[key] = until
        self._until[_ALL] = until_all
        if len(self._until) > self._many:
            self._until = {key: until for key, until in self._until.items() if until > now}
            self._many = max(_FEW, 2 * len(self._until))
        return ""


def _whose(host: str) -> str:
    """What counts as one host: of IPv6 a network of 64 bits, in which anybody has all addresses."""
    try:
        address = packed(host)
    except ValueError:
        return host
    if len(address) == 4:
        return socket.inet_ntop(socket.AF_INET, address)
    return socket.inet_ntop(socket.AF_INET6, address[:8] + bytes(8)) + "/64"


class Turnstile:
    """Where all listening sockets ask. Who comes from this machine is let through."""

    def __init__(self, clock: Clock) -> None:
        self.rate = 0
        """Connections a second of one host; without a limit if it is 0."""
        self._clock = clock
        self._pace = Pace()
        self._timer: Timer | None = None
        self._untold = 0

    def lets(self, host: str, port: str, peer: str) -> bool:
        """Whether a client from `host` may come in now; `port` and `peer` are for the log."""
        if not self.rate or is_local(host):
            return True
        why_not = self._pace.lets(host, self.rate, self._clock.time())
        if not why_not:
            return True
        if self._timer is None:
            self._note("refused: %s", why_not, port=port, peer=peer)
            self._timer = self._clock.call_later(TELL_S, self._tell)
        else:
            self._untold += 1
        return False

    def _tell(self) -> None:
        untold, self._untold, self._timer = self._untold, 0, None
        if untold:
            text = "refused: %d more connections in %g s, for there were too many in a second"
            self._note(text, untold, TELL_S)
            self._timer = self._clock.call_later(TELL_S, self._tell)

    def _note(self, text: str, *arguments: object, port: str = "", peer: str = "") -> None:
        happening, level = Happening.CROWDED, logging.WARNING
        note(happening, text, *arguments, port=port or None, peer=peer or None, level=level)
