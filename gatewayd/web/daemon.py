"""The control sockets as a process with a loop uses them: calls, streams, and what is handed over.

Who has not signed in is answered from the socket of those who only look. The other one is used
where somebody has, if the system lets this process use it.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections import deque
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gatewayd.control import interface, look_path
from gatewayd.control.varlink import Framer, FramingError

READ_BYTES: Final = 65536
MOST_BYTES: Final = 8 << 20
"""Of one answer: the ports of a big gateway, or the last MiB that a device said, in base64."""


class DaemonError(Exception):
    """The daemon does not answer, or refuses: a sentence for people."""


@dataclass(frozen=True, slots=True)
class Daemon:
    """Where the daemon is: the path of its control socket."""

    control: str

    @property
    def look(self) -> str:
        """The path of the socket of those who only look."""
        return look_path(self.control)

    @property
    def commands(self) -> bool:
        """Whether this process may do more than look."""
        return os.access(self.control, os.R_OK | os.W_OK)

    async def stream(self, path: str, method: str, **parameters: object) -> AsyncIterator[Any]:
        """The answers of a call that has many, until the daemon ends them: see DaemonError."""
        with await _connected(path) as link:
            await link.say(method, parameters, more=True)
            while True:
                yield await link.answer()

    async def ports(self) -> dict[str, dict[str, Any]]:
        """What is served, by name. Raises DaemonError."""
        with await _connected(self.look) as link:
            await link.say("Status", {})
            return {port["name"]: port for port in (await link.answer())["ports"]}

    async def attach(self, **parameters: object) -> socket.socket:
        """A connection to a port. Raises DaemonError."""
        with await _connected(self.control) as link:
            await link.say("Attach", parameters)
            await link.answer()
            if not link.fds:
                raise DaemonError("the daemon handed no connection over")
            sock = socket.socket(fileno=link.fds.pop())
            sock.setblocking(False)
            return sock


class _Link:
    def __init__(self, sock: socket.socket) -> None:
        self.fds: list[int] = []
        self._sock = sock
        self._framer = Framer(MOST_BYTES)
        self._messages: deque[dict[str, Any]] = deque()

    def __enter__(self) -> _Link:
        return self

    def __exit__(self, *_: object) -> None:
        for fd in self.fds:
            os.close(fd)
        self._sock.close()

    async def say(self, method: str, parameters: object, *, more: bool = False) -> None:
        call = {"method": f"{interface.NAME}.{method}", "parameters": parameters, "more": more}
        try:
            message = json.dumps(call).encode() + b"\0"
            await asyncio.get_running_loop().sock_sendall(self._sock, message)
        except OSError as error:
            raise _gone(error) from error

    async def answer(self) -> dict[str, Any]:
        while not self._messages:
            try:
                data = await self._receive()
                self._messages.extend(self._framer.feed(data))
            except (OSError, FramingError) as error:
                raise _gone(error) from error
            if not data:
                raise DaemonError("gatewayd has closed")
        message = self._messages.popleft()
        parameters = message.get("parameters") or {}
        if "error" in message:
            raise DaemonError(_refusal(str(message["error"]), parameters))
        return dict(parameters)

    async def _receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._sock, READ_BYTES, 1)
            except (BlockingIOError, InterruptedError):
                ready: asyncio.Future[None] = loop.create_future()
                loop.add_reader(self._sock.fileno(), partial(_set, ready))
                try:
                    await ready
                finally:
                    loop.remove_reader(self._sock.fileno())
            else:
                self.fds += fds
                return data


async def _connected(path: str) -> _Link:
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        await asyncio.get_running_loop().sock_connect(sock, path)
    except OSError as error:
        sock.close()
        raise _gone(error) from error
    return _Link(sock)


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def _gone(error: Exception) -> DaemonError:
    if isinstance(error, PermissionError):
        return DaemonError("this page may not ask gatewayd")
    if isinstance(error, OSError):
        return DaemonError("gatewayd does not answer")
    return DaemonError("what answers is not gatewayd")


_WORDS: Final[dict[str, Callable[[dict[str, Any]], str]]] = {
    interface.NO_SUCH_PORT: lambda given: f"there is no port {given.get('port')}",
    interface.CANNOT_ATTACH: lambda given: f"no connection to the port: {given.get('reason')}",
}


def _refusal(name: str, parameters: dict[str, Any]) -> str:
    word = _WORDS.get(name)
    return word(parameters) if word else f"gatewayd refuses: {name.rpartition('.')[2]}"
