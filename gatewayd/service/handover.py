"""A restart that nobody notices: what one process leaves and the next one takes.

Devices and listening sockets are in the descriptor store from the moment they are open, so that a
crash leaves instruments with DTR and their settings. Client connections go there when the process
is told to stop, with a description of all state. The next process takes everything that still fits
its configuration; what does not fit, or is not understood, is closed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from gatewayd.config.schema import Face, PortConfig
from gatewayd.line.model import LineSettings, Parity, StopBits
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.log import Happening, note
from gatewayd.net.connection import Connection
from gatewayd.net.entrance import Entrance
from gatewayd.port.outbox import Action
from gatewayd.service import guests
from gatewayd.service.adoption import Adoption
from gatewayd.service.gateway import Gateway, Served, settled
from gatewayd.service.passed import PassedSockets, taken_socket
from gatewayd.service.store import DEVICE, GUEST, LEASES, SESSION, STATE, Store

VERSION: Final = 1
SETTLE_S: Final = 1.0
"""How long lines may take for what clients sent before the state is written down."""
_MALFORMED: Final = (
    *(KeyError, ValueError, TypeError, IndexError),
    *(AttributeError, OverflowError, RecursionError),
)


RESTARTED: Final = "the gateway is restarted, come again"


async def give(gateway: Gateway, store: Store) -> None:
    """Leave everything to the next process. The gateway is not usable afterwards."""
    if gateway.desk is not None:
        gateway.desk.send_away(RESTARTED)
        gateway.desk.leave(())
    for served in gateway.served.values():
        for listener in served.listeners:
            listener.pause()
        served.send_away(RESTARTED)
        for _, connection in served.connections():
            connection.stop_reading()
    await asyncio.gather(*(settled(one.port, SETTLE_S) for one in gateway.served.values()))
    await _end_what_cannot_be_given(gateway)
    for served in gateway.served.values():
        for _, connection in served.connections():
            # What one has sent that waited and has had its turn meanwhile.
            connection.stop_reading()
    ports = {}
    for name, served in gateway.served.items():
        try:
            ports[name] = _give_port(served, store)
        except Exception as error:  # noqa: BLE001 - it costs this port, and no other
            text = "cannot be handed over: its session ends"
            note(Happening.FAULT, text, level=logging.ERROR, port=name, exc_info=error)
    try:
        store.state(json.dumps({"version": VERSION, "ports": ports}).encode())
    except OSError as error:
        text = "cannot hand over what was agreed in its sessions: %s"
        note(Happening.FAULT, text, error, level=logging.ERROR)


async def _end_what_cannot_be_given(gateway: Gateway) -> None:
    """The state of TLS is in this process alone: these clients are told the end by TLS itself."""
    ending = []
    for name, served in gateway.served.items():
        for _, connection in served.connections():
            if connection.can_give:
                continue
            if connection.session is served.port.owner:
                text = "a session by TLS cannot go on in another process: it ends"
                peer = served.port.owner.peername if served.port.owner else None
                note(Happening.SESSION_CLOSED, text, port=name, peer=peer)
            connection.close()
            ending.append(connection)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(SETTLE_S):
            await asyncio.gather(*(connection.flushed() for connection in ending))


def _give_port(served: Served, store: Store) -> dict[str, Any]:
    port = served.port
    queue, complete = port.clients.give_away()
    state: dict[str, Any] = {"device": str(port.config.device), **port.snapshot(), "queue": queue}
    if not complete:
        port.leftover.report()
        note(
            Happening.SESSION_CLOSED,
            "the line did not take in time what the client sent: its session ends",
            level=logging.WARNING,
            port=port.name,
        )
    elif port.owner is not None and (given := _connection(served)):
        face, connection = given
        session = port.owner.snapshot()
        unsent = connection.give_away(partial(store.session, port.name))
        state["session"] = {"face": face.value, "unsent": unsent.hex(), **session}
    state["guests"] = guests.give(served, store)
    line = port.line
    if isinstance(line, SerialPortLine):
        line.pause_reading()
        pending = line.pending()
        state["waiting"], state["known"] = pending.hex(), len(pending)
        state["settings"] = _plain(line.settings())
        line.detach()
    else:
        state["settings"] = _plain(port.settling.wanted)
    return state


def _connection(served: Served) -> tuple[Face, Connection] | None:
    """That of the owner, if it can be handed over."""
    return next(
        (
            (face, connection)
            for face, connection in served.connections()
            if connection.session is served.port.owner and connection.can_give
        ),
        None,
    )


class Inheritance:
    """What the process before left. What nobody takes is closed by `close`."""

    def __init__(self, passed: dict[str, list[int]]) -> None:
        """`passed` is what `systemd.listen_fds` returns."""
        self._devices = Adoption()
        self._connections: dict[str, socket.socket] = {}
        self._ports: dict[str, dict[str, Any]] = {}
        self._waiting: list[Callable[[], None]] = []
        self.leases = b""
        """Those of ports, see `gatewayd.service.leases`."""
        listening: dict[str, list[int]] = {}
        for name, fds in passed.items():
            if name == STATE:
                self._ports = _read_state(fds)
            elif name == LEASES:
                self.leases = _read_text(fds)
            elif name.startswith(DEVICE):
                self._devices.add(name.removeprefix(DEVICE), _last(fds))
            elif name.startswith((SESSION, GUEST)):
                connection = taken_socket(name, _last(fds))
                if connection is not None:
                    self._connections[name] = connection
            else:
                listening[name] = fds
        self.sockets = PassedSockets(listening)
        """The listening ones."""

    async def take(self, ports: Iterable[PortConfig]) -> None:
        """Take over the devices that the ports still have: before anybody listens, so that nothing
        is between a port and its session."""
        await self._devices.take({port.name: port for port in ports if self._is_still(port)})

    def _is_still(self, port: PortConfig) -> bool:
        device = str(port.device)
        return bool(self._ports.get(port.name, {}).get("device", device) == device)

    def restore(self, gateway: Gateway, store: Store) -> None:
        """Give devices and sessions to a gateway whose ports listen already."""
        if self._devices and not self._ports:
            note(
                Happening.SESSION_CLOSED,
                "the process before ended without handing over: its sessions are closed",
                level=logging.WARNING,
            )
        store.taken(self._connections)
        for name, served in gateway.served.items():
            if self._is_still(served.port.config):
                self._restore_port(gateway, served, self._ports.get(name, {}), store)
        self.close(store)

    def _restore_port(
        self,
        gateway: Gateway,
        served: Served,
        state: dict[str, Any],
        store: Store,
    ) -> None:
        port = served.port
        waiting, known = b"", 0
        queue: list[bytes | Action] = []
        settings = None
        try:
            if state:
                waiting = bytes.fromhex(state.get("waiting", ""))
                known = int(state.get("known", 0))
                queue = port.clients.understood(state.get("queue", []))
                settings = _settings(state["settings"])
                port.restore(state, settings, held="session" in state)
        except _MALFORMED as error:
            self._cannot(served, error)
            state = {}
        self._devices.give(served.keeper, settings, store)
        if waiting:
            port.outbox.resume(waiting, known)
        port.clients.put_back(queue)
        try:
            going_on = self._restore_session(gateway, served, state)
        except _MALFORMED as error:
            self._cannot(served, error)
            going_on, state = False, {}
        if not going_on:
            port.abandon(keep=bool(state))
        self._restore_guests(gateway, served, state.get("guests", ()))

    def _restore_session(self, gateway: Gateway, served: Served, state: dict[str, Any]) -> bool:
        session = state.get("session")
        if session is None:
            return False
        face = Face(session["face"])
        unsent = bytes.fromhex(session["unsent"])
        name = SESSION + served.port.name
        sock = self._connections[name]
        listener = _entrance(gateway, served, sock, session, face)
        del self._connections[name]
        try:
            listener.inherit(sock, session, unsent)
        except _MALFORMED:
            # Nobody else can have come: the loop has not run since it listens.
            for connection in tuple(listener.connections):
                connection.abort()
            sock.close()
            raise
        return True

    def _restore_guests(self, gateway: Gateway, served: Served, told: object) -> None:
        for number, guest in enumerate(told if isinstance(told, list) else ()):
            sock = self._connections.pop(f"{GUEST}{number}.{served.port.name}", None)
            if sock is None:
                continue
            try:
                waits = guests.restore(
                    guest, sock, partial(_entrance, gateway, served, sock, guest)
                )
                if waits is not None:
                    self._waiting.append(waits)
            except _MALFORMED as error:
                text, name = "cannot go on with a client that was handed over: %r", served.port.name
                note(Happening.SESSION_CLOSED, text, error, level=logging.WARNING, port=name)
                sock.close()
        # The port may be free for one of them.
        served.port.clients.look()

    def readmit(self) -> None:
        """Let those in who waited for a device, or for their turn: devices are looked for now."""
        waiting, self._waiting = self._waiting, []
        for arrives in waiting:
            try:
                arrives()
            except _MALFORMED as error:
                text = "cannot go on with a client that waited: %r"
                note(Happening.SESSION_CLOSED, text, error, level=logging.WARNING)
            except Exception as error:  # noqa: BLE001 - it costs this client, and nobody else
                text = "a client that waited cannot be served"
                note(Happening.FAULT, text, level=logging.ERROR, exc_info=error)

    def _cannot(self, served: Served, error: Exception) -> None:
        port = served.port
        port.restore(port.snapshot(), port.config.line)
        note(
            Happening.SESSION_CLOSED,
            "cannot go on with what was handed over: %r",
            error,
            level=logging.WARNING,
            port=port.name,
        )

    def close(self, store: Store) -> None:
        """Close what nobody took."""
        self._devices.close(store)
        for name in self.sockets.close():
            note(Happening.FAULT, "the socket unit %s is for no port here", name)
        for name, sock in self._connections.items():
            port = name.removeprefix(SESSION)
            note(Happening.SESSION_CLOSED, "a session of the process before ends", port=port)
            sock.close()
        self._connections.clear()


def _entrance(
    gateway: Gateway, served: Served, sock: socket.socket, session: dict[str, Any], face: Face
) -> Entrance:
    """Where such a connection comes in. Raises ValueError where that is nowhere."""
    if "desk" in session:
        from gatewayd.service.fronting import desk_of

        return desk_of(gateway).entrance(served)
    if sock.family == socket.AF_UNIX:
        return gateway.entrance(served, face)
    for listener in served.listeners:
        if listener.face is face:
            return listener
    raise ValueError(f"{served.port.name} is not served as {face.value} any more")


def _last(fds: list[int]) -> int:
    for fd in fds[:-1]:
        os.close(fd)
    return fds[-1]


def _read_state(fds: list[int]) -> dict[str, dict[str, Any]]:
    """The state of each port; none of what is not understood."""
    try:
        state = json.loads(_read_text(fds))
        if state["version"] != VERSION:
            return {}
        return {name: port for name, port in state["ports"].items() if isinstance(port, dict)}
    except _MALFORMED:
        return {}


def _read_text(fds: list[int]) -> bytes:
    """What is in a memory file of the store; nothing if it is none."""
    with open(_last(fds), "rb") as file:
        try:
            # Another kind of file than ours could be waited for.
            return file.read() if _rewound(file.fileno()) else b""
        except OSError:
            return b""


def _rewound(fd: int) -> bool:
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        return False
    os.lseek(fd, 0, os.SEEK_SET)
    return True


def _plain(settings: LineSettings) -> dict[str, Any]:
    return {
        **settings._asdict(),
        "parity": settings.parity.value,
        "stopbits": settings.stopbits.value,
    }


def _settings(plain: dict[str, Any]) -> LineSettings:
    if not 0 < plain["baudrate"] < 1 << 32:
        raise ValueError(f"no baud rate: {plain['baudrate']!r}")
    if plain["bytesize"] not in (5, 6, 7, 8):
        raise ValueError(f"no data bits: {plain['bytesize']!r}")
    return LineSettings(
        **{
            **plain,
            "parity": Parity(plain["parity"]),
            "stopbits": StopBits(plain["stopbits"]),
        }
    )
