"""Watching modem lines: which levels are reported, and that a waiting thread can be ended."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import os
import signal
import threading
from collections.abc import Callable, Coroutine

import pytest

from gatewayd.line import ioctls
from gatewayd.line.calls import Calls
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import LineErrors, Signal
from gatewayd.line.modem import ModemWatch, edges, wait_for_change
from tests.line.pty import Pty
from tests.until import until

NONE = Signal.NONE
RUNNERS = ["main thread", "another thread"]


def counts(cts: int = 0, dsr: int = 0, ri: int = 0, cd: int = 0) -> Counts:
    """Counts without errors."""
    return Counts(cts, dsr, ri, cd, LineErrors())


@pytest.mark.parametrize(
    ("level", "before", "now", "after", "reported"),
    [
        (NONE, None, NONE, None, []),
        (NONE, None, Signal.CTS, None, [Signal.CTS]),
        (NONE, counts(), Signal.CTS, counts(cts=1), [Signal.CTS]),
        (NONE, counts(), NONE, counts(cts=2), [Signal.CTS, NONE]),
        (Signal.CTS, counts(), Signal.CTS, counts(cts=2), [NONE, Signal.CTS]),
        (NONE, counts(), NONE, counts(ri=1), [Signal.RI, NONE]),
        (Signal.RI, counts(), NONE, counts(ri=1), [NONE]),
        (Signal.CD, counts(), Signal.DSR, counts(cd=1, dsr=1), [Signal.DSR]),
        (
            Signal.CD,
            counts(),
            Signal.CD | Signal.DSR,
            counts(cts=2, dsr=1),
            [Signal.CD | Signal.DSR | Signal.CTS, Signal.CD | Signal.DSR],
        ),
    ],
)
def test_edges(
    level: Signal, before: Counts | None, now: Signal, after: Counts | None, reported: list[Signal]
) -> None:
    assert edges(level, before, now, after) == reported


def run(scenario: Callable[[], Coroutine[None, None, None]], runner: str) -> None:
    """Run a loop in the main thread, or in another one as a test harness may."""
    if runner == "main thread":
        asyncio.run(scenario())
        return
    failures: list[BaseException] = []

    def body() -> None:
        try:
            asyncio.run(scenario())
        except BaseException as error:  # noqa: BLE001
            failures.append(error)

    thread = threading.Thread(target=body)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    if failures:
        raise failures[0]


class Modem:
    """A driver with modem lines and TIOCMIWAIT, which a PTY is not, for a ModemWatch to ask.

    Its wait sleeps in the kernel as the ioctl does: only a signal ends it.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, counted: bool = True) -> None:
        self.level = NONE
        self.changes = 0
        self.waiters: list[int] = []
        self.lock = threading.Lock()  # a waiter that is written to is not closed meanwhile
        self.gone: OSError | None = None
        self.counted = counted
        monkeypatch.setattr(ioctls, "get_signals", self._signals)
        monkeypatch.setattr(ioctls, "get_counts", self._counts)

    def change(self, level: Signal) -> None:
        with self.lock:
            self.level = level
            self.changes += 1
            for waiter in self.waiters:
                os.write(waiter, b"x")

    def wait(self, fd: int) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        reader, writer = os.pipe()
        with self.lock:
            self.waiters.append(writer)
        got = libc.read(reader, ctypes.create_string_buffer(1), 1)
        number = ctypes.get_errno()
        with self.lock:
            self.waiters.remove(writer)
            os.close(reader)
            os.close(writer)
        if got < 0:
            raise OSError(number, "interrupted")

    def _signals(self, fd: int) -> Signal:
        if self.gone is not None:
            raise self.gone
        return self.level

    def _counts(self, fd: int) -> Counts:
        if not self.counted:
            raise OSError(errno.ENOTTY, "no counts")
        return counts(cts=self.changes)


class Watcher:
    """What a ModemWatch reports."""

    def __init__(self) -> None:
        self.levels: list[Signal] = []
        self.failures: list[OSError] = []
        self.changed = asyncio.Event()

    def on_change(self, level: Signal) -> None:
        self.levels.append(level)
        self.changed.set()

    def on_failure(self, error: OSError) -> None:
        self.failures.append(error)
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, self.changed)


def waiting_threads() -> list[threading.Thread]:
    """The threads that wait for modem lines."""
    return [thread for thread in threading.enumerate() if thread.name.startswith("modem-")]


async def until_no_thread_waits() -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(5):
        for thread in waiting_threads():
            await loop.run_in_executor(None, thread.join, 5)
    assert waiting_threads() == []


