"""Listening sockets of one face of one port."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import os
import socket
from collections.abc import Callable
from datetime import datetime
from typing import Final

from gatewayd.config.schema import Address, Face
from gatewayd.errors import GatewayError
from gatewayd.log import Happening, note
from gatewayd.net.connection import Connection
from gatewayd.net.urgent import UrgentWatch
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession

BACKLOG: Final = 64
_FACES: Final[dict[Face, type[Session]]] = {Face.RFC2217: TelnetSession, Face.RAW: Session}


class BindError(GatewayError):
    """An address cannot be listened on; the text names it and the cause."""


def bind(address: Address) -> socket.socket:
    """A listening socket; an address that the machine does not have yet is no error.

    Raises BindError.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `[::]` is every address, IPv4 too.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        sock.close()
        raise BindError(f"cannot listen on {address}: {_why(error, address)}") from error
    return sock


_IP_FREEBIND: Final = 15


def _why(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the address is in use; who has it is told by: ss -ltnp sport = :{address.port}"
    if error.errno == errno.EACCES:
        return "ports below 1024 are reserved; use a higher one, or socket activation"
    return os.strerror(error.errno) if error.errno else str(error)


def exposed(host: str) -> bool:
    """Whether other machines can reach a listener on this numeric address."""
    return not ipaddress.ip_address(host).is_loopback


class Listener:
    """One listening socket that makes a session of each client."""

    def __init__(
        self,
        port: Port,
        face: Face,
        sock: socket.socket,
        *,
        next_number: Callable[[], int],
        urgent: UrgentWatch,
    ) -> None:
        self.port = port
        self.face = face
        self.socket = sock
        name = sock.getsockname()
        self.address = Address(str(name[0]), int(name[1]))
        self.connections: set[Connection] = set()
        self._next_number = next_number
        self._urgent = urgent
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Accept clients from now on."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(self._connection, sock=self.socket)
        text = "%s on %s, for this machine only"
        if exposed(self.address.host):
            text = "%s on %s, in clear text for whoever can reach it"
        happening = Happening.EXPOSED if exposed(self.address.host) else Happening.LISTENING
        note(happening, text, self.face.value, self.address, port=self.port.name)

    def stop(self) -> None:
        """Accept no more; sessions go on."""
        if self._server is not None:
            self._server.close()

    def _connection(self) -> Connection:
        connection = Connection(
            self._session, self.port.config.peer_timeout, self._urgent, self.connections.discard
        )
        self.connections.add(connection)
        return connection

    def _session(self, connection: Connection, peername: str) -> Session:
        return _FACES[self.face](
            self.port,
            connection,
            number=self._next_number(),
            peername=peername,
            since=datetime.now().astimezone(),
        )
