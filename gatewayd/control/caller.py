"""A caller of the control socket: messages in, answers out, and descriptors with them.

Straight on the socket: asyncio's streams cannot send descriptors.
"""

from __future__ import annotations

import asyncio
import pwd
import socket
import struct
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from gatewayd.control import varlink
from gatewayd.value import Value

OVERFLOW_UID: Final = 65534
READ_BYTES: Final = 65536


class Handed(Value):
    """An answer with descriptors beside it, which are closed once they are sent."""

    parameters: Mapping[str, Any]
    fds: tuple[int, ...]


class Caller:
    """One connected, non-blocking socket; it belongs to this object from now on."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._framer = varlink.Framer()
        self._messages: deque[dict[str, Any]] = deque()
        self.who = who(sock)

    async def message(self) -> dict[str, Any] | None:
        """The next message; None when the caller has closed. Raises FramingError, OSError."""
        while not self._messages:
            data = await self._receive()
            if not data:
                return None
            self._messages.extend(self._framer.feed(data))
        return self._messages.popleft()

    async def gone(self) -> None:
        """Wait until the caller has closed. It may send calls meanwhile, as many as one read takes.

        Raises FramingError, OSError.
        """
        while data := await self._receive():
            self._messages.extend(self._framer.feed(data))
            if len(self._messages) > READ_BYTES // varlink.SHORTEST_BYTES:
                raise varlink.FramingError("too many calls at once")

    async def _receive(self) -> bytes:
        loop = asyncio.get_running_loop()
        while True:
            try:
                return self._sock.recv(READ_BYTES)
            except (BlockingIOError, InterruptedError):
                await self._ready(loop.add_reader, loop.remove_reader)

    async def send(self, data: bytes, fds: Sequence[int] = ()) -> None:
        """Send all, however slowly it is taken, `fds` with the first byte. Raises OSError."""
        loop = asyncio.get_running_loop()
        rest = memoryview(data)
        while rest:
            try:
                sent = socket.send_fds(self._sock, [rest], fds) if fds else self._sock.send(rest)
            except (BlockingIOError, InterruptedError):
                await self._ready(loop.add_writer, loop.remove_writer)
            else:
                fds = ()
                rest = rest[sent:]

    async def _ready(self, add: Callable[..., None], remove: Callable[[int], object]) -> None:
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # It is called again and again until it is taken away.
        add(self._sock.fileno(), partial(_set, ready))
        try:
            await ready
        finally:
            remove(self._sock.fileno())

    def close(self) -> None:
        """Close the socket."""
        self._sock.close()


def _set(ready: asyncio.Future[None]) -> None:
    if not ready.done():
        ready.set_result(None)


def who(sock: socket.socket) -> str:
    """Who is at the other end: user and process, from SO_PEERCRED."""
    packed = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    pid, uid, _ = struct.unpack("3i", packed)
    if uid == OVERFLOW_UID:
        # In a user namespace, as the unit has one, others have no number.
        return f"another user (pid {pid})"
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    return f"{user} (pid {pid})"