def watching(seen: Watcher, wait: Callable[[int], None] | None = None) -> ModemWatch:
    """A watch of the device that is there, which tells `seen`."""
    loop = asyncio.get_running_loop()
    calls = Calls(loop, apart=False)
    return ModemWatch(loop, calls, 0, seen.on_change, seen.on_failure, wait)


@pytest.mark.parametrize("runner", RUNNERS)
def test_changes_are_waited_for_and_the_thread_ends_without_one(
    runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        seen = Watcher()
        watch = watching(seen, driver.wait)
        assert watch.by_events
        watch.start(NONE)
        driver.change(Signal.CTS)
        await seen.until(lambda: seen.levels == [Signal.CTS])
        driver.change(Signal.NONE)
        await seen.until(lambda: seen.levels == [Signal.CTS, NONE])
        # Now it waits, and nothing changes any more.
        watch.stop()
        await until_no_thread_waits()
        assert driver.waiters == []

    run(scenario, runner)


@pytest.mark.parametrize("runner", RUNNERS)
def test_join_ends_the_thread_from_another_thread(
    runner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As closing does, at every moment of the thread's life."""
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        seen = Watcher()
        for round_ in range(50):
            watch = watching(seen, driver.wait)
            watch.start(NONE)
            if round_ % 2:
                await asyncio.sleep(0)
            watch.stop()
            await loop.run_in_executor(None, watch.join)
            assert waiting_threads() == []
        assert seen.failures == []

    run(scenario, runner)


def test_watching_again_after_a_stop(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        seen = Watcher()
        watch = watching(seen, driver.wait)
        for _ in range(5):
            watch.start(NONE)
            watch.stop()
        watch.start(NONE)
        driver.change(Signal.CTS)
        await seen.until(lambda: seen.levels == [Signal.CTS])
        watch.stop()
        await until_no_thread_waits()

    run(scenario, "main thread")


def test_the_signal_handler_is_neither_pythons_nor_the_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        watch = watching(Watcher(), driver.wait)
        watch.start(NONE)
        watch.stop()
        assert signal.getsignal(signal.SIGURG) in (signal.SIG_DFL, None)
        os.kill(os.getpid(), signal.SIGURG)
        await until_no_thread_waits()

    run(scenario, "main thread")


@pytest.mark.parametrize("counted", [True, False])
def test_polling_where_there_is_no_event(counted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Modem(monkeypatch, counted=counted)

    async def scenario() -> None:
        seen = Watcher()
        watch = watching(seen)
        assert not watch.by_events
        watch.start(NONE)
        driver.change(Signal.CTS)
        await seen.until(lambda: seen.levels == [Signal.CTS])
        watch.stop()

    run(scenario, "main thread")


@pytest.mark.parametrize("by_events", [True, False])
def test_what_changed_before_it_began_is_told(
    by_events: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A device that has just been opened may raise its lines before anybody watches."""
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        seen = Watcher()
        wait = driver.wait if by_events else None
        watch = watching(seen, wait)
        told = driver.level
        driver.change(Signal.CTS)
        watch.start(told)
        await seen.until(lambda: seen.levels == [Signal.CTS])
        watch.stop()
        await until_no_thread_waits()

    run(scenario, "main thread")


def test_a_driver_without_the_ioctl_is_polled(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        assert pty.slave is not None
        seen = Watcher()
        loop = asyncio.get_running_loop()
        watch = ModemWatch(
            loop,
            Calls(loop, apart=False),
            pty.slave,
            seen.on_change,
            seen.on_failure,
            wait_for_change,
        )
        watch.start(NONE)
        driver.change(Signal.CTS)
        await seen.until(lambda: seen.levels == [Signal.CTS])
        assert not watch.by_events
        assert seen.failures == []
        watch.stop()

    run(scenario, "main thread")


@pytest.mark.parametrize("by_events", [True, False])
def test_a_device_that_goes_is_told_once(by_events: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    driver = Modem(monkeypatch)

    async def scenario() -> None:
        seen = Watcher()
        wait = driver.wait if by_events else None
        watch = watching(seen, wait)
        watch.start(NONE)
        driver.gone = OSError(errno.EIO, "unplugged")
        driver.change(Signal.CTS)
        await seen.until(lambda: bool(seen.failures))
        await until_no_thread_waits()
        assert seen.failures == [driver.gone]
        assert seen.levels == []

    run(scenario, "main thread")


def test_a_pty_has_no_such_ioctl(pty: Pty) -> None:
    assert pty.slave is not None
    with pytest.raises(OSError, match="Inappropriate"):
        wait_for_change(pty.slave)
