"""How a connected socket becomes a client of one face of a port."""

from __future__ import annotations

import socket
from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from gatewayd.config.schema import Face
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.connection import Connection
from gatewayd.net.watch import SocketWatch
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession

_FACES: Final[dict[Face, type[Session]]] = {
    Face.RFC2217: TelnetSession,
    Face.RAW: Session,
    Face.WATCH: TelnetSession,
    Face.WATCH_RAW: Session,
}


class Entrance:
    """Makes a session of each client of one face, and knows them while they are there.

    `carrier` is what carries the bytes of each connection.
    """

    def __init__(
        self,
        port: Port,
        face: Face,
        *,
        next_number: Callable[[], int],
        watch: SocketWatch,
        carrier: Carrier = PlainChannel,
    ) -> None:
        self.port = port
        self.face = face
        self.connections: set[Connection] = set()
        self.carrier = carrier
        self._next_number = next_number
        self._watch = watch

    def admit(self, sock: socket.socket, peername: str, *, insists: bool = False) -> None:
        """Serve a client that has connected; the socket is the connection's from now on. One that
        `insists` takes the port over."""
        sock.setblocking(False)
        since = datetime.now().astimezone()
        connection, session = self._make(sock, peername, since, insists=insists)
        try:
            connection.enter(session)
        except BaseException:
            connection.abort()
            raise

    def inherit(self, sock: socket.socket, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Go on with a session that another process accepted, see `Session.snapshot`.

        Raises KeyError, ValueError or TypeError for a snapshot that is not one; the socket is
        closed then.
        """
        since = datetime.fromisoformat(snapshot["since"])
        connection, session = self._make(sock, str(snapshot["peername"]), since)
        try:
            connection.go_on(session, snapshot, unsent)
        except (KeyError, ValueError, TypeError):
            connection.abort()
            raise

    def _make(
        self, sock: socket.socket, peername: str, since: datetime, *, insists: bool = False
    ) -> tuple[Connection, Session]:
        connection = Connection(sock, self._watch, self.connections.discard, carrier=self.carrier)
        self.connections.add(connection)
        kind = _FACES[self.face]
        number = self._next_number()
        return connection, kind(
            self.port,
            connection,
            number=number,
            peername=peername,
            since=since,
            only_watches=self.face.only_watches,
            insists=insists,
        )
