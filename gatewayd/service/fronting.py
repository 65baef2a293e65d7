"""The front desk of the gateway: its addresses, who comes in there, and what it tells of the ports.

Imported when the configuration has a desk, or somebody on the machine asks for it.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from copy import copy
from datetime import datetime
from typing import Any, Final

from gatewayd import __version__
from gatewayd.config.schema import Address, Door, Face, Tls
from gatewayd.desk.front import Guest, Wish
from gatewayd.desk.listing import Entry, plain
from gatewayd.desk.menu import Menu
from gatewayd.desk.session import DeskSession
from gatewayd.log import Happening, note
from gatewayd.net.acceptor import Acceptor
from gatewayd.net.address import BindError, bind, exposed
from gatewayd.net.admission import is_local, within
from gatewayd.net.arrival import Arrival, Newcomer
from gatewayd.net.channel import LocalChannel, PlainChannel
from gatewayd.net.connection import Connection
from gatewayd.net.doorway import Doorway
from gatewayd.net.entrance import Entrance
from gatewayd.net.lobby import Lobby
from gatewayd.net.stage import Stage
from gatewayd.port.holder import Holder
from gatewayd.port.lease import Lease
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.service.gateway import Gateway, Served

RETRY_S: Final = 5.0
"""An address that cannot be had is tried again after so long: the ports do not wait for it."""
PEER_TIMEOUT_S: Final = 30.0
MOST: Final = 64
MOST_OF_ONE: Final = 16
"""Who sits at the menu: people, and more of one host than of those that come to a port."""
CAUSE_CHARS: Final = 24
NOTE_CHARS: Final = 24


def desk_of(gateway: Gateway) -> FrontDesk:
    """The front desk of a gateway, made when it is asked for first."""
    if not isinstance(gateway.desk, FrontDesk):
        gateway.desk = FrontDesk(gateway)
    return gateway.desk


class FrontDesk:
    """The menu and what is behind it."""

    def __init__(self, gateway: Gateway) -> None:
        self.title = f"{socket.gethostname()}, gatewayd {__version__}"
        self._gateway = gateway
        self._lobby = Lobby(most=MOST, most_of_one=MOST_OF_ONE)
        self._inside = _Desk(self, gateway, self._lobby, Door())
        """For who comes from this machine, and who comes back."""
        self._inside.carrier = LocalChannel
        self._outside: dict[Address, tuple[Acceptor, _Desk]] = {}
        self._retired: list[_Desk] = []
        """Those that are served no more, and whose people may still be there."""
        self._wanted: tuple[Address, ...] = ()
        self._retry: asyncio.TimerHandle | None = None
        self._complained: set[str] = set()

    # ---- addresses

    @property
    def escape(self) -> bytes:
        """The keys before a command."""
        return self._gateway.escape

    def follow(self, addresses: tuple[Address, ...]) -> None:
        """Serve at these addresses, and at no others."""
        self.leave(addresses)
        self._wanted = addresses
        self._open()

    def leave(self, addresses: tuple[Address, ...]) -> None:
        """Serve at no others than these: what is given up is free at once."""
        wanted = {address: address.door for address in addresses}
        for address, (acceptor, desk) in tuple(self._outside.items()):
            if wanted.get(address) != desk.door:
                del self._outside[address]
                acceptor.close()
                desk.send_away("this address is served no more")
                self._retired = [one for one in (*self._retired, desk) if one.connections]

    def _open(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None
        for address in self._wanted:
            if address not in self._outside:
                try:
                    self._listen(address)
                except BindError as error:
                    self._complain(str(error))
        if len(self._outside) < len(set(self._wanted)):
            self._retry = self._gateway.loop.call_later(RETRY_S, self._open)

    def _listen(self, address: Address) -> None:
        desk = _Desk(self, self._gateway, self._lobby, address.door)
        acceptor = Acceptor(
            bind(address),
            lambda sock, peername: desk.admit(sock, desk.newcomer(peername)),
            peer_timeout=lambda: PEER_TIMEOUT_S,
            name=_Desk.NAME,
            door=address.door,
            turnstile=self._gateway.turnstile,
        )
        self._outside[address] = acceptor, desk
        acceptor.resume()
        text, happening = "front desk on %s, for this machine only", Happening.LISTENING
        if address.door.tls in (Tls.IMPLICIT, Tls.STARTTLS):
            text = "front desk on %s, by TLS"
        elif exposed(address.host):
            text = "front desk on %s, in clear text and without login for whoever can reach it"
            happening = Happening.EXPOSED
        note(happening, text, acceptor.address)

    def _complain(self, text: str) -> None:
        if text not in self._complained:
            self._complained.add(text)
            told = "no front desk: %s; trying again every %g s"
            note(Happening.FAULT, told, text, RETRY_S, level=logging.WARNING)

    @property
    def addresses(self) -> list[Address]:
        """Where it is served."""
        return [acceptor.address for acceptor, _ in self._outside.values()]

    @property
    def visitors(self) -> int:
        """How many are at the menu, or on their way there."""
        return len(self._lobby)

    def attach(self, peername: str, port: str) -> socket.socket:
        """The other end of a connection that enters as any client does; to `port` at once if one
        is named. Raises OSError when there is no socket to be had."""
        ours, theirs = socket.socketpair()
        newcomer = self._inside.newcomer(peername)
        newcomer.wish = port
        try:
            self._inside.admit(ours, newcomer)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return theirs

    def send_away(self, text: str) -> None:
        """Close those at the menu, with a word."""
        for desk in self._desks():
            desk.send_away(text)

    def _desks(self) -> list[_Desk]:
        return [self._inside, *(desk for _, desk in self._outside.values()), *self._retired]

    def stop(self) -> None:
        """Serve nowhere, and nobody."""
        desks = self._desks()
        self.follow(())
        for desk in desks:
            for connection in tuple(desk.connections):
                connection.abort()

    # ---- what the desk knows of the gateway, see `gatewayd.desk.front.Front`

    def entries(self) -> list[Entry]:
        """All ports."""
        return [_entry(served) for served in self._gateway.served.values()]

    def forbids(self, port: str, newcomer: Newcomer) -> str:
        """Why somebody may not go to a port: what its own addresses ask for holds here as well."""
        config, name = self._gateway.served[port].port.config, newcomer.proof.name
        local = is_local(newcomer.host)
        if config.allow and not local and not within(newcomer.host, config.allow):
            return f"{port} is not for {newcomer.host}"
        if config.users and name not in config.users and (name or not local):
            return f"{name or 'who has no name'} may not use {port}"
        return ""

    def who(self, port: str = "") -> list[str]:
        """Who is at a port, or at any."""
        lines = []
        for name, served in self._gateway.served.items():
            clients = served.port.clients
            here = [("has it", clients.owner), *(("watches", one) for one in clients.watchers)]
            if not port or name == port:
                lines += [
                    plain(f"  {name:<12} {does:<8} {one.peername} {one.face} since {_time(one)}")
                    for does, one in here
                    if one is not None
                ]
                if clients.lease is not None:
                    lines.append(plain(f"  {name:<12} leased to {_lease(clients.lease)}"))
        return lines

    def replay(self, port: str) -> bytes:
        """What the device said last, if that is kept."""
        served = self._gateway.served.get(port)
        return served.ring.last() if served is not None and served.ring is not None else b""

    def seat(self, wish: Wish) -> Callable[[Arrival], Stage]:
        """Makes the session of one who has chosen."""

        def make(arrival: Arrival) -> Stage:
            entrance = self.entrance(self._gateway.served[wish.port])
            entrance.adopt(arrival.connection)
            arrival.newcomer.since = datetime.now().astimezone()
            return entrance.choose(arrival, wish)

        return make

    def back(self, guest: Guest, rest: bytes) -> None:
        """Take somebody to the menu."""
        connection = guest.peer
        assert isinstance(connection, Connection)
        newcomer = self._inside.newcomer(guest.address)
        newcomer.name, newcomer.proof = guest.name, guest.proof
        self._inside.come_back(connection, newcomer, guest.telnet, rest)

    def entrance(self, served: Served) -> DeskEntrance:
        """Where those who have chosen a port come in."""
        if served.desk is None:
            served.desk = DeskEntrance(
                served.port,
                Face.RFC2217,
                self,
                next_number=self._gateway.next_number,
                watch=self._gateway.sockets,
            )
        assert isinstance(served.desk, DeskEntrance)
        return served.desk


class _Desk(Doorway):
    """The way in to the menu."""

    NAME: Final = "desk"

    def __init__(self, front: FrontDesk, gateway: Gateway, lobby: Lobby, door: Door) -> None:
        self.door = door
        super().__init__(
            self.NAME,
            gateway.loop,
            telnet=True,
            next_number=gateway.next_number,
            watch=gateway.sockets,
            way=[
                *gateway.doors.way(door),
                lambda arrival: Menu(arrival, front, gateway.loop),
            ],
            lobby=lobby,
        )

    def seat(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None = None
    ) -> Stage:
        """The menu says what comes behind it."""
        raise AssertionError("a menu without an end")


class DeskEntrance(Entrance):
    """The way from the desk to one port."""

    def __init__(self, port: Port, face: Face, front: FrontDesk, **more: Any) -> None:
        super().__init__(port, face, **more)
        self._front = front

    def choose(self, arrival: Arrival, wish: Wish) -> DeskSession:
        """The session of one who has chosen this port."""
        newcomer = arrival.newcomer
        # In quotes: nobody has proved it.
        said = f' "{newcomer.name}"' if newcomer.name else ""
        called = copy(newcomer)
        called.peername += said
        session = self._session(
            arrival.connection,
            called,
            arrival.telnet,
            wish,
            address=newcomer.peername,
        )
        session.prove(newcomer.proof)
        return session

    def _session(
        self,
        connection: Connection,
        newcomer: Newcomer,
        telnet: TelnetFace | None,
        wish: Wish,
        *,
        address: str,
    ) -> DeskSession:
        return DeskSession(
            self.port,
            connection,
            self._front,
            wish,
            number=newcomer.number,
            peername=newcomer.peername,
            since=newcomer.since,
            address=address,
            name=newcomer.name,
            telnet=telnet,
        )

    def inherit(self, sock: socket.socket, snapshot: dict[str, Any], unsent: bytes) -> None:
        """Go on with a session that another process accepted."""
        said = snapshot["desk"]
        wish = Wish("", program=bool(said["program"]), straight=bool(said["straight"]))
        self._inherits = str(said["address"]), str(said["name"]), wish
        self.carrier = LocalChannel if sock.family == socket.AF_UNIX else PlainChannel
        super().inherit(sock, snapshot, unsent)

    def seat(
        self, connection: Connection, newcomer: Newcomer, telnet: TelnetFace | None = None
    ) -> DeskSession:
        """A session of another process."""
        address, newcomer.name, wish = self._inherits
        session = self._session(connection, newcomer, telnet, wish, address=address)
        session.prove(newcomer.proof)
        return session


def _entry(served: Served) -> Entry:
    port, owner, lease = served.port, served.port.owner, served.port.clients.lease
    about = port.config.description
    if owner is not None:
        who = owner.peername
        # One that is gone in a moment is waited for.
        going = owner.leaving or owner.ended
        said = f"{who} since {_time(owner)}" + (f"; leased to {_lease(lease)}" if lease else "")
        return Entry(port.name, "held", said, about, "" if going else who)
    if port.phase is not Phase.READY:
        return Entry(port.name, port.phase.value, port.cause[:CAUSE_CHARS], about)
    if lease is not None:
        return Entry(port.name, "leased", _lease(lease), about)
    return Entry(port.name, "free", "", about)


def _lease(lease: Lease) -> str:
    """Who has it, until when and for what; short, for a list."""
    until, today = lease.until.astimezone(), datetime.now().astimezone().date()
    when = until.strftime("%H:%M" if until.date() == today else "%Y-%m-%d %H:%M")
    return f"{lease.holder} until {when}" + (f", {lease.note[:NOTE_CHARS]}" if lease.note else "")


def _time(session: Holder) -> str:
    return session.since.strftime("%H:%M")
