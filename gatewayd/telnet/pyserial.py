"""What pyserial's client (`rfc2217://`) does otherwise than RFC 1143.

It sends its WILL only if our DO has not come yet when it gets round to it; else it takes the two
for answers to each other and goes on. Its own DO for the same option tells it from other clients.
"""

from __future__ import annotations

from typing import Any

from gatewayd.telnet.constants import Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.negotiation import Cue


class PyserialEngine(TelnetEngine):
    """An engine that takes a subnegotiation of such a client for the WILL that it owes."""

    _mirrored: frozenset[int] = frozenset()
    """Options for which it has sent DO while we wait for its WILL."""

    def _received_yes(self, side: Side, option: int) -> None:
        if side is Side.LOCAL and self.is_asked(Side.REMOTE, option):
            self._mirrored |= {option}
        super()._received_yes(side, option)

    def _subnegotiated(self, option: int, payload: bytes) -> None:
        if option in self._mirrored and self.is_asked(Side.REMOTE, option):
            self._turn(Side.REMOTE, option, Cue.RECEIVED_YES)
        super()._subnegotiated(option, payload)

    def snapshot(self) -> dict[str, Any]:
        """All state, as values that JSON can hold; for `restore` on a new engine."""
        return {**super().snapshot(), "mirrored": sorted(self._mirrored)}

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Take over the state of another engine. Raises KeyError, ValueError or TypeError."""
        self._mirrored = frozenset(map(int, snapshot["mirrored"]))
        super().restore(snapshot)
