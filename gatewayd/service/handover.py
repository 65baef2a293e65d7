"""A restart that nobody notices: what one process leaves and the next one takes.

Devices and listening sockets are in the descriptor store from the moment they are open, so that a
crash leaves instruments with DTR and their settings. Client connections go there when the process
is told to stop, with a description of all state. The next process takes everything that still fits
its configuration; what does not fit, or is not understood, is closed.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import logging
import os
import socket
from typing import Any, Final

from gatewayd.config.schema import Face
from gatewayd.errors import GatewayError
from gatewayd.line.model import LineSettings, Parity, StopBits
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.log import Happening, note
from gatewayd.net.connection import Connection
from gatewayd.service.gateway import Gateway, Served, settled
from gatewayd.service.passed import PassedSockets
from gatewayd.service.store import DEVICE, SESSION, STATE, Store

VERSION: Final = 1
SETTLE_S: Final = 1.0
"""How long lines may take for what clients sent before the state is written down."""
_MALFORMED: Final = (KeyError, ValueError, TypeError, IndexError, StopIteration)


async def give(gateway: Gateway, store: Store) -> None:
    """Leave everything to the next process. The gateway is not usable afterwards."""
    for served in gateway.served.values():
        for listener in served.listeners:
            listener.pause()
            for connection in tuple(listener.connections):
                connection.stop_reading()
    await asyncio.gather(*(settled(one.port, SETTLE_S) for one in gateway.served.values()))
    ports = {name: _give_port(served, store) for name, served in gateway.served.items()}
    store.state(json.dumps({"version": VERSION, "ports": ports}).encode())


def _give_port(served: Served, store: Store) -> dict[str, Any]:
    port = served.port
    state: dict[str, Any] = {"device": str(port.config.device), **port.snapshot()}
    waiting = port.outbox.give_away()
    if waiting is None:
        note(
            Happening.SESSION_CLOSED,
            "the line did not take in time what the client sent: its session ends",
            level=logging.WARNING,
            port=port.name,
        )
    elif port.owner is not None:
        face, connection = _connection(served)
        fd, unsent = connection.give_away()
        state["session"] = {
            "face": face.value,
            "unsent": unsent.hex(),
            **port.owner.snapshot(),
        }
        store.session(port.name, fd)
    line = port.line
    if isinstance(line, SerialPortLine):
        line.pause_reading()
        state["waiting"] = (line.pending() + (waiting or b"")).hex()
        state["settings"] = _plain(line.settings())
        state["path"] = line.path
        line.detach()
    else:
        state["settings"] = _plain(port.wanted_settings)
    return state


def _connection(served: Served) -> tuple[Face, Connection]:
    return next(
        (listener.face, connection)
        for listener in served.listeners
        for connection in listener.connections
        if connection.session is served.port.owner
    )


class Inheritance:
    """What the process before left. What nobody takes is closed by `close`."""

    def __init__(self, passed: dict[str, list[int]]) -> None:
        """`passed` is what `systemd.listen_fds` returns."""
        self._devices: dict[str, int] = {}
        self._connections: dict[str, socket.socket] = {}
        self._state: dict[str, Any] = {}
        listening: dict[str, list[int]] = {}
        for name, fds in passed.items():
            if name == STATE:
                self._state = _read_state(fds)
            elif name.startswith(DEVICE):
                self._devices[name.removeprefix(DEVICE)] = _last(fds)
            elif name.startswith(SESSION):
                self._connections[name.removeprefix(SESSION)] = socket.socket(fileno=_last(fds))
            else:
                listening[name] = fds
        self.sockets = PassedSockets(listening)
        """The listening ones."""

    def restore(self, gateway: Gateway, store: Store) -> None:
        """Give devices and sessions to a gateway whose ports listen already."""
        if self._devices and not self._state:
            note(
                Happening.SESSION_CLOSED,
                "the process before ended without handing over: its sessions are closed",
                level=logging.WARNING,
            )
        store.taken(self._connections)
        ports = self._state.get("ports") or {}
        for name, served in gateway.served.items():
            state = ports.get(name) or {}
            if state.get("device", str(served.port.config.device)) != str(
                served.port.config.device
            ):
                continue
            try:
                self._restore_port(served, state)
            except (*_MALFORMED, OSError, GatewayError) as error:
                note(
                    Happening.SESSION_CLOSED,
                    "cannot go on with what was handed over: %r",
                    error,
                    level=logging.WARNING,
                    port=name,
                )
        self.close(store)

    def _restore_port(self, served: Served, state: dict[str, Any]) -> None:
        port = served.port
        settings = _settings(state["settings"]) if state else None
        if state:
            port.restore(state, settings or port.config.line)
        fd = self._devices.pop(port.name, None)
        if fd is not None:
            path = state.get("path") or _path(fd)
            try:
                line = SerialPortLine.adopt(
                    fd, path, port, nominal=settings, gatherers=served.keeper.gatherers
                )
            except (OSError, GatewayError):
                os.close(fd)
                raise
            served.keeper.adopt(line)
        session = state.get("session")
        if session is not None:
            sock = self._connections.pop(port.name)
            sock.setblocking(False)
            face = Face(session["face"])
            listener = next(one for one in served.listeners if one.face is face)
            listener.inherit(sock, session, bytes.fromhex(session["unsent"]))
        elif port.line is not None:
            port.line.configure(port.config.line)
        waiting = bytes.fromhex(state.get("waiting", ""))
        if waiting:
            port.outbox.write(waiting)

    def close(self, store: Store) -> None:
        """Close what nobody took."""
        for port, fd in self._devices.items():
            store.device(port, None)
            os.close(fd)
        self._devices.clear()
        for name in self.sockets.close():
            note(Happening.FAULT, "the socket unit %s is for no port here", name)
        for sock in self._connections.values():
            sock.close()
        self._connections.clear()


def _last(fds: list[int]) -> int:
    for fd in fds[:-1]:
        os.close(fd)
    return fds[-1]


def _read_state(fds: list[int]) -> dict[str, Any]:
    with open(_last(fds), "rb") as file:
        file.seek(0)
        try:
            state = json.loads(file.read())
        except ValueError:
            return {}
    return state if isinstance(state, dict) and state.get("version") == VERSION else {}


def _path(fd: int) -> str:
    return os.readlink(f"/proc/self/fd/{fd}")


def _plain(settings: LineSettings) -> dict[str, Any]:
    return {
        **dataclasses.asdict(settings),
        "parity": settings.parity.value,
        "stopbits": settings.stopbits.value,
    }


def _settings(plain: dict[str, Any]) -> LineSettings:
    return LineSettings(
        **{
            **plain,
            "parity": Parity(plain["parity"]),
            "stopbits": StopBits(plain["stopbits"]),
        }
    )
