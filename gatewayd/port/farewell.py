"""The end of a session whose client sends no more: how long it is served yet."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Timer
from gatewayd.port.leftover import STALL_S
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port
from gatewayd.typed import Protocol

QUIET_S: Final = 1.0
"""A half-closed client still gets the line's output until the line was quiet for so long."""
ANSWER_S: Final = 0.3
"""With somebody waiting, until it was quiet for so long after its answer."""
TICK_S: Final = 0.1
_NOTHING: Final = (-1, -1, -1, -1)


class Service(Protocol):
    """What of a session matters here."""

    bytes_in: int
    bytes_out: int
    owed: bool
    behind: bool
    """The client sends no more, and not all that it sent was read; it moves."""


class Farewell:
    """Watches a session that holds its port at its end.

    `over()` is called when it has had all that it will get, `yields()` when the port is to ask
    again whether somebody else may have it.
    """

    def __init__(
        self,
        port: Port,
        peer: Peer,
        service: Service,
        *,
        over: Callable[[], None],
        yields: Callable[[], None],
    ) -> None:
        self._port = port
        self._peer = peer
        self._service = service
        self._over = over
        self._yields = yields
        self._timer: Timer | None = None
        self._seen = _NOTHING
        self._still = 0
        self._answered = 0

    def behind(self) -> None:
        """The client sends no more, and the line holds up what it has sent. While that moves, it
        is served; once it stands still, whoever comes may have the line."""
        if self._timer is None:
            self._service.behind = True
            self._seen = self._moved()
            patience = self._port.leftover.patience()
            self._timer = self._port.clock.call_later(patience, self._look_for_progress)

    def _moved(self) -> tuple[int, int, int, int]:
        """What was moved in either direction, what waits for the line, here and in it, and what for
        the client."""
        service, waits = self._service, self._port.leftover.unsent()
        return service.bytes_in, service.bytes_out, waits, self._peer.backlog()

    def _held_up(self) -> bool:
        """Whether the line is not read, or the client has not taken everything."""
        return bool(self._port.line_gate.held or self._peer.backlog())

    def _look_for_progress(self) -> None:
        self._timer = None
        stalled = self._seen[::2] == self._moved()[::2]
        self.behind()
        if stalled:
            self._service.behind = self._service.owed = False
            self._yields()

    def read(self) -> None:
        """All that the client sent was read: stay until the line was quiet for `QUIET_S`; with
        somebody waiting, until the answer is over, nothing has come for `STALL_S`, the client has
        taken nothing for as long, or the line has not taken what waits for as long as is waited
        for that."""
        self.cancel()
        self._service.behind = False
        self._seen = _NOTHING
        self._tick()

    def cancel(self) -> None:
        """It is over."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        service = self._service
        moved, held_up = self._moved(), self._held_up()
        awaited = self._port.clients.awaited
        if moved != self._seen or (held_up and not awaited):
            # What we hold up ourselves is not quiet.
            self._seen, self._still = moved, 0
        else:
            self._still += 1
        still = self._still * TICK_S
        self._answered = self._answered + 1 if awaited and not service.owed else 0
        answered = awaited and not service.owed and still >= ANSWER_S
        quiet = self._port.outbox.empty and not moved[2]
        done = quiet and not held_up and (still >= QUIET_S or answered)
        patience = STALL_S if quiet else self._port.leftover.patience()
        if done or self._answered * TICK_S >= QUIET_S or (awaited and still >= patience):
            self._over()
        else:
            self._timer = self._port.clock.call_later(TICK_S, self._tick)
