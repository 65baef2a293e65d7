"""Tells a client that does not read from one that is gone.

TCP_USER_TIMEOUT ends a connection whose peer leaves data unacknowledged. Linux also ends one whose
peer acknowledges all the time and has no room, such as a program that stands in a debugger; its
session would go, and with it what it has not read. So while a peer has no room the kernel's limit
is off, and whether the peer lives is told by its answers to the kernel's window probes.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import socket
import struct
import termios
from collections.abc import Callable
from typing import Final

LOOK: Final = 2 / 3
"""The time between two looks, in parts of the peer's timeout: the kernel's limit is met only by
what lasts longer than that."""

# struct tcp_info, see linux/tcp.h: probes sent and not answered, segments not acknowledged,
# milliseconds since the last acknowledgement.
_TCP_INFO: Final = struct.Struct("=3xB20xI28xI")


class Vigil:
    """Watches one connected socket from now until everything sent is acknowledged.

    `timeout` is in seconds, as the socket has it for TCP_USER_TIMEOUT. `over` is called when
    nothing is outstanding any more, `gone` when the peer has stopped answering; one of them, once,
    unless it is cancelled before.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        sock: socket.socket,
        timeout: float,
        *,
        over: Callable[[], None],
        gone: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._timeout = timeout
        self._over = over
        self._gone = gone
        self._relaxed = False
        self._unanswered = False
        self._timer: asyncio.Handle = loop.call_later(timeout * LOOK, self._look)

    def expect(self, timeout: float) -> None:
        """The socket has another timeout now, and the peer is to be given up by that one."""
        self._timeout = timeout
        if self._relaxed:
            self._limit(0)

    def hurry(self) -> None:
        """Look now: the peer may have had no room for longer than the kernel would wait."""
        self._timer.cancel()
        self._timer = self._loop.call_soon(self._look)

    def leave(self) -> None:
        """Watch no more; the kernel gives no peer up before another process looks."""
        self._timer.cancel()
        self._relax(True)

    def cancel(self) -> None:
        """Watch no more; the socket is as it was."""
        self._timer.cancel()
        self._relax(False)

    def _look(self) -> None:
        try:
            outstanding = fcntl.ioctl(self._sock.fileno(), termios.TIOCOUTQ, bytes(4))
            info = self._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _TCP_INFO.size)
        except OSError:
            self._gone()
            return
        if not any(outstanding):
            self._relax(False)
            self._over()
            return
        probes, in_flight, silence_ms = _TCP_INFO.unpack(info)
        no_room = not in_flight
        self._relax(no_room)
        silent = no_room and probes > 0
        if silent and self._unanswered and silence_ms >= self._timeout * LOOK * 1000:
            self._gone()
            return
        self._unanswered = silent
        self._timer = self._loop.call_later(self._timeout * LOOK, self._look)

    def _relax(self, relaxed: bool) -> None:
        if relaxed is self._relaxed:
            return
        self._relaxed = relaxed
        self._limit(0 if relaxed else int(self._timeout * 1000))

    def _limit(self, limit: int) -> None:
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)
