"""All ports of a configuration, served: what the daemon starts, changes and stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Container, Iterable
from datetime import datetime
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Final

from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.device.watch import DeviceWatch
from gatewayd.line.gather import Gatherers
from gatewayd.net.address import bind
from gatewayd.net.channel import LocalChannel
from gatewayd.net.connection import Connection
from gatewayd.net.entrance import Entrance
from gatewayd.net.listener import Listener
from gatewayd.net.lobby import Lobby
from gatewayd.net.pace import Turnstile
from gatewayd.net.watch import SocketWatch
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.service.doors import Doors
from gatewayd.service.keeper import Keeper
from gatewayd.service.loop import GatewayLoop
from gatewayd.service.passed import PassedSockets
from gatewayd.service.store import Store
from gatewayd.typed import Protocol

if TYPE_CHECKING:
    from gatewayd.record.recorder import Record
    from gatewayd.record.ring import Ring

Listening = tuple[Face, Address]

STOP_S: Final = 1.0
"""How long a stop waits for bytes that clients sent and lines have not taken."""


def now() -> datetime:
    """The time, with its zone."""
    return datetime.now().astimezone()


class Served:
    """A port with what serves it."""

    def __init__(self, port: Port, keeper: Keeper) -> None:
        self.port = port
        self.keeper = keeper
        self.listeners: list[Listener] = []
        self.retired: list[Listener] = []
        """Those that accept no more, and whose clients may still be there."""
        self.attached: dict[Face, Entrance] = {}
        """Where clients come in that are handed their connection, see `Gateway.attach`."""
        self.desk: Entrance | None = None
        """Where those come in who have chosen the port at the desk."""
        self.state_since = now()
        self.lost_at: datetime | None = None
        """When the device went away, the last time."""
        self.record: Record | None = None
        """While the port is recorded."""
        self.ring: Ring | None = None
        """What the device said last, if that is kept."""
        self._phase = Phase.ABSENT

    def changed(self) -> None:
        """The port changed: take note of when."""
        if self.port.phase is not self._phase:
            self.state_since = now()
            if self._phase is Phase.READY:
                self.lost_at = self.state_since
            self._phase = self.port.phase

    def retire(self, listener: Listener) -> None:
        """Accept no more at a listener; its socket stays open."""
        listener.pause()
        self.listeners.remove(listener)
        self.retired = [one for one in (*self.retired, listener) if one.connections]

    def entrances(self) -> tuple[Entrance, ...]:
        """Where clients are, and came in."""
        desk = (self.desk,) if self.desk is not None else ()
        return (*self.listeners, *self.retired, *self.attached.values(), *desk)

    def connections(self) -> list[tuple[Face, Connection]]:
        """All clients, by what they speak."""
        return [
            (one.face, connection) for one in self.entrances() for connection in one.connections
        ]

    def send_away(self, text: str) -> None:
        """Close those that have connected and have no session yet, with a word."""
        for one in self.entrances():
            one.send_away(text)


class Desk(Protocol):
    """The front desk, see `gatewayd.service.fronting`."""

    def leave(self, addresses: tuple[Address, ...]) -> None:
        """Serve at no others than these."""

    def send_away(self, text: str) -> None:
        """Close those at the menu, with a word."""

    def stop(self) -> None:
        """Serve nowhere, and nobody."""


class Gateway:
    """The ports that are served now, by name. `store` keeps their descriptors for a restart."""

    def __init__(self, store: Store) -> None:
        self.loop = asyncio.get_running_loop()
        self.since = now()
        self.served: dict[str, Served] = {}
        self.port_observers: list[Callable[[Served], None]] = []
        """Called with a port where a session came or went, or whose device changed its state."""
        self.observers: list[Callable[[], None]] = []
        """Called when ports came or went, or are others than before."""
        self.doors = Doors()
        self._store = store
        self._watch = DeviceWatch(self.loop)
        self.sockets = SocketWatch(self.loop)
        selector = self.loop.direct if isinstance(self.loop, GatewayLoop) else None
        self._gatherers = Gatherers(self.loop, selector)
        self.next_number = count(1).__next__
        self._lobby = Lobby()
        self.turnstile = Turnstile(self.loop)
        self.escape = b""
        """The keys that come before a command at the desk."""
        self.desk: Desk | None = None

    def listen(self, config: Config, passed: PassedSockets) -> None:
        """Listen for all ports of `config`, on sockets that were passed where they have an address
        of it. Raises BindError, and serves nothing then.

        A passed socket that has the name of a port and another address is one more RFC 2217 face.
        """
        ours = [address for port in config.ports for _, address in port.listeners]
        taken = passed.sort(ours)
        bound: list[socket.socket] = []
        try:
            # Not by address: port 0 is another one each time.
            bound.extend(taken.pop(at) if at in taken else bind(at) for at in ours)
        except BaseException:
            for sock in (*bound, *taken.values()):
                sock.close()
            raise
        sockets = iter(bound)
        for port in config.ports:
            listening = [(face, next(sockets)) for face, _ in port.listeners]
            listening += [(Face.RFC2217, sock) for sock in passed.named(port.name)]
            self.add(port, listening)
        self.arranged()

    def start(self) -> None:
        """Look for the devices of all ports."""
        for served in self.served.values():
            served.keeper.start()

    def add(self, config: PortConfig, sockets: Iterable[tuple[Face, socket.socket]]) -> Served:
        """One more port, on sockets that listen already; its keeper is still to be started, and
        `arranged` to be called when all are there."""
        port = Port(config, self.loop)
        served = Served(port, Keeper(port, self._watch, self._store, self._gatherers))
        port.on_change = partial(self._port_changed, served)
        self.served[config.name] = served
        for face, sock in sockets:
            self._listen(served, face, sock)
        self.store_listeners(served)
        return served

    def extend(self, served: Served, face: Face, sock: socket.socket) -> None:
        """One more listener for a port."""
        self._listen(served, face, sock)
        self.store_listeners(served)

    def _listen(self, served: Served, face: Face, sock: socket.socket) -> None:
        listener = Listener(
            served.port,
            face,
            sock,
            next_number=self.next_number,
            watch=self.sockets,
            lobby=self._lobby,
            way_of=self.doors.way,
            turnstile=self.turnstile,
        )
        served.listeners.append(listener)
        listener.start()

    def entrance(self, served: Served, face: Face) -> Entrance:
        """Where connections within this machine come in to a face, whether or not it listens."""
        found = served.attached.get(face)
        if found is None:
            found = served.attached[face] = Entrance(
                served.port,
                face,
                next_number=self.next_number,
                watch=self.sockets,
                carrier=LocalChannel,
            )
        return found

    def attach(
        self, served: Served, face: Face, peername: str, *, insists: bool = False, name: str = ""
    ) -> socket.socket:
        """The other end of a connection that enters as any client does, called `peername`; one that
        `insists` takes the port over.

        Raises OSError when there is no socket to be had.
        """
        ours, theirs = socket.socketpair()
        try:
            entrance = self.entrance(served, face)
            newcomer = entrance.newcomer(peername)
            newcomer.insists = insists
            newcomer.name = name
            entrance.admit(ours, newcomer)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return theirs

    def store_listeners(self, served: Served) -> None:
        """Have the store keep just the listeners that the port has."""
        fds = [listener.socket.fileno() for listener in served.listeners]
        self._store.listeners(served.port.name, [fd for fd in fds if fd >= 0])

    def arranged(self) -> None:
        """Ports came or went: tell who looks on."""
        for observer in tuple(self.observers):
            observer()

    def _port_changed(self, served: Served) -> None:
        served.changed()
        for observer in tuple(self.port_observers):
            observer(served)

    def order(self, names: list[str]) -> None:
        """Have the ports in this order, that of the configuration."""
        self.served = {name: self.served[name] for name in names}
        self.arranged()

    async def remove(self, name: str, *, keep: Container[Listening] = ()) -> None:
        """Serve a port no more: end its session, give its device back.

        Sockets of listeners in `keep` stay open, for another port or the same.
        """
        served = self.served.pop(name)
        for listener in served.listeners:
            listener.pause()
            if (listener.face, listener.address) not in keep:
                listener.socket.close()
        self._store.listeners(name, ())
        served.send_away("the port is closed by the gateway")
        served.port.clients.close()
        await settled(served.port, STOP_S)
        await _flushed(served, STOP_S)
        await served.keeper.stop()
        for _, connection in served.connections():
            connection.abort()

    def release(self) -> None:
        """Let go of everything at once, as the end of the process does: what was handed over has
        its copies."""
        if self.desk is not None:
            self.desk.stop()
        for served in self.served.values():
            for listener in served.listeners:
                listener.close()
            for _, connection in served.connections():
                connection.drop()
        self._close()

    async def stop(self) -> None:
        """End everything; bytes that lines still take go to them, within `STOP_S`."""
        if self.desk is not None:
            self.desk.send_away("the gateway stops")
        await asyncio.gather(*(self.remove(name) for name in tuple(self.served)))
        if self.desk is not None:
            self.desk.stop()
        self._close()

    def _close(self) -> None:
        self.sockets.close()
        self._watch.close()


async def _flushed(served: Served, seconds: float) -> None:
    """Wait until clients were sent what was kept for them; not for ever."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            for _, connection in served.connections():
                await connection.flushed()


async def settled(port: Port, seconds: float) -> None:
    """Wait until the line has taken what waits now, and done what was asked; not for ever."""
    done = asyncio.Event()
    port.outbox.then(done.set)
    try:
        async with asyncio.timeout(seconds):
            await done.wait()
    except TimeoutError:
        port.outbox.withdraw(done.set)
