"""An epoll selector that calls readers and writers itself.

For every event asyncio goes once round its loop, through a list of handles and a context; for a
byte from a UART that costs as much as all that is done with it. Here who reads or writes is called
as soon as epoll tells of it, and epoll is asked again at once unless that gave the loop something
to do.

The kernel may refuse to watch a descriptor (no memory, fs.epoll.max_user_watches). Nobody who asked
for it is bothered: it is tried again until the kernel agrees.
"""

from __future__ import annotations

import contextlib
import errno
import math
import select
import selectors
from collections.abc import Callable, Mapping
from time import monotonic
from typing import Any, Final

RETRY_S: Final = 0.1
"""Between two tries to have a descriptor watched that the kernel refuses to watch, or to call its
callback, for which there was no memory."""
_SELECTABLE: Final = 1024
"""FD_SETSIZE: descriptors from here on are too large for select(2)."""
_SHORTAGES: Final = frozenset({errno.ENOMEM, errno.ENOSPC, errno.ENOBUFS, errno.EINTR})
_GONE: Final = frozenset({errno.EBADF, errno.ENOENT, errno.EPERM})
"""The file is not watched any more: it was closed, and its number may be that of a plain file."""
_READ, _WRITE = select.EPOLLIN, select.EPOLLOUT
_TO_READ, _TO_WRITE = ~_WRITE, ~_READ
"""What concerns a reader, and a writer: an error or a hang-up concerns both."""
Callback = Callable[[], object]


