"""How a connected socket becomes a client of one face of a port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Final

from gatewayd.config.schema import Face
from gatewayd.net.arrival import MakeStep, Newcomer
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.connection import Connection
from gatewayd.net.doorway import Doorway
from gatewayd.net.lobby import Lobby
from gatewayd.net.watch import SocketWatch
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port
from gatewayd.port.proof import Proof
from gatewayd.port.session import Session
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.typed import Protocol


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
        name: str,
        telnet: TelnetFace | None,
    ) -> Session: ...


FACES: Final[dict[Face, MakeSession]] = {
    Face.RFC2217: TelnetSession,
    Face.RAW: Session,
    Face.WATCH: TelnetSession,
    Face.WATCH_RAW: Session,
}
TELNET: Final = (Face.RFC2217, Face.WATCH)


class Entrance(Doorway):
    """The door to one face of a port."""

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
        super().__init__(
            port.name,
            port.clock,
            telnet=face in TELNET,
            next_number=next_number,
            watch=watch,
            carrier=carrier,
            way=way,
            lobby=lobby,
        )
        self.port = port
        self.face = face

    def readmit(
        self, sock: socket.socket, snapshot: dict[str, Any], unsent: bytes, rest: bytes
    ) -> None:
        """Serve a client that was admitted in another process, and waited there, see
        `Session.snapshot`: what it said, agreed and proved on its way in holds. It was not sent
        `unsent`, and has sent `rest`.

        Raises KeyError, ValueError or TypeError as `inherit` does.
        """
        connection = self.connection(sock)
        connection.expect(self.port.config.peer_timeout)
        try:
            since = datetime.fromisoformat(snapshot["since"])
            newcomer = self.newcomer(str(snapshot["peername"]), since)
            newcomer.name = str(snapshot.get("name", ""))
            newcomer.insists = bool(snapshot.get("insists", False))
            if unsent:
                connection.write(unsent)
            telnet = self._new_telnet(connection)
            if telnet is not None and "engine" in snapshot:
                telnet.restore(snapshot, suspended=False)
            session = self.seat(connection, newcomer, telnet)
            # It is called by it already.
            session.proof = Proof.told(snapshot.get("proof", {}))
            connection.enter(session, rest)
        except BaseException:
            connection.abort()
            raise

    def inherit(self, sock: socket.socket, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Go on with a session that another process accepted, see `Session.snapshot`.

        Raises KeyError, ValueError or TypeError for a snapshot that is not one; the socket is
        closed then.
        """
        since = datetime.fromisoformat(snapshot["since"])
        newcomer = self.newcomer(str(snapshot["peername"]), since)
        connection = self.connection(sock)
        connection.expect(self.port.config.peer_timeout)
        try:
            connection.go_on(self.seat(connection, newcomer), snapshot, unsent)
        except BaseException:
            connection.abort()
            raise

    def seat(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None = None
    ) -> Session:
        """The session of a client."""
        session = FACES[self.face](
            self.port,
            connection,
            number=newcomer.number,
            peername=newcomer.peername,
            since=newcomer.since,
            only_watches=self.face.only_watches,
            insists=newcomer.insists,
            telnet=telnet,
            name=newcomer.name,
        )
        session.prove(newcomer.proof)
        return session
