"""The system calls of one open device that may sleep, away from the event loop.

In most ioctls a driver may sleep: a USB adapter is asked over the bus, and one that is sick does
not answer. So a device has a thread, from its first such call to its close, which does one call
after the other, in the order in which they were asked for, and closes the device in the end:
nothing is shared with another device, and no descriptor is closed under a call. When a call has
not come back after `worker.DEADLINE_S`, the device hangs: whoever uses it is told, and the rest is
left to the thread. It is a daemon: the end of the program does not wait.

A PTY has no driver that could sleep: there calls are made at once, where they are asked for.
"""

from __future__ import annotations

import asyncio
import errno
import threading

# What `queue` has of it; the module itself takes 45 KB more.
from _queue import SimpleQueue
from collections.abc import Callable
from typing import Any, Final, TypeVar

from gatewayd.line import worker
from gatewayd.line.pending import Pending

T = TypeVar("T")

_TRIES: Final = 3
"""How often a call is made that a signal interrupts."""


class _Call:
    """One call, and what is to be done in the loop when it is back."""

    __slots__ = ("failed", "pending", "still", "then", "what", "work")

    def __init__(
        self,
        what: str,
        work: Callable[[], Any],
        then: Callable[[Any], None],
        failed: Callable[[OSError], None],
        still: bool,
    ) -> None:
        self.what = what
        self.work = work
        self.then = then
        self.failed = failed
        self.still = still
        self.pending = Pending()


class Calls:
    """Makes the calls of one device. All is for the loop's thread.

    `apart` is whether the device's driver may sleep. `hangs(error)` is told once, with a
    TimeoutError that says in which call; `still(on)` when the device is not to be read or written,
    and when it may be again.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, *, apart: bool) -> None:
        self.apart = apart
        self.hangs: Callable[[OSError], None] = _nobody
        self.still: Callable[[bool], None] = _nobody
        self.over = Pending()
        """Done when the device is closed, however late."""
        self._loop = loop
        self._begun: list[_Call] = []
        self._queue: SimpleQueue[_Call | Callable[[], None] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._stills = 0
        self._ended = self._late = False
        self._closed: Callable[[BaseException | None], None] = _nobody

    @property
    def idle(self) -> bool:
        """Whether no call is being made."""
        return not self._begun

    def make(
        self,
        what: str,
        work: Callable[[], T],
        then: Callable[[T], None],
        failed: Callable[[OSError], None],
        *,
        still: bool = False,
    ) -> Pending | None:
        """Have `work` done, which `what` names ("setting the line"), and `then` told of its result,
        or `failed` of its OSError; within the call if the driver cannot sleep.

        `still` is for a call that may hold a lock which reads and writes of the device take: it is
        neither read nor written meanwhile. After `end` everything fails.
        """
        if self._ended:
            failed(_gone())
            return None
        if self.apart:
            try:
                self._start()
            except RuntimeError as error:
                failed(OSError(errno.EAGAIN, str(error)))
                return None
            call = _Call(what, work, then, failed, still)
            self._begin(call)
            return call.pending
        try:
            result = _made(work)
        except OSError as error:
            failed(error)
        else:
            then(result)
        return None

    def end(
        self, release: Callable[[], None], closed: Callable[[BaseException | None], None]
    ) -> None:
        """Make no more calls; have the device closed by `release`, once it is free.

        `closed` is told what that raised; or that it takes longer than anybody should wait.
        """
        self._closed = closed
        self._stop()
        try:
            self._start()
        except RuntimeError:
            # No thread to be had. An open device would be worse than a loop that may wait.
            self._released(_outcome(release))
            return
        self._queue.put(release)
        self._queue.put(None)
        if self._late:
            self._tell_closed(_timeout("closing it"))
        else:
            self._timer = self._loop.call_later(worker.DEADLINE_S, self._is_late)

    def detach(self) -> None:
        """Make no more calls, and leave the device open: it is another's."""
        self._stop()
        self._closed = _nobody
        if self._thread is not None:
            self._queue.put(None)

    def _stop(self) -> None:
        self._ended = True
        self._cancel_timer()
        begun, self._begun = self._begun, []
        for call in begun:
            call.failed(_gone())
            call.pending.finish()

    def _start(self) -> None:
        if self._thread is None:
            thread = threading.Thread(target=self._run, name="line-calls", daemon=True)
            thread.start()
            self._thread = thread

    def _begin(self, call: _Call) -> None:
        if call.still:
            self._stills += 1
            if self._stills == 1:
                self.still(True)
        self._begun.append(call)
        self._queue.put(call)
        if len(self._begun) == 1:
            self._watch()

    def _watch(self) -> None:
        self._timer = self._loop.call_later(worker.DEADLINE_S, self._is_late)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _is_late(self) -> None:
        self._timer = None
        self._late = True
        if self._ended:
            self._tell_closed(_timeout("closing it"))
        else:
            self.hangs(_timeout(self._begun[0].what))

    def _came_back(self, call: _Call, result: object, error: Exception | None) -> None:
        if self._ended:
            return
        self._begun.pop(0)
        self._cancel_timer()
        self._late = False
        if self._begun:
            self._watch()
        if call.still:
            self._stills -= 1
            if not self._stills:
                self.still(False)
        try:
            if isinstance(error, OSError):
                call.failed(error)
            elif error is not None:
                raise error
            else:
                call.then(result)
        finally:
            call.pending.finish()

    def _released(self, error: BaseException | None) -> None:
        self._cancel_timer()
        self.over.finish()
        self._tell_closed(error)

    def _tell_closed(self, error: BaseException | None) -> None:
        closed, self._closed = self._closed, _nobody
        closed(error)

    # ---- in the thread

    def _run(self) -> None:
        while (task := self._queue.get()) is not None:
            if not isinstance(task, _Call):
                self._tell(self._released, _outcome(task))
            elif not self._ended:
                result, failure = None, None
                try:
                    result = _made(task.work)
                except Exception as error:  # noqa: BLE001 - told in the loop
                    failure = error
                self._tell(self._came_back, task, result, failure)

    def _tell(self, told: Callable[..., None], *arguments: object) -> None:
        try:
            self._loop.call_soon_threadsafe(told, *arguments)
        except RuntimeError:
            # The loop is closed: the program is over.
            self._ended = True


def _made(work: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return work()
        except InterruptedError:
            continue
    return work()


def _outcome(work: Callable[[], None]) -> Exception | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - told in the loop
        return error
    return None


def _timeout(what: str) -> OSError:
    return TimeoutError(errno.ETIMEDOUT, f"the driver does not come back from {what}")


def _gone() -> OSError:
    return OSError(errno.ENODEV, "closed")


def _nobody(_: object) -> None:
    """Nobody is told."""