class DirectSelector(selectors.BaseSelector):
    """An epoll selector with callbacks of its own beside the registered files.

    `failed` is told of an exception of a callback, which ends nothing else.
    """

    def __init__(self, epoll: select.epoll) -> None:
        self._epoll = epoll
        self._keys: dict[int, selectors.SelectorKey] = {}
        self._readers: dict[int, Callback] = {}
        self._writers: dict[int, Callback] = {}
        self._masks: dict[int, int] = {}
        """What epoll watches now."""
        self._refused: set[int] = set()
        """Descriptors of which it watches something else than is wanted."""
        self._retry_at = 0.0
        self._alarm: Callback | None = None
        self._alarm_at = 0.0
        self._can_select = self._epoll.fileno() < _SELECTABLE
        self.failed: Callable[[Exception], None] | None = None
        self.scheduled = False
        """Set by a callback that gave the loop something to do."""

    def _watch(self, fd: int) -> None:
        """Have epoll watch `fd` for what is wanted of it now, or do so as soon as it can.

        Raises OSError for what can never be watched.
        """
        mask = (_READ if fd in self._readers else 0) | (_WRITE if fd in self._writers else 0)
        if fd in self._keys:
            mask |= _mask(self._keys[fd].events)
        try:
            self._tell_epoll(fd, mask)
        except OSError as error:
            if error.errno not in _SHORTAGES:
                raise
            self._put_off(fd)
            return
        self._refused.discard(fd)
        if mask:
            self._masks[fd] = mask
        else:
            self._masks.pop(fd, None)

    def _put_off(self, fd: int) -> None:
        if not self._refused:
            self._retry_at = monotonic() + RETRY_S
        self._refused.add(fd)
        self.scheduled = True

    def _rest(self, fd: int) -> None:
        """There was no memory for its callback: watch it again in a while."""
        if self._masks.pop(fd, None) is not None:
            with contextlib.suppress(OSError):
                self._epoll.unregister(fd)
            self._put_off(fd)

    def _retry(self) -> None:
        now = monotonic()
        if now >= self._retry_at:
            self._retry_at = now + RETRY_S
            for fd in tuple(self._refused):
                self._watch_again(fd)

    def _watch_again(self, fd: int) -> None:
        try:
            self._watch(fd)
        except OSError as error:
            # Closed by somebody who did not say so before.
            self._refused.discard(fd)
            if self.failed is not None:
                self.failed(error)

    def _tell_epoll(self, fd: int, mask: int) -> None:
        before = self._masks.get(fd, 0)
        if mask == before and fd not in self._refused:
            return
        if mask and not before:
            self._epoll.register(fd, mask)
            return
        try:
            if mask:
                self._epoll.modify(fd, mask)
            else:
                self._epoll.unregister(fd)
        except OSError as error:
            if error.errno not in _GONE:
                raise
            # The file was closed, and epoll has forgotten it; the number may be another one's.
            self._masks.pop(fd, None)
            if mask:
                self._epoll.register(fd, mask)

    # ---- callbacks

    def set_reader(self, fd: int, callback: Callback | None) -> bool:
        """Call back when `fd` can be read, or no more; return whether it was watched before. Raises
        KeyError for one that is registered."""
        return self._set(self._readers, fd, callback)

    def set_writer(self, fd: int, callback: Callback | None) -> bool:
        """Call back when `fd` can be written, or no more; see `set_reader`."""
        return self._set(self._writers, fd, callback)

    def _set(self, mine: dict[int, Callback], fd: int, callback: Callback | None) -> bool:
        if fd in self._keys and callback is not None:
            raise KeyError(f"FD {fd} is already registered")
        watched = fd in mine
        if callback is not None:
            mine[fd] = callback
        elif watched:
            del mine[fd]
        if watched is not (callback is not None):
            try:
                self._watch(fd)
            except OSError:
                mine.pop(fd, None)
                raise
        return watched

    # ---- selectors.BaseSelector

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        fd = number_of(fileobj)
        if fd in self._keys or fd in self._readers or fd in self._writers:
            raise KeyError(f"{fileobj!r} (FD {fd}) is already registered")
        key = self._keys[fd] = selectors.SelectorKey(fileobj, fd, events, data)
        try:
            self._watch(fd)
        except OSError:
            del self._keys[fd]
            raise
        return key

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        key = self._keys.pop(number_of(fileobj))
        self._watch(key.fd)
        return key

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        fd = number_of(fileobj)
        key = self._keys[fd] = self._keys[fd]._replace(events=events, data=data)
        self._watch(fd)
        return key

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """See `selectors.BaseSelector`; callbacks are called from here."""
        self.scheduled = False
        if self._refused:
            self._retry()
        if self._refused:
            left = max(self._retry_at - monotonic(), 0)
            timeout = left if timeout is None else min(timeout, left)
        try:
            return self._select(timeout)
        except MemoryError:
            # Nothing was taken from the kernel: what it had to tell comes with the next call.
            return []

    def _select(self, timeout: float | None) -> list[tuple[selectors.SelectorKey, int]]:
        if self._alarm is not None:
            return self._select_until_alarms(timeout)
        poll, dispatch = self._epoll.poll, self._dispatch
        if timeout is None:
            while True:
                ready = dispatch(poll())
                if ready or self.scheduled or self._alarm is not None:
                    return ready
        if timeout <= 0:
            return dispatch(poll(0))
        until = monotonic() + timeout
        while True:
            # It counts in milliseconds and rounds up: the loop does not wake too early, and spin.
            ready = dispatch(poll(timeout))
            timeout = until - monotonic()
            if ready or self.scheduled or timeout <= 0 or self._alarm is not None:
                return ready

    def _select_until_alarms(
        self, timeout: float | None
    ) -> list[tuple[selectors.SelectorKey, int]]:
        until = math.inf if timeout is None else monotonic() + timeout
        while self._alarm is not None:
            wait = min(until, self._alarm_at) - monotonic()
            if wait > 0 and self._can_select:
                # Where milliseconds are too coarse.
                select.select((self._epoll,), (), (), wait)
                wait = 0
            ready = self._dispatch(self._epoll.poll(max(wait, 0)))
            now = monotonic()
            if self._alarm is not None and now >= self._alarm_at:
                self._ring()
            if ready or self.scheduled or now >= until:
                return ready
        return []

    def alarm(self, seconds: float, callback: Callback | None) -> None:
        """Call back once, in so many seconds; None takes it back. There is one alarm, which is
        cheaper than a timer of the loop and true to the tenth of a millisecond."""
        self._alarm = callback
        self._alarm_at = monotonic() + seconds

    def _ring(self) -> None:
        callback, self._alarm = self._alarm, None
        assert callback is not None
        try:
            callback()
        except Exception as error:  # noqa: BLE001 - told, and not the end of the loop
            if self.failed is not None:
                self.failed(error)

    def _dispatch(self, events: list[tuple[int, int]]) -> list[tuple[selectors.SelectorKey, int]]:
        ready: list[tuple[selectors.SelectorKey, int]] = []
        readers, writers = self._readers, self._writers
        for fd, event in events:
            try:
                if event == _READ and fd in readers:
                    readers[fd]()
                    continue
                if event == _WRITE and fd in writers:
                    writers[fd]()
                    continue
                if event & _TO_READ and fd in readers:
                    readers[fd]()
                if event & _TO_WRITE and fd in writers:
                    writers[fd]()
            except Exception as error:  # noqa: BLE001 - told, and not the end of the loop
                if isinstance(error, MemoryError):
                    self._rest(fd)
                if self.failed is not None:
                    self.failed(error)
            if fd in self._keys:
                key = self._keys[fd]
                mask = (selectors.EVENT_WRITE if event & _TO_WRITE else 0) | (
                    selectors.EVENT_READ if event & _TO_READ else 0
                )
                ready.append((key, mask & key.events))
        return ready

    def close(self) -> None:
        """See `selectors.BaseSelector`."""
        self._epoll.close()
        self._keys.clear()
        self._masks.clear()
        self._refused.clear()

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        """See `selectors.BaseSelector`; by descriptor."""
        return self._keys

    def get_key(self, fileobj: Any) -> selectors.SelectorKey:
        """See `selectors.BaseSelector`."""
        return self._keys[number_of(fileobj)]


def number_of(fileobj: Any) -> int:
    """The descriptor of a file, or the number itself."""
    return fileobj if isinstance(fileobj, int) else int(fileobj.fileno())


def _mask(events: int) -> int:
    return (_READ if events & selectors.EVENT_READ else 0) | (
        _WRITE if events & selectors.EVENT_WRITE else 0
    )
