"""Notice of TCP urgent data, also on connections that are not being read.

asyncio has no event for it. An epoll set is itself a descriptor that can be waited for, so all
connections share one set that knows only `EPOLLPRI`; ordinary data never wakes it.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable


class UrgentWatch:
    """Calls back once each time that urgent data is announced on a socket."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callable[[], None]] = {}
        loop.add_reader(self._epoll.fileno(), self._ready)

    def add(self, fd: int, announced: Callable[[], None]) -> None:
        """Watch a connected TCP socket."""
        self._callbacks[fd] = announced
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
        for fd, _ in self._epoll.poll(0):
            self._callbacks[fd]()
