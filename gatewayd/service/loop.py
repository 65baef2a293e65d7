"""An asyncio loop whose readers and writers are called straight from its selector.

For every event asyncio goes once round its loop, through a list of handles and a context; for a
byte from a UART that costs as much as all that is done with it. Descriptors given to `add_reader`
and `add_writer` are called as soon as epoll tells of them, and epoll is asked again at once unless
one of them scheduled something. Everything else (timers, tasks, streams, signals) is asyncio's.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import select
import selectors
import time
from collections.abc import Callable, Mapping
from contextvars import Context
from functools import partial
from typing import Any, TypeVarTuple, Unpack, cast

_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
Callback = Callable[[], object]
_Ts = TypeVarTuple("_Ts")


class DirectSelector(selectors.BaseSelector):
    """An epoll selector with callbacks of its own beside the registered files.

    `failed` is told of an exception of a callback, which ends nothing else.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self.failed: Callable[[Exception], None] | None = None
        self.scheduled = False
        """Set by a callback that gave the loop something to do."""

    # ---- callbacks

    def set_reader(self, fd: int, callback: Callback | None) -> bool:
        """Call back when `fd` can be read, or no more; return whether it was watched before."""
        return self._set(self._readers, self._writers, fd, callback)

    def set_writer(self, fd: int, callback: Callback | None) -> bool:
        """Call back when `fd` can be written, or no more; return whether it was watched before."""
        return self._set(self._writers, self._readers, fd, callback)

    def _set(
        self,
        mine: dict[int, Callback],
        other: dict[int, Callback],
        fd: int,
        callback: Callback | None,
    ) -> bool:
        watched = fd in mine
        known = watched or fd in other
        if callback is not None:
            mine[fd] = callback
        elif watched:
            del mine[fd]
        mask = (_READ if fd in self._readers else 0) | (_WRITE if fd in self._writers else 0)
        if watched is not (callback is not None):
            if not known:
                self._epoll.register(fd, mask)
            elif mask:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.unregister(fd)
        return watched

    # ---- selectors.BaseSelector

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        fd = _fd(fileobj)
        if fd in self._keys or fd in self._readers or fd in self._writers:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        self._epoll.register(fd, _mask(events))
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        key = self._keys.pop(_fd(fileobj))
        # It may have been closed before; then epoll has forgotten it.
        with contextlib.suppress(OSError):
            self._epoll.unregister(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        fd = _fd(fileobj)
        before = self._keys[fd]
        if before.events != events:
            self._epoll.modify(fd, _mask(events))
        key = self._keys[fd] = before._replace(events=events, data=data)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector`; callbacks are called from here."""
        self.scheduled = False
        if timeout is None:
            while True:
                events = self._epoll.poll()
                ready = self._dispatch(events)
                if ready or self.scheduled:
                    return ready
        until = time.monotonic() + timeout
        while True:
            # epoll counts in milliseconds: never wake too early, or the loop would spin.
            events = self._epoll.poll(math.ceil(timeout * 1e3) * 1e-3 if timeout > 0 else 0)
            ready = self._dispatch(events)
            timeout = until - time.monotonic()
            if ready or self.scheduled or not events or timeout <= 0:
                return ready

    def _dispatch(self, events: list[tuple[int, int]]) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = []
        readers, writers = self._readers, self._writers
        for fd, event in events:
            try:
                # An error or a hang-up concerns both: reading and writing find out.
                if event & ~_WRITE and fd in readers:
                    readers[fd]()
                if event & ~_READ and fd in writers:
                    writers[fd]()
            except Exception as error:  # noqa: BLE001 - told, and not the end of the loop
                if self.failed is not None:
                    self.failed(error)
            if fd in self._keys:
                key = self._keys[fd]
                mask = (selectors.EVENT_WRITE if event & ~_READ else 0) | (
                    selectors.EVENT_READ if event & ~_WRITE else 0
                )
                ready.append((key, mask & key.events))
        return ready

    def close(self) -> None:
        """See `selectors.BaseSelector`."""
        self._epoll.close()
        self._keys.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """See `selectors.BaseSelector`; by descriptor."""
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        return self._keys[_fd(fileobj)]


class GatewayLoop(asyncio.SelectorEventLoop):
    """The event loop of the daemon."""

    def __init__(self) -> None:
        self._direct = DirectSelector()
        self._direct.failed = self._callback_failed
        super().__init__(self._direct)

    def add_reader(self, fd: Any, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts) -> None:
        """See `asyncio`; called straight from the selector."""
        self._direct.set_reader(_fd(fd), _bound(callback, args))

    def remove_reader(self, fd: Any) -> bool:
        """See `asyncio`."""
        return self._direct.set_reader(_fd(fd), None) or super().remove_reader(fd)

    def add_writer(self, fd: Any, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts) -> None:
        """See `asyncio`; called straight from the selector."""
        self._direct.set_writer(_fd(fd), _bound(callback, args))

    def remove_writer(self, fd: Any) -> bool:
        """See `asyncio`."""
        return self._direct.set_writer(_fd(fd), None) or super().remove_writer(fd)

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See `asyncio`."""
        self._direct.scheduled = True
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See `asyncio`."""
        self._direct.scheduled = True
        return super().call_at(when, callback, *args, context=context)

    def stop(self) -> None:
        """See `asyncio`."""
        self._direct.scheduled = True
        super().stop()

    def _callback_failed(self, error: Exception) -> None:
        self.call_exception_handler({"message": "reader or writer failed", "exception": error})


def _bound(callback: Callable[[Unpack[_Ts]], Any], args: tuple[*_Ts]) -> Callback:
    return partial(callback, *args) if args else cast(Callback, callback)


def _fd(fileobj: Any) -> int:
    return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())


def _mask(events: int) -> int:
    return (_READ if events & selectors.EVENT_READ else 0) | (
        _WRITE if events & selectors.EVENT_WRITE else 0
    )
