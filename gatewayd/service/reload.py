"""Putting a new configuration in force: the difference to the old one, and nothing else."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from gatewayd.config.diff import Change, Plan, plan
from gatewayd.config.schema import Address, Config
from gatewayd.log import Happening, note
from gatewayd.net.address import bind
from gatewayd.net.listener import Listener
from gatewayd.service.gateway import Gateway, Listening, Served


async def apply(gateway: Gateway, old: Config, new: Config) -> str:
    """Get from `old` to `new`; return what was done, in words.

    New addresses are bound before anything else is touched. Raises BindError, and nothing has
    changed then.
    """
    steps = plan(old, new)
    sockets = _Sockets(gateway, steps)
    sockets.bind()
    # Devices may move from one port to another: all that are given up come first.
    restarted = [(gateway.served[one.new.name], one) for one in steps.changed if one.restart]
    await asyncio.gather(
        *(gateway.remove(port.name) for port in steps.removed),
        *(gateway.remove(one.new.name, keep=one.new.listeners) for _, one in restarted),
    )
    for served, change in restarted:
        _restart(gateway, served, change, sockets)
    for change in steps.changed:
        if not change.restart:
            _change(gateway, change, sockets)
    for port in steps.added:
        gateway.add(port, [(face, sockets.take(at)) for face, at in port.listeners]).keeper.start()
    for port in steps.unchanged:
        gateway.served[port.name].port.config = port
    gateway.order([port.name for port in new.ports])
    text = (
        f"{len(steps.added)} added, {len(steps.removed)} removed, {len(steps.changed)} changed, "
        f"{len(steps.unchanged)} unchanged"
    )
    note(Happening.CONFIG_RELOADED, "configuration in force: %s", text)
    return text


def _restart(gateway: Gateway, served: Served, change: Change, sockets: _Sockets) -> None:
    kept = {
        (listener.face, listener.address): listener.socket
        for listener in served.listeners
        if (listener.face, listener.address) in change.new.listeners
    }
    gateway.add(
        change.new,
        [(face, kept.get((face, at)) or sockets.take(at)) for face, at in change.new.listeners],
    ).keeper.start()


def _change(gateway: Gateway, change: Change, sockets: _Sockets) -> None:
    served = gateway.served[change.new.name]
    served.port.reconfigure(change.new)
    for listener in served.listeners:
        listener.resume()
    if change.new.peer_timeout != change.old.peer_timeout:
        for _, connection in served.connections():
            connection.expect(change.new.peer_timeout)
    gateway.store_listeners(served)
    for face, address in change.opened:
        gateway.extend(served, face, sockets.take(address))


class _Sockets:
    """The listening sockets of a plan: kept where the address was ours before, new elsewhere."""

    def __init__(self, gateway: Gateway, steps: Plan) -> None:
        self._gateway = gateway
        self._wanted: list[Address] = []
        closing: list[tuple[Served, Listening]] = []
        for port in steps.removed:
            closing += [(gateway.served[port.name], at) for at in port.listeners]
        for change in steps.changed:
            closing += [(gateway.served[change.old.name], at) for at in change.closed]
            self._wanted += [address for _, address in change.opened]
        for port in steps.added:
            self._wanted += [address for _, address in port.listeners]
        self._closing = [
            (served, listener)
            for served, at in closing
            for listener in served.listeners
            if (listener.face, listener.address) == at
        ]
        self._bound: dict[Address, socket.socket] = {}

    def bind(self) -> None:
        """Have a socket for each address that is new. Raises BindError with nothing changed."""
        closed: list[tuple[Served, Listener]] = []
        try:
            for served, listener in self._closing:
                served.retire(listener)
                closed.append((served, listener))
                if listener.address in self._wanted:
                    self._bound[listener.address] = listener.socket
            # What moves between faces or ports keeps its socket; a wider or narrower address on
            # the same port number needs the old one closed.
            ports = {address.port for address in self._wanted if address not in self._bound}
            for _, listener in closed:
                if listener.socket not in self._bound.values() and listener.address.port in ports:
                    # `close` alone is not enough where the service manager has a copy.
                    with contextlib.suppress(OSError):
                        listener.socket.shutdown(socket.SHUT_RDWR)
                    listener.socket.close()
            for address in self._wanted:
                if address not in self._bound:
                    self._bound[address] = bind(address)
        except BaseException:
            self._undo(closed)
            raise
        for _, listener in closed:
            listener.send_away("this address is served no more")
            if listener.socket not in self._bound.values():
                listener.socket.close()

    def _undo(self, closed: list[tuple[Served, Listener]]) -> None:
        ours = {listener.socket for _, listener in closed}
        for sock in self._bound.values():
            if sock not in ours:
                sock.close()
        for served, listener in closed:
            # A socket that was closed for a new one is made again there, if need be later.
            listener.resume()
            if listener in served.retired:
                served.retired.remove(listener)
            served.listeners.append(listener)
        for served, _ in closed:
            self._gateway.store_listeners(served)

    def take(self, address: Address) -> socket.socket:
        """The socket for an address of the plan."""
        return self._bound.pop(address)
