"""What a device may take for ever for before it is a line, away from the event loop: opening it, or
taking it over. What is done to an open one is in `calls`.

A USB adapter that is sick keeps a system call for seconds, or for good, and nothing can take a
thread back from there. So each device has a thread of its own, and shares nothing with another.
When it has not come back after DEADLINE_S, what it holds is left to its thread, which cleans up
should it ever return. The thread is a daemon: the end of the program does not wait.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import threading
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from gatewayd.line.pending import Pending

DEADLINE_S: Final = 3.0
"""As long as pyserial's client waits for an answer."""

T = TypeVar("T")


class Worker(Generic[T]):
    """Does one thing in a thread of its own. All is for the loop's thread but what it does."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        work: Callable[[], T],
        undo: Callable[[T], None] | None = None,
    ) -> None:
        """`undo` gets, in a thread, a result that nobody waits for any more.

        Raises RuntimeError when there is no thread to be had.
        """
        self.done: asyncio.Future[T] = loop.create_future()
        """What `work` returns or raises, or TimeoutError after DEADLINE_S. May be cancelled."""
        self.back = Pending()
        """Done when `work` has returned, however late."""
        self._loop = loop
        self._work = work
        self._undo = undo
        self._lock = threading.Lock()
        self._returned = self._given_up = False
        self._timer: asyncio.TimerHandle | None = None
        threading.Thread(target=self._run, name="line-worker", daemon=True).start()
        self._timer = loop.call_later(DEADLINE_S, self._is_late)

    def _is_late(self) -> None:
        with self._lock:
            if self._returned:
                return
            self._given_up = True
        if not self.done.done():
            self.done.set_exception(TimeoutError(errno.ETIMEDOUT, "the driver does not come back"))

    def _came_back(self, result: T | None, error: Exception | None, wanted: bool) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.done.done():
            if error is not None:
                self.done.set_exception(error)
            else:
                self.done.set_result(result)  # type: ignore[arg-type]
        elif wanted and error is None:
            # Cancelled at the last moment.
            self._start_clean_up(result)
        self.back.finish()

    def abandon(self) -> None:
        """Who waited for `done` was cancelled; a result that it had by then is undone."""
        if self.done.done() and not self.done.cancelled() and self.done.exception() is None:
            self._start_clean_up(self.done.result())

    def _start_clean_up(self, result: T | None) -> None:
        undo = threading.Thread(target=self._clean_up, args=(result,), daemon=True)
        with contextlib.suppress(RuntimeError):
            undo.start()

    # ---- in the thread

    def _run(self) -> None:
        result: T | None = None
        failure: Exception | None = None
        try:
            result = self._work()
        except Exception as error:  # noqa: BLE001 - told in the loop
            failure = error
        with self._lock:
            self._returned = True
            wanted = not self._given_up and not self.done.cancelled()
        if not wanted and failure is None:
            self._clean_up(result)
        try:
            self._loop.call_soon_threadsafe(self._came_back, result, failure, wanted)
        except RuntimeError:
            # The loop is closed: the program is over, and nobody wants it.
            if wanted and failure is None:
                self._clean_up(result)

    def _clean_up(self, result: T | None) -> None:
        if self._undo is not None:
            with contextlib.suppress(OSError):
                self._undo(result)  # type: ignore[arg-type]
