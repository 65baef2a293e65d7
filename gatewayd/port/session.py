"""One client of a port: what every face has in common, and the raw face itself.

A session stands between a peer (the connection, see `gatewayd.net.connection`) and a port. The port
calls `line_*`, `wait`, `admitted`, `refuse`, `close`; the connection `start`, `receive`, `peer_*`.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from gatewayd.config.schema import WhileAbsent
from gatewayd.line.api import Gathering
from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.farewell import Farewell
from gatewayd.port.gate import Gate, Hold
from gatewayd.port.peer import HIGH_BYTES, Peer
from gatewayd.port.places import Place
from gatewayd.port.port import Port
from gatewayd.port.proof import Proof
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.value import as_dict


class Session:
    """A client of the raw face, and the common part of all faces.

    `number` tells sessions apart in the log, `peername` is the client's address, `since` when it
    came. `name` what it calls itself. `only_watches` and `insists` are as in
    `gatewayd.port.places.Client`.
    """

    face = "raw"
    watching_face = "watch_raw"
    takes_urgent = False

    def __init__(
        self,
        port: Port,
        peer: Peer,
        *,
        number: int,
        peername: str,
        since: datetime,
        only_watches: bool = False,
        insists: bool = False,
        telnet: TelnetFace | None = None,
        name: str = "",
    ) -> None:
        """`telnet` is what the connection has spoken on its way in, if it did."""
        self.port = port
        self.name = name
        self.heard = port.clock.time()
        self.only_watches = only_watches
        self.insists = insists
        if only_watches:
            self.face = self.watching_face
        self.number = number
        self.peername = peername
        self.since = since
        self.proof = Proof()
        self.bytes_in = 0
        self.bytes_out = 0
        self.seat = port.seat()
        self.owed = False
        """The client sent something, and nothing has come from the device since."""
        self.behind = False
        """The client sends no more, and not all that it sent was read."""
        self.waits = False
        """It may be given the line later."""
        self._peer = peer
        self._full = False
        """The client does not take what is sent."""
        self._client_gate = Gate(peer.pause_reading, peer.resume_reading)
        self._farewell = Farewell(port, peer, self, over=self.end, yields=port.clients.look)

    def prove(self, proof: Proof) -> None:
        """Before `start`: what the client has proved. With a name it is called by that as well."""
        self.proof = proof
        if proof.name:
            self.name = proof.name
            self.peername = f"{proof.name} at {self.peername}"

    # ---- from the connection

    @property
    def read_size(self) -> int:
        """How many bytes to read from the client at once: on the raw face what the line can send
        in its window, since nothing behind them could be of use before."""
        return self.seat.control.window

    @property
    def vigilance(self) -> float:
        """After how many seconds a client is looked at that takes nothing of what was sent: none
        that got no more than the opening."""
        return self.port.config.peer_timeout if self.bytes_out else 0

    def urgent(self) -> None:
        """TCP urgent data: bytes like others."""

    def start(self) -> None:
        """The client is connected: ask the port for the line."""
        self.port.clients.arrive(self)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if not self.seat.held:
            return
        self.bytes_in += len(data)
        self.heard = self.port.clock.time()
        self.owed = True
        if not self.seat.write(data):
            self._client_gate.hold(Hold.LINE_FULL)

    def peer_full(self) -> None:
        """The client does not take what is sent."""
        self._full = True
        self.seat.hold_line(Hold.CLIENT_SLOW)

    def peer_ready(self) -> None:
        """The client takes it again."""
        self._full = False
        self.seat.release_line(Hold.CLIENT_SLOW)
        self.seat.caught_up()

    def peer_eof(self) -> None:
        """The client sends no more. It may have closed, or wait for the answer to what it sent, or
        watch."""
        if self.seat.held:
            self.seat.end_break()
            self._farewell.read()
            self.port.clients.ends(self)

    def peer_closing(self) -> None:
        """The client sends no more, and we do not read what it has sent."""
        if self.seat.held:
            self._farewell.behind()
            self.port.clients.ends(self)
        elif self._peer.unread() and not self.seat.used:
            # It has its turn with what it sent.
            self.behind = True
            self.port.clients.ends(self)
        else:
            self._peer.abort()

    def peer_gone(self) -> None:
        """The connection is closed."""
        self._farewell.cancel()
        self.port.clients.leave(self)

    # ---- its end, as its farewell and the port see it

    @property
    def leaving(self) -> bool:
        """The client sends no more; it may still listen."""
        return self.port.clients.leaving(self)

    @property
    def ended(self) -> bool:
        """Whether the client sends no more than what is on its way already."""
        if not self._peer.ended():
            return False
        self.behind = self.behind or self._peer.unread()
        return True

    @property
    def unserved(self) -> bool:
        """Whether what it sent is not with the device yet, or was not answered."""
        return self.owed or self.behind

    # ---- from the port

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.bytes_out += len(data)
        self.owed = False
        self._peer.write(data)

    def gathered(self, place: Gathering | None) -> None:
        """The line is read there, or no more."""
        self._peer.gather(place)

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""

    def line_lost(self) -> None:
        """The device is gone and the session stays."""
        if self.seat.held and self.port.config.while_absent is WhileAbsent.REFUSE:
            self._client_gate.hold(Hold.ABSENT)

    def line_back(self) -> None:
        """The device is there again, with the settings that it had."""
        self._client_gate.release(Hold.ABSENT)

    def outbox_room(self) -> None:
        """Less waits for the line than before."""
        if not self.seat.waiting:
            self._client_gate.release(Hold.LINE_FULL)

    def wait(self) -> None:
        """The line may be free soon: leave what the client sends where it is."""
        self.waits = True
        self._client_gate.hold(Hold.ABSENT)

    def admitted(self) -> None:
        """The line is this session's from now on."""
        self.waits = False
        self._client_gate.release(Hold.ABSENT)
        if self._full:
            self.seat.hold_line(Hold.CLIENT_SLOW)

    def tell(self, text: str) -> None:
        """Nothing: a machine would read a text as data."""

    def last_words(self, text: str) -> None:
        """Nothing, as well."""

    def refuse(self, reason: str) -> None:
        """The line is not to be had: say why and close."""
        self.last_words(reason)
        self._peer.close()

    def close(self, reason: str = "") -> None:
        """The line is this session's no more: tell why, and close after what was sent."""
        self._farewell.cancel()
        self.last_words(f"{self.port.name}: {reason}" if reason else "")
        self._peer.close()

    def end(self, reason: str = "") -> None:
        """Give the line back, and close."""
        if self.seat.used:
            self.port.clients.dismiss(reason, session=self)

    def reconfigured(self) -> None:
        """The settings of the port are others now."""
        away = self.seat.held and self.port.line is None
        if away and self.port.config.while_absent is WhileAbsent.REFUSE:
            self._client_gate.hold(Hold.ABSENT)
        else:
            self._client_gate.release(Hold.ABSENT)

    # ---- for one that watches

    @property
    def person(self) -> bool:
        """Whether a text among the data does no harm: never, to a machine."""
        return False

    @property
    def missed(self) -> int:
        """Bytes from the device that it did not take while it watches."""
        return self.seat.onlooker.missed if self.seat.onlooker is not None else 0

    def watches(self, reason: str) -> None:
        """It gets what the line says, and nothing that it sends has any effect."""
        self.waits = False
        self._client_gate.release(Hold.ABSENT | Hold.LINE_FULL)
        self._peer.limit_kernel()

    def overfull(self, more: int) -> bool:
        """Whether so much waits for the client that `more` bytes are not to be added."""
        return self._peer.backlog() > HIGH_BYTES

    def missed_bytes(self, count: int) -> None:
        """So many bytes are missing here; a machine is not told."""

    def abort(self) -> None:
        """Close at once."""
        self._peer.abort()

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        return {
            "peername": self.peername,
            "name": self.name,
            "proof": as_dict(self.proof),
            "since": self.since.isoformat(),
            "bytes_in": self.bytes_in,
            "bytes_out": self.bytes_out,
            "owed": self.owed,
            "heir": self in self.port.clients.heirs,
            "missed": self.missed,
            "gap": self.seat.onlooker.gap if self.seat.onlooker is not None else 0,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where a session of another process was. Raises KeyError, ValueError, TypeError."""
        self.name = str(snapshot.get("name", ""))
        self.proof = Proof.told(snapshot.get("proof", {}))
        self.bytes_in = int(snapshot["bytes_in"])
        self.bytes_out = int(snapshot["bytes_out"])
        self.owed = bool(snapshot.get("owed", False))
        place = Place(snapshot.get("place", Place.SEATED.value))
        self.port.clients.inherit(self, place, heir=bool(snapshot.get("heir", False)))
        if self.seat.onlooker is not None:
            self.seat.onlooker.missed = int(snapshot["missed"])
            self.seat.onlooker.gap = int(snapshot.get("gap", 0))
        if self._ahead():
            self._client_gate.hold(Hold.LINE_FULL)
        if self.port.line is None:
            self.line_lost()

    def _ahead(self) -> bool:
        """Whether the client is as far ahead of the line as it may be."""
        return bool(self.seat.waiting)
