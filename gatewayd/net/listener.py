"""Listening sockets of one face of one port."""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence

from gatewayd.config.schema import Address, Door, Face, Tls
from gatewayd.log import Happening, note
from gatewayd.net.acceptor import Acceptor
from gatewayd.net.address import exposed
from gatewayd.net.arrival import MakeStep
from gatewayd.net.entrance import Entrance
from gatewayd.net.lobby import Lobby
from gatewayd.net.pace import Turnstile
from gatewayd.net.watch import SocketWatch
from gatewayd.port.port import Port

WayOf = Callable[[Door], Sequence[MakeStep]]
"""Makes the steps that a client passes at a door."""


class Listener(Acceptor, Entrance):
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
        turnstile: Turnstile | None = None,
    ) -> None:
        """`way_of` makes the way in of the door that the configuration has there, if it has one."""
        Entrance.__init__(
            self, port, face, next_number=next_number, watch=watch, way=way, lobby=lobby
        )
        Acceptor.__init__(
            self,
            sock,
            lambda sock, peername: self.admit(sock, self.newcomer(peername)),
            peer_timeout=lambda: port.config.peer_timeout,
            name=port.name,
            turnstile=turnstile,
        )
        self._way_of = way_of

    def start(self) -> None:
        """Accept clients from now on, and say where."""
        self.resume()
        text, happening = "%s on %s, for this machine only", Happening.LISTENING
        if self.door.tls in (Tls.IMPLICIT, Tls.STARTTLS):
            text = "%s on %s, by TLS"
        elif exposed(self.address.host):
            who = "those of allow" if self.door.allow else "whoever can reach it"
            text = f"%s on %s, in clear text and without login for {who}"
            happening = Happening.EXPOSED
        note(happening, text, self.face.value, self.address, port=self.port.name)

    def resume(self) -> None:
        """Accept clients, by the settings that the port has now."""
        self._look_at_door()
        super().resume()

    def _look_at_door(self) -> None:
        here = {self.address, Address(self.address.host, 0)}
        for face, address in self.port.config.listeners:
            if face is self.face and address in here:
                self.door = address.door
                if self._way_of is not None:
                    self.way = self._way_of(self.door)
