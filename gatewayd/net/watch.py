"""Notice of TCP urgent data and of hang-ups, also on connections that are not being read.

The event loop has no event for it. An epoll set is itself a descriptor that can be waited for, so
all connections share one set; ordinary data never wakes it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class SocketWatch:
    """Calls back once each time that urgent data is announced on a socket, or that it hangs up."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, tuple[Callable[[], None], Callable[[], None]]] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fd: int, urgent: Callable[[], None], hung_up: Callable[[], None]) -> None:
        """Watch a connected TCP socket."""
        self._callbacks[fd] = (urgent, hung_up)
        self._epoll.register(fd, select.EPOLLPRI | select.EPOLLET)

    def remove(self, fd: int) -> None:
        """Watch it no more; before it is closed."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self) -> None:
        """Give the set back."""
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    def _ready(self) -> None:
        for fd, events in self._epoll.poll(0):
            urgent, hung_up = self._callbacks.get(fd, (None, None))
            if urgent is not None and events & select.EPOLLPRI:
                urgent()
            if hung_up is not None and events & (select.EPOLLHUP | select.EPOLLERR):
                hung_up()
