"""An asyncio loop whose readers and writers are called straight from its selector.

Descriptors given to `add_reader` and `add_writer` are called as soon as epoll tells of them.
Everything else (timers, tasks, streams, signals) is asyncio's.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Callable
from contextvars import Context
from functools import partial
from time import monotonic
from typing import Any, TypeVarTuple, Unpack, cast

from gatewayd.service.selector import Callback, DirectSelector, number_of

_Ts = TypeVarTuple("_Ts")


class GatewayLoop(asyncio.SelectorEventLoop):
    """The event loop of the daemon."""

    time = staticmethod(monotonic)
    """Seconds, as asyncio's, without a call in Python: each chunk asks."""

    def __init__(self, epoll: select.epoll | None = None) -> None:
        """On `epoll`, or a set of its own."""
        self._direct = DirectSelector(epoll or select.epoll())
        self._direct.failed = self._callback_failed
        super().__init__(self._direct)
        self._stops = False
        self._whole = True

    def __del__(self) -> None:
        # One for which there were not enough descriptors has nothing to close.
        if getattr(self, "_whole", False):
            super().__del__()

    def add_reader(self, fd: Any, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts) -> None:
        """See `asyncio`; called straight from the selector."""
        self._direct.set_reader(number_of(fd), _bound(callback, args))

    def remove_reader(self, fd: Any) -> bool:
        """See `asyncio`."""
        return self._direct.set_reader(number_of(fd), None) or super().remove_reader(fd)

    def add_writer(self, fd: Any, callback: Callable[[Unpack[_Ts]], Any], *args: *_Ts) -> None:
        """See `asyncio`; called straight from the selector."""
        self._direct.set_writer(number_of(fd), _bound(callback, args))

    def remove_writer(self, fd: Any) -> bool:
        """See `asyncio`."""
        return self._direct.set_writer(number_of(fd), None) or super().remove_writer(fd)

    def call_soon(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See `asyncio`."""
        self._direct.scheduled = True
        return super().call_soon(self._call, callback, args, context=context)

    def call_soon_threadsafe(
        self,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.Handle:
        """See `asyncio`."""
        return super().call_soon_threadsafe(self._call, callback, args, context=context)

    def call_at(
        self,
        when: float,
        callback: Callable[[Unpack[_Ts]], object],
        *args: *_Ts,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        """See `asyncio`."""
        self._direct.scheduled = True
        return super().call_at(when, self._call, callback, args, context=context)

    def run_forever(self) -> None:
        """See `asyncio`."""
        while True:
            try:
                super().run_forever()
            except MemoryError:
                # One of asyncio's own callbacks had none, and there was none to word that either.
                # What it was about is still there, and so is the loop.
                if not self._stops:
                    continue
            self._stops = False
            return

    @property
    def direct(self) -> DirectSelector:
        """Its selector."""
        return self._direct

    def stop(self) -> None:
        """See `asyncio`."""
        self._direct.scheduled = self._stops = True
        super().stop()

    def _call(self, callback: Callable[[Unpack[_Ts]], object], args: tuple[*_Ts]) -> None:
        # asyncio would word by `inspect` what has failed, for which there may be no memory; then
        # the loop ends.
        try:
            callback(*args)
        except Exception as error:  # noqa: BLE001 - told, and not the end of the loop
            self._callback_failed(error)

    def _callback_failed(self, error: Exception) -> None:
        self.call_exception_handler({"message": "a callback failed", "exception": error})


def _bound(callback: Callable[[Unpack[_Ts]], Any], args: tuple[*_Ts]) -> Callback:
    return partial(callback, *args) if args else cast(Callback, callback)
