"""Watching the modem inputs: CTS, DSR, RI and CD.

Where the driver can, a thread waits in TIOCMIWAIT. That ioctl ends only with a change on the line,
or with a signal to its thread; so `stop` sends SIGURG to the thread, again and again until the
thread says that it is through, because a signal that arrives just before the ioctl is entered is
lost. The handler is a function of the C library without any effect, installed without SA_RESTART
and without Python's `signal` module, which works in the main thread only. SIGURG, since a process
that has no handler for it ignores it.

Elsewhere the inputs are read every 30 ms, only while watched. What is read in the loop's name goes
through the device's `Calls`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import errno
import functools
import math
import os
import signal
import termios
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Final

from gatewayd.line import ioctls
from gatewayd.line.calls import Calls
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import INPUT_SIGNALS, Signal

POLL_SECONDS: Final = 0.03
_RESEND_SECONDS: Final = (0.005, 1.0)
"""First and last delay between two signals: a thread whose driver does not come back hears none."""
_RETRY_SECONDS: Final = 1.0
_PASSING: Final = frozenset({errno.EINTR, errno.ENOMEM, errno.EAGAIN, errno.ENOBUFS})
WATCHING: Final = "reading the modem lines"

Found = tuple[Signal, Counts | None]


def edges(level: Signal, before: Counts | None, now: Signal, after: Counts | None) -> list[Signal]:
    """The levels to report, in order, when `level` was reported and `now` is found.

    A line whose count grew while its level is the same has pulsed: it is reported both ways.
    """
    pulsed = Signal.NONE
    if before is not None and after is not None:
        for line, name in (
            (Signal.CTS, "cts"),
            (Signal.DSR, "dsr"),
            (Signal.RI, "ri"),
            (Signal.CD, "cd"),
        ):
            if getattr(before, name) != getattr(after, name) and line not in level ^ now:
                pulsed |= line
    if pulsed:
        return [now ^ pulsed, now]
    return [now] if now != level else []


class ModemWatch:
    """Reports each change of the inputs of one tty to `changed`, in the loop's thread.

    `failed` gets an OSError: of a device that has gone, or of what may pass. `wait` blocks until an
    input changes.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        calls: Calls,
        fd: int,
        changed: Callable[[Signal], None],
        failed: Callable[[OSError], None],
        wait: Callable[[int], None] | None = None,
    ) -> None:
        """`wait` is None where the driver cannot; see `wait_for_change`."""
        self._loop = loop
        self._calls = calls
        self._fd = fd
        self._changed = changed
        self._failed = failed
        self._wait = wait
        self._level = Signal.NONE
        self._counts: Counts | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._thread: _WaiterThread | None = None
        self._ending: list[_WaiterThread] = []
        self._running = False
        self._round = 0
        self._looking = self._look_due = False

    @property
    def by_events(self) -> bool:
        """Whether changes are waited for, not polled."""
        return self._wait is not None

    def start(self, level: Signal) -> None:
        """Watch from now on; a change since `level` was told is told as well."""
        if self._running:
            return
        self._running = True
        self._round += 1
        self._level = level & INPUT_SIGNALS
        self._calls.make(WATCHING, self._read, partial(self._begin, self._round), self._fails)

    def _read(self) -> Found:
        return ioctls.get_signals(self._fd) & INPUT_SIGNALS, _counts_or_none(self._fd)

    def _begin(self, round_: int, found: Found) -> None:
        if round_ == self._round and self._running:
            self._counts = found[1]
            self._go_on()

    def stop(self) -> None:
        """Report no more. The thread ends soon after; `join` waits for it."""
        self._running = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._thread is not None:
            self._ending.append(self._thread)
            self._thread = None
            self._reap()

    def join(self, seconds: float = math.inf) -> None:
        """After `stop`: return once no thread uses the descriptor, in a few ms unless the driver
        hangs; or after `seconds`. From any thread."""
        deadline = time.monotonic() + seconds
        for thread in self._ending:
            delay = _RESEND_SECONDS[0]
            while thread.interrupt() and time.monotonic() < deadline:
                thread.join(delay)
                delay = min(2 * delay, _RESEND_SECONDS[1])

    def _reap(self, delay: float = _RESEND_SECONDS[0]) -> None:
        self._ending = [thread for thread in self._ending if thread.interrupt()]
        if self._ending:
            self._loop.call_later(delay, self._reap, min(2 * delay, _RESEND_SECONDS[1]))

    def _go_on(self) -> None:
        if self._wait is None:
            self._timer = self._loop.call_later(POLL_SECONDS, self._poll)
        else:
            self._thread = _WaiterThread(
                self._fd,
                self._counts,
                self._wait,
                lambda: self._loop.call_soon_threadsafe(self._look),
                lambda error: self._loop.call_soon_threadsafe(self._give_up, error),
            )
            try:
                self._thread.start()
            except RuntimeError:
                # No thread is to be had.
                self._thread = self._wait = None
                self._go_on()
            else:
                self._look_again()

    def _look_again(self) -> None:
        """The thread misses what changes right before it waits; so look once things are quiet."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_later(POLL_SECONDS, self._look)

    def _poll(self) -> None:
        self._timer = self._loop.call_later(POLL_SECONDS, self._poll)
        if not self._looking:
            self._look()

    def _give_up(self, error: OSError) -> None:
        """The thread has given up: the driver has no TIOCMIWAIT, or no device any more."""
        if not self._running:
            return
        if error.errno in (errno.ENOTTY, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
            self._wait = None
            self._go_on()
        else:
            self._fails(error)

    def _look(self) -> None:
        if not self._running:
            return
        if self._looking:
            # However often the lines change, one look waits for a driver that takes its time.
            self._look_due = True
            return
        self._looking = True
        self._calls.make(WATCHING, self._read, partial(self._found, self._round), self._fails)

    def _found(self, round_: int, found: Found) -> None:
        self._looking = False
        if round_ != self._round or not self._running:
            return
        now, counts = found
        reports = edges(self._level, self._counts, now, counts)
        self._level, self._counts = now, counts
        if reports and self._wait is not None:
            self._look_again()
        for level in reports:
            self._changed(level)
        if self._look_due:
            self._look_due = False
            self._look()

    def _fails(self, error: OSError) -> None:
        self._looking = False
        if not self._running:
            return
        self.stop()
        self._failed(error)
        if error.errno in _PASSING:
            self._timer = self._loop.call_later(_RETRY_SECONDS, self.start, self._level)


def _counts_or_none(fd: int) -> Counts | None:
    with contextlib.suppress(OSError):
        return ioctls.get_counts(fd)
    return None


class _WaiterThread(threading.Thread):
    def __init__(
        self,
        fd: int,
        seen: Counts | None,
        wait: Callable[[int], None],
        changed: Callable[[], object],
        give_up: Callable[[OSError], object],
    ) -> None:
        super().__init__(name=f"modem-{fd}", daemon=True)
        self._fd = fd
        self._seen = seen
        self._wait = wait
        self._on_change = changed
        self._give_up = give_up
        self._stopping = False
        self._through = False
        self._through_lock = threading.Lock()

    def run(self) -> None:
        # A loop that is closed takes no call: then nobody is interested any more.
        with contextlib.suppress(RuntimeError):
            try:
                self._watch()
            except OSError as error:
                if not self._stopping:
                    self._give_up(error)
        with self._through_lock:
            self._through = True

    def _watch(self) -> None:
        woken = False
        while not self._stopping:
            # What has changed since the last wait shows in the counts.
            counts = _counts_or_none(self._fd)
            if woken or counts != self._seen:
                self._seen = counts
                woken = False
                self._on_change()
                continue
            with contextlib.suppress(InterruptedError):
                self._wait(self._fd)
                woken = True

    def interrupt(self) -> bool:
        """Have the thread end. False once it is through; the lock keeps its id valid till then."""
        self._stopping = True
        _install_handler()
        with self._through_lock:
            if self._through or self.ident is None:
                return False
            signal.pthread_kill(self.ident, signal.SIGURG)
            return True


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong)
    libc.signal.argtypes = (ctypes.c_int, ctypes.c_void_p)
    libc.signal.restype = ctypes.c_void_p
    return libc


@functools.cache
def _install_handler() -> None:
    libc = _libc()
    # abs(): takes an int as a handler does, touches nothing, and needs no executable memory.
    libc.signal(signal.SIGURG, ctypes.cast(libc.abs, ctypes.c_void_p))
    libc.siginterrupt(signal.SIGURG, 1)


def wait_for_change(fd: int) -> None:
    """Block until CTS, DSR, RI or CD changes (TIOCMIWAIT).

    Raises InterruptedError on a signal, OSError ENOTTY where the driver cannot. Not by fcntl.ioctl,
    since a Python that repeats an interrupted ioctl would never return.
    """
    libc = _libc()
    if libc.ioctl(fd, termios.TIOCMIWAIT, ioctls.signal_bits(INPUT_SIGNALS)) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
