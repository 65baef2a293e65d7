"""Notice of TCP urgent data and of hang-ups, also on connections that are not being read.

The event loop has no event for it. An epoll set is itself a descriptor that can be waited for, so
all connections share one set; ordinary data never wakes it. A socket that the kernel refuses to
watch is served all the same, and watched as soon as it can be.
"""

from __future__ import annotations

import asyncio
import contextlib
import select
from typing import Final

from gatewayd.typed import Protocol

RETRY_S: Final = 0.5
"""Between two tries to watch a socket that the kernel refuses to watch."""
_EVENTS: Final = select.EPOLLPRI | select.EPOLLRDHUP | select.EPOLLET


class Watched(Protocol):
    """What is told of a socket."""

    def urgent(self) -> None:
        """Urgent data was announced."""

    def half_closed(self) -> None:
        """The peer sends no more; what it has sent may not all be read."""

    def hung_up(self) -> None:
        """The connection is over."""


class SocketWatch:
    """Tells once each time that urgent data is announced on a socket, or that it is closed."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._watched: dict[int, Watched] = {}
        self._refused: set[int] = set()
        self._retry: asyncio.TimerHandle | None = None
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fd: int, watched: Watched) -> None:
        """Watch a connected TCP socket."""
        self._watched[fd] = watched
        self._register(fd)

    def _register(self, fd: int) -> None:
        try:
            self._epoll.register(fd, _EVENTS)
        except FileExistsError:
            return
        except OSError:
            self._refused.add(fd)
            if self._retry is None:
                self._retry = self._loop.call_later(RETRY_S, self._try_again)

    def _try_again(self) -> None:
        self._retry = None
        refused, self._refused = self._refused, set()
        for fd in refused:
            self._register(fd)

    def remove(self, fd: int) -> None:
        """Watch it no more; before it is closed."""
        if self._watched.pop(fd, None) is None:
            return
        if fd in self._refused:
            self._refused.discard(fd)
            return
        # Refused as well, it is forgotten when the socket is closed.
        with contextlib.suppress(OSError):
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Give the set back."""
        if self._retry is not None:
            self._retry.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for fd, events in self._epoll.poll(0):
            watched = self._watched.get(fd)
            if watched is None:
                continue
            if events & select.EPOLLPRI:
                watched.urgent()
            if events & (select.EPOLLHUP | select.EPOLLERR):
                watched.hung_up()
            elif events & select.EPOLLRDHUP:
                watched.half_closed()
