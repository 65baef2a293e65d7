"""How a connected socket gets its first stage: the way in, and who is on it."""

from __future__ import annotations

import abc
import socket
from collections.abc import Callable, Sequence
from datetime import datetime

from gatewayd.line.api import Clock
from gatewayd.log import Happening, note
from gatewayd.net.arrival import Arrival, MakeStep, Newcomer
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.connection import Connection
from gatewayd.net.lobby import Lobby
from gatewayd.net.stage import Stage
from gatewayd.net.watch import SocketWatch
from gatewayd.port.telnet_face import TelnetFace


class Doorway(abc.ABC):
    """Lets clients in, and knows them while they are there.

    `name` is what it leads to, `telnet` whether that is spoken. `way` are the steps that a
    connection passes before; without any it has its session at once. `carrier` is what carries the
    bytes of each connection, `lobby` counts those that are on their way.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        *,
        telnet: bool,
        next_number: Callable[[], int],
        watch: SocketWatch,
        carrier: Carrier = PlainChannel,
        way: Sequence[MakeStep] = (),
        lobby: Lobby | None = None,
    ) -> None:
        self.connections: set[Connection] = set()
        self.carrier = carrier
        self.way = way
        self._name = name
        self._clock = clock
        self._telnet = telnet
        self._lobby = Lobby() if lobby is None else lobby
        self._next_number = next_number
        self._watch = watch

    @abc.abstractmethod
    def seat(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None = None
    ) -> Stage:
        """The last stage of a client; `telnet` is what it has spoken on its way in."""

    def newcomer(self, peername: str, since: datetime | None = None) -> Newcomer:
        """One more."""
        return Newcomer(self._next_number(), peername, since or datetime.now().astimezone())

    def admit(self, sock: socket.socket, newcomer: Newcomer) -> None:
        """Serve a client that has connected; the socket is the connection's from now on."""
        sock.setblocking(False)
        if self.way and not self._enters(newcomer):
            sock.close()
            return
        connection = self.connection(sock)
        try:
            if self.way:
                connection.enter(self._arrival(connection, newcomer, self._new_telnet(connection)))
            else:
                connection.enter(self.seat(connection, newcomer))
        except BaseException:
            connection.abort()
            raise

    def _enters(self, newcomer: Newcomer) -> bool:
        why_not = self._lobby.enter(newcomer.host, self._name)
        if why_not:
            happening, name, peer = Happening.SESSION_REFUSED, self._name, newcomer.peername
            note(happening, "refused: %s", why_not, port=name, peer=peer)
        return not why_not

    def adopt(self, connection: Connection) -> None:
        """Know a connection that came in by another door."""
        connection.closed(connection)
        connection.closed = self.connections.discard
        self.connections.add(connection)

    def come_back(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None, rest: bytes
    ) -> None:
        """Take a connection that had a session the way in again; it has sent `rest` already."""
        self.adopt(connection)
        if self._enters(newcomer):
            connection.enter(self._arrival(connection, newcomer, telnet), rest)
        else:
            connection.close()

    def send_away(self, text: str) -> None:
        """Close those that are still on their way in, with a word."""
        for connection in tuple(self.connections):
            if isinstance(connection.stage, Arrival):
                connection.stage.leave(text)

    def connection(self, sock: socket.socket) -> Connection:
        """A connection on a socket, which is its own from now on."""
        connection = Connection(sock, self._watch, self.connections.discard, carrier=self.carrier)
        self.connections.add(connection)
        return connection

    def _new_telnet(self, connection: Connection) -> TelnetFace | None:
        return TelnetFace(connection, self._clock) if self._telnet else None

    def _arrival(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None
    ) -> Arrival:
        return Arrival(
            connection,
            newcomer,
            self.way,
            name=self._name,
            clock=self._clock,
            telnet=telnet,
            seat=lambda arrival: self.seat(connection, newcomer, arrival.telnet),
            left=lambda: self._lobby.leave(newcomer.host, self._name),
        )
