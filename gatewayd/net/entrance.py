"""How a connected socket becomes a client of one face of a port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final, Protocol

from gatewayd.config.schema import Face
from gatewayd.log import Happening, note
from gatewayd.net.arrival import Arrival, MakeStep, Newcomer
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.connection import Connection
from gatewayd.net.lobby import Lobby
from gatewayd.net.watch import SocketWatch
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.port.telnet_session import TelnetSession


class MakeSession(Protocol):
    """Makes the session of a client. `telnet` is what the connection has spoken on its way in."""

    def __call__(
        self,
        port: Port,
        peer: Peer,
        *,
        number: int,
        peername: str,
        since: datetime,
        only_watches: bool,
        insists: bool,
        telnet: TelnetFace | None,
    ) -> Session: ...


FACES: Final[dict[Face, MakeSession]] = {
    Face.RFC2217: TelnetSession,
    Face.RAW: Session,
    Face.WATCH: TelnetSession,
    Face.WATCH_RAW: Session,
}
TELNET: Final = (Face.RFC2217, Face.WATCH)


class Entrance:
    """Makes a session of each client of one face, and knows them while they are there.

    `way` are the steps that a connection passes before; without any it is at the port at once.
    `carrier` is what carries the bytes of each connection, `lobby` counts those that are on their
    way.
    """

    def __init__(
        self,
        port: Port,
        face: Face,
        *,
        next_number: Callable[[], int],
        watch: SocketWatch,
        carrier: Carrier = PlainChannel,
        way: Sequence[MakeStep] = (),
        lobby: Lobby | None = None,
    ) -> None:
        self.port = port
        self.face = face
        self.connections: set[Connection] = set()
        self.carrier = carrier
        self.way = way
        self._lobby = Lobby() if lobby is None else lobby
        self._next_number = next_number
        self._watch = watch

    def admit(self, sock: socket.socket, peername: str, *, insists: bool = False) -> None:
        """Serve a client that has connected; the socket is the connection's from now on. One that
        `insists` takes the port over."""
        sock.setblocking(False)
        newcomer = Newcomer(self._next_number(), peername, datetime.now().astimezone(), insists)
        if self.way:
            why_not = self._lobby.enter(newcomer.host)
            if why_not:
                happening, name = Happening.SESSION_REFUSED, self.port.name
                note(happening, "refused: %s", why_not, port=name, peer=peername)
                sock.close()
                return
        connection = self._connection(sock)
        try:
            if self.way:
                connection.enter(self._arrival(connection, newcomer))
            else:
                connection.enter(self._make(connection, newcomer))
        except BaseException:
            connection.abort()
            raise

    def send_away(self, text: str) -> None:
        """Close those that are still on their way in, with a word."""
        for connection in tuple(self.connections):
            if isinstance(connection.stage, Arrival):
                connection.stage.leave(text)

    def inherit(self, sock: socket.socket, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Go on with a session that another process accepted, see `Session.snapshot`.

        Raises KeyError, ValueError or TypeError for a snapshot that is not one; the socket is
        closed then.
        """
        since = datetime.fromisoformat(snapshot["since"])
        newcomer = Newcomer(self._next_number(), str(snapshot["peername"]), since)
        connection = self._connection(sock)
        connection.expect(self.port.config.peer_timeout)
        try:
            connection.go_on(self._make(connection, newcomer), snapshot, unsent)
        except (KeyError, ValueError, TypeError):
            connection.abort()
            raise

    def _connection(self, sock: socket.socket) -> Connection:
        connection = Connection(sock, self._watch, self.connections.discard, carrier=self.carrier)
        self.connections.add(connection)
        return connection

    def _arrival(self, connection: Connection, newcomer: Newcomer) -> Arrival:
        clock = self.port.clock
        return Arrival(
            connection,
            newcomer,
            self.way,
            name=self.port.name,
            clock=clock,
            telnet=TelnetFace(connection, clock) if self.face in TELNET else None,
            seat=lambda arrival: self._make(connection, newcomer, arrival.telnet),
            left=lambda: self._lobby.leave(newcomer.host),
        )

    def _make(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None = None
    ) -> Session:
        session = FACES[self.face](
            self.port,
            connection,
            number=newcomer.number,
            peername=newcomer.peername,
            since=newcomer.since,
            only_watches=self.face.only_watches,
            insists=newcomer.insists,
            telnet=telnet,
        )
        session.prove(newcomer.proof)
        return session
