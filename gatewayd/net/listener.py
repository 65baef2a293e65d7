"""Listening sockets of one face of one port."""

from __future__ import annotations

import asyncio
import errno
import ipaddress
import logging
import socket
from collections.abc import Callable, Sequence
from typing import Final

from gatewayd.config.schema import Address, Door, Face, Tls
from gatewayd.errors import GatewayError
from gatewayd.log import Happening, note
from gatewayd.net.arrival import MakeStep
from gatewayd.net.entrance import Entrance
from gatewayd.net.lobby import Lobby
from gatewayd.net.tcp import expect_peer, peer_name
from gatewayd.net.watch import SocketWatch
from gatewayd.port.port import Port

BACKLOG: Final = 64
AT_ONCE: Final = 8
"""Clients that are accepted before others have their turn."""
RETRY_S: Final = 1.0
_IP_FREEBIND: Final = 15


WayOf = Callable[[Door], Sequence[MakeStep]]
"""Makes the steps that a client passes at a door."""


class BindError(GatewayError):
    """An address cannot be listened on; the text names it and the cause."""


def bind(address: Address) -> socket.socket:
    """A listening socket; an address that the machine does not have yet is no error.

    Raises BindError.
    """
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = None
    try:
        sock = socket.socket(family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `[::]` is every address, IPv4 too.
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(address.host != "::"))
        sock.setsockopt(socket.IPPROTO_IP, _IP_FREEBIND, 1)
        sock.bind((address.host, address.port))
        sock.listen(BACKLOG)
    except OSError as error:
        if sock is not None:
            sock.close()
        raise BindError(f"cannot listen on {address}: {_why(error, address)}") from error
    return sock


def _why(error: OSError, address: Address) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"the address is in use; who has it is told by: ss -ltnp sport = :{address.port}"
    if error.errno == errno.EACCES:
        return "ports below 1024 are reserved; use a higher one, or socket activation"
    if error.errno == errno.EAFNOSUPPORT:
        return "this machine has no IPv6" if ":" in address.host else "this machine has no IPv4"
    # A link-local address of an interface that is not there has a code of another kind.
    return error.strerror or str(error)


def exposed(host: str) -> bool:
    """Whether other machines can reach a listener on this numeric address."""
    return not ipaddress.ip_address(host).is_loopback


class Listener(Entrance):
    """One listening socket that makes a session of each client."""

    def __init__(
        self,
        port: Port,
        face: Face,
        sock: socket.socket,
        *,
        next_number: Callable[[], int],
        watch: SocketWatch,
        way: Sequence[MakeStep] = (),
        lobby: Lobby | None = None,
        way_of: WayOf | None = None,
    ) -> None:
        """`way_of` makes the way in of the door that the configuration has there, if it has one."""
        super().__init__(port, face, next_number=next_number, watch=watch, way=way, lobby=lobby)
        self.socket = sock
        self.door = Door()
        self._way_of = way_of
        host, number = sock.getsockname()[:2]
        self.address = Address(str(host), int(number))
        self._loop = asyncio.get_running_loop()
        self._pause: asyncio.TimerHandle | None = None
        self._complained = ""

    def start(self) -> None:
        """Accept clients from now on, and say where."""
        self.resume()
        text, happening = "%s on %s, for this machine only", Happening.LISTENING
        if self.door.tls is not Tls.NONE:
            text = "%s on %s, by TLS"
        elif exposed(self.address.host):
            text = "%s on %s, in clear text and without login for whoever can reach it"
            happening = Happening.EXPOSED
        note(happening, text, self.face.value, self.address, port=self.port.name)

    def resume(self) -> None:
        """Accept clients, by the settings that the port has now; in a while if the system refuses
        what that takes."""
        self._cancel_pause()
        self._look_at_door()
        try:
            if self.socket.fileno() < 0:
                self.socket = bind(self.address)
            expect_peer(self.socket, self.port.config.peer_timeout)
        except (OSError, BindError) as error:
            self._hold_off(error)
            return
        self._loop.add_reader(self.socket.fileno(), self._accept)

    def _look_at_door(self) -> None:
        here = {self.address, Address(self.address.host, 0)}
        for face, address in self.port.config.listeners:
            if face is self.face and address in here and self._way_of is not None:
                self.door = address.door
                self.way = self._way_of(self.door)

    def pause(self) -> None:
        """Accept no more; sessions go on, and the socket stays open."""
        self._cancel_pause()
        self._loop.remove_reader(self.socket.fileno())

    def _cancel_pause(self) -> None:
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None

    def _accept(self) -> None:
        for _ in range(AT_ONCE):
            try:
                sock, address = self.socket.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                self._hold_off(error)
                return
            self._complained = ""
            try:
                self.admit(sock, peer_name(address))
            except Exception as error:  # noqa: BLE001 - this client's end alone
                text = "client %s cannot be served: %s"
                level, port = logging.ERROR, self.port.name
                # What the system refuses is no fault of ours.
                info = None if isinstance(error, OSError) else error
                arguments = (peer_name(address), error)
                note(Happening.FAULT, text, *arguments, level=level, port=port, exc_info=info)
                sock.close()

    def _hold_off(self, error: Exception) -> None:
        """Out of descriptors or memory: clients wait in the backlog for a while."""
        if self._complained != str(error):
            self._complained = str(error)
            text = "cannot accept clients: %s; trying again every %g s"
            note(Happening.FAULT, text, error, RETRY_S, port=self.port.name, level=logging.WARNING)
        if self.socket.fileno() >= 0:
            self._loop.remove_reader(self.socket.fileno())
        self._pause = self._loop.call_later(RETRY_S, self.resume)
