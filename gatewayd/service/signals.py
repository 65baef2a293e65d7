"""Signals, told in the loop.

As `loop.add_signal_handler` does it; but that looks first, with `inspect` and by it a megabyte,
whether it was given a coroutine.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable
from types import FrameType


class Signals:
    """Those of this process, in the main thread and a running loop, until `close`."""

    def __init__(self) -> None:
        self._callbacks: dict[int, Callable[[], object]] = {}
        self._loop = asyncio.get_running_loop()
        # What the interpreter writes there wakes the loop, also when it is only about to sleep.
        self._told, self._wakeup = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._loop.add_reader(self._told, self._tell)
        signal.set_wakeup_fd(self._wakeup, warn_on_full_buffer=False)

    def close(self) -> None:
        """Tell of none any more."""
        for number in self._callbacks:
            # As asyncio leaves them: SIGINT is the one that Python itself has a handler for.
            usual = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, usual)
        signal.set_wakeup_fd(-1)
        self._loop.remove_reader(self._told)
        os.close(self._told)
        os.close(self._wakeup)

    def on(self, number: int, callback: Callable[[], object]) -> None:
        """Call back from the loop when the signal comes, from now on."""
        self._callbacks[number] = callback
        signal.signal(number, _noted)
        signal.siginterrupt(number, False)

    def _tell(self) -> None:
        for number in os.read(self._told, 4096):
            if number in self._callbacks:
                self._callbacks[number]()


def _noted(_number: int, _frame: FrameType | None) -> None:
    """Nothing: the interpreter has written it down."""
