"""One client of a port: what every face has in common, and the raw face itself.

A session stands between a peer (the connection, see `gatewayd.net.connection`) and a port. The port
calls `line_*`, `refuse`, `bump` and `end`; the connection calls `start`, `receive` and `peer_*`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from gatewayd.config.schema import WhileAbsent
from gatewayd.line.api import Line, Timer
from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.gate import Gate, Hold
from gatewayd.port.leftover import STALL_S
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port

QUIET_S: Final = 1.0
"""A half-closed client still gets the line's output until the line was quiet for so long."""


class Session:
    """A client of the raw face, and the common part of all faces.

    `number` tells sessions apart in the log, `peername` is the client's address, `since` when it
    came.
    """

    face = "raw"
    takes_urgent = False

    def __init__(
        self, port: Port, peer: Peer, *, number: int, peername: str, since: datetime
    ) -> None:
        self.port = port
        self.number = number
        self.peername = peername
        self.since = since
        self.bytes_in = 0
        self.bytes_out = 0
        self.leaving = False
        """The client sends no more; it may still listen."""
        self._peer = peer
        self._outbox = port.outbox
        self._client_gate = Gate(peer.pause_reading, peer.resume_reading)
        self.owed = False
        """The client sent something, and nothing has come from the device since."""
        self._seen = (-1, 0)
        self._still = 0
        self._stall: Timer | None = None
        self._progress = (0, 0)
        self._quiet: Timer | None = None

    # ---- from the connection

    @property
    def read_size(self) -> int:
        """How many bytes to read from the client at once: on the raw face what the line can send
        in its window, since nothing behind them could be of use before."""
        return self.port.window

    @property
    def vigilance(self) -> float:
        """After how many seconds a client is looked at that takes nothing of what was sent: none
        that got no more than the opening."""
        return self.port.config.peer_timeout if self.bytes_out else 0

    def urgent(self) -> None:
        """TCP urgent data: bytes like others."""

    def start(self) -> None:
        """The client is connected: ask the port for the line."""
        self.port.admit(self)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self.bytes_in += len(data)
        self.owed = True
        if not self._outbox.write(data):
            self._client_gate.hold(Hold.LINE_FULL)

    def peer_full(self) -> None:
        """The client does not take what is sent."""
        self.port.line_gate.hold(Hold.CLIENT_SLOW)

    def peer_ready(self) -> None:
        """The client takes it again."""
        self.port.line_gate.release(Hold.CLIENT_SLOW)

    def peer_eof(self) -> None:
        """The client sends no more. It may have closed, or wait for the answer to what it sent."""
        if self._stall is not None:
            self._stall.cancel()
        if self.port.owner is self:
            self.leaving = True
            self._linger()

    def peer_closing(self) -> None:
        """The client sends no more, and the line holds up what it has sent. While that moves, it is
        served; once it stands still, whoever comes may have the line."""
        if self._stall is None:
            self._progress = self._moved()
            self._stall = self.port.clock.call_later(STALL_S, self._look_for_progress)

    def _look_for_progress(self) -> None:
        self._stall = None
        if self.port.owner is not self:
            return
        self.leaving = self._progress == self._moved()
        if self.leaving:
            self.owed = False
        self.peer_closing()

    def _moved(self) -> tuple[int, int]:
        return self.bytes_in, self.port.leftover.unsent()

    def peer_gone(self) -> None:
        """The connection is closed."""
        for timer in (self._quiet, self._stall):
            if timer is not None:
                timer.cancel()
        self.port.leave(self)

    def _linger(self) -> None:
        """Stay until the line was quiet for `QUIET_S`; with somebody waiting, until nothing moved
        for `STALL_S`."""
        if self.port.owner is not self:
            return
        moved = (self.bytes_out, self.port.leftover.unsent())
        if moved != self._seen or self.port.line_gate.held or self._peer.backlog():
            # What we hold up ourselves is not quiet.
            self._seen, self._still = moved, 0
        else:
            self._still += 1
        quiet = self._outbox.empty and not moved[1]
        if self._still and (quiet or (self.port.awaited and self._still >= STALL_S / QUIET_S)):
            self.end()
            return
        self._quiet = self.port.clock.call_later(QUIET_S, self._linger)

    # ---- from the port

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.bytes_out += len(data)
        self.owed = False
        self._peer.write(data)

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""

    def line_lost(self) -> None:
        """The device is gone and the session stays."""
        if self.port.config.while_absent is WhileAbsent.REFUSE:
            self._client_gate.hold(Hold.ABSENT)

    def line_back(self, line: Line) -> None:
        """The device is there again, with the settings that it had."""
        self._client_gate.release(Hold.ABSENT)

    def outbox_room(self) -> None:
        """Less waits for the line than before."""
        if not self._outbox.waiting:
            self._client_gate.release(Hold.LINE_FULL)

    def wait(self) -> None:
        """The line may be free soon: leave what the client sends where it is."""
        self._client_gate.hold(Hold.ABSENT)

    def admitted(self) -> None:
        """The line is this session's from now on."""
        self._client_gate.release(Hold.ABSENT)

    def tell(self, text: str) -> None:
        """Nothing: a machine would read a text as data."""

    def refuse(self, reason: str) -> None:
        """The line is not to be had, or not any more: say why and close."""
        self.tell(reason)
        self._peer.close()

    def bump(self, reason: str) -> None:
        """Somebody else takes the line over."""
        self.refuse(reason)

    def end(self, reason: str = "") -> None:
        """Close the connection after what was sent, tell why, and give the line back."""
        if reason:
            self.tell(f"{self.port.name}: {reason}")
        self._peer.close()
        self.port.leave(self, reason)

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        return {
            "peername": self.peername,
            "since": self.since.isoformat(),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where a session of another process was. Raises KeyError, ValueError, TypeError."""
        self.bytes_in = int(snapshot["bytes_in"])
        self.bytes_out = int(snapshot["bytes_out"])
        self.port.inherit(self)
        if self.port.line is None:
            self.line_lost()
