"""All ports of a configuration, served: what the daemon starts, changes and stops."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field
from itertools import count
from typing import Final

from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.device.watch import DeviceWatch
from gatewayd.net.listener import Listener, bind
from gatewayd.net.watch import SocketWatch
from gatewayd.port.port import Port
from gatewayd.service.keeper import Keeper

Listening = tuple[Face, Address]

STOP_S: Final = 1.0
"""How long a stop waits for bytes that clients sent and lines have not taken."""


@dataclass(slots=True)
class Served:
    """A port with what serves it."""

    port: Port
    keeper: Keeper
    listeners: list[Listener] = field(default_factory=list)


class Gateway:
    """The ports that are served now, by name."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.served: dict[str, Served] = {}
        self.watch = DeviceWatch(self.loop)
        self._sockets = SocketWatch(self.loop)
        self._numbers = count(1)
        self.passed: dict[str, list[socket.socket]] = {}
        """Listening sockets from the service manager, by the name of their port."""
        self.changed: Callable[[], None] | None = None
        """Called when a session came or went, or a device changed its state."""

    def start(self, config: Config) -> None:
        """Serve all ports of `config`. Raises BindError, and serves nothing then."""
        bound: list[tuple[PortConfig, list[tuple[Face, socket.socket]]]] = []
        try:
            for port in config.ports:
                sockets: list[tuple[Face, socket.socket]] = []
                bound.append((port, sockets))
                for face, address in port.listeners:
                    sockets.append((face, self._passed(port.name, address) or bind(address)))
        except BaseException:
            for _, sockets in bound:
                for _, sock in sockets:
                    sock.close()
            raise
        for port, sockets in bound:
            self.add(port, sockets)

    def add(self, config: PortConfig, sockets: Iterable[tuple[Face, socket.socket]]) -> None:
        """Serve one more port on sockets that listen already."""
        port = Port(config, self.loop)
        port.on_change = self._port_changed
        served = Served(port, Keeper(port, self.watch))
        self.served[config.name] = served
        for face, sock in sockets:
            self.listen(served, face, sock)
        served.keeper.start()

    def listen(self, served: Served, face: Face, sock: socket.socket) -> None:
        """Accept clients of `face` on a socket that listens already."""
        listener = Listener(
            served.port, face, sock, next_number=self._numbers.__next__, watch=self._sockets
        )
        served.listeners.append(listener)
        listener.start()

    def _port_changed(self) -> None:
        if self.changed is not None:
            self.changed()

    def order(self, names: list[str]) -> None:
        """Have the ports in this order, that of the configuration."""
        self.served = {name: self.served[name] for name in names}

    async def remove(self, name: str, *, keep: Container[Listening] = ()) -> None:
        """Serve a port no more: end its session, give its device back.

        Sockets of listeners in `keep` stay open, for another port or the same.
        """
        served = self.served.pop(name)
        for listener in served.listeners:
            listener.pause()
            if (listener.face, listener.address) not in keep:
                listener.socket.close()
        if served.port.owner is not None:
            served.port.owner.end()
        await self._drained(served.port)
        await served.keeper.stop()
        for listener in served.listeners:
            for connection in tuple(listener.connections):
                connection.abort()

    async def stop(self) -> None:
        """End everything; bytes that lines still take go to them, within `STOP_S`."""
        await asyncio.gather(*(self.remove(name) for name in tuple(self.served)))
        self._sockets.close()
        self.watch.close()

    async def _drained(self, port: Port) -> None:
        drained = asyncio.Event()
        port.outbox.then(drained.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(STOP_S):
                await drained.wait()

    def _passed(self, name: str, address: Address) -> socket.socket | None:
        for sock in self.passed.get(name, []):
            host, port = sock.getsockname()[:2]
            if port == address.port and (host == address.host or host in ("0.0.0.0", "::")):
                self.passed[name].remove(sock)
                return sock
        return None
