"""The calls of a device that may sleep: in their order, with a deadline, and closed in the end."""

from __future__ import annotations

import asyncio
import errno
import threading
from collections.abc import Callable, Coroutine, Iterator

import pytest

from gatewayd.line import worker
from gatewayd.line.calls import Calls
from tests.until import PATIENCE


class Driver:
    """Calls that are told of by name, and wait while `well` is not set."""

    def __init__(self, *, apart: bool = True) -> None:
        self.calls = Calls(asyncio.get_running_loop(), apart=apart)
        self.calls.hangs = lambda error: self.told("hangs", error)
        self.calls.still = lambda on: self.told("still", on)
        self.well = threading.Event()
        self.well.set()
        self.made: list[str] = []
        """As the driver saw them."""
        self.seen: list[tuple[str, object]] = []
        """As they were told in the loop."""
        self._changed = asyncio.Event()

    def told(self, name: str, what: object) -> None:
        self.seen.append((name, what))
        self._changed.set()

    def make(
        self, name: str, *, still: bool = False, failure: Exception | None = None
    ) -> asyncio.Event:
        """Have a call made; the event is that what was begun is done."""

        def work() -> str:
            self.made.append(name)
            assert self.well.wait(PATIENCE)
            if failure is not None:
                raise failure
            return "done"

        def then(result: str) -> None:
            self.told(name, result)

        done = asyncio.Event()
        begun = self.calls.make(
            name, work, then, lambda error: self.told(name, error.errno), still=still
        )
        if begun is None:
            done.set()
        else:
            begun.then(done.set)
        return done

    def end(self) -> None:
        self.calls.end(lambda: self.made.append("close"), lambda error: self.told("closed", error))

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def closed(self) -> None:
        over = asyncio.Event()
        self.calls.over.then(over.set)
        async with asyncio.timeout(PATIENCE):
            await over.wait()


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(work(), debug=True)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "line-calls":
            thread.join(PATIENCE)
            assert not thread.is_alive()


def test_calls_are_made_in_their_order_and_the_close_last() -> None:
    async def work() -> None:
        driver = Driver()
        events = [driver.make(name) for name in "abc"]
        driver.end()
        # What had not begun is not made any more, and nobody waits for it.
        assert all(event.is_set() for event in events)
        await driver.closed()
        assert driver.made[-1] == "close"
        assert driver.made[:-1] == list("abc")[: len(driver.made) - 1]
        assert driver.seen == [*((name, errno.ENODEV) for name in "abc"), ("closed", None)]

    run(work)


def test_a_device_that_never_sleeps_is_called_at_once() -> None:
    async def work() -> None:
        driver = Driver(apart=False)
        assert driver.make("a", still=True).is_set()
        assert driver.make("b", failure=OSError(errno.ENOTTY, "no")).is_set()
        assert driver.seen == [("a", "done"), ("b", errno.ENOTTY)]
        assert [one for one in threading.enumerate() if one.name == "line-calls"] == []
        driver.end()
        await driver.closed()

    run(work)


def test_a_call_that_does_not_come_back_is_told_and_nothing_is_closed_under_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "DEADLINE_S", 0.05)

    async def work() -> None:
        driver = Driver()
        driver.well.clear()
        waits = driver.make("setting it")
        behind = driver.make("behind")
        await driver.until(lambda: bool(driver.seen))
        name, error = driver.seen.pop()
        assert name == "hangs"
        assert isinstance(error, TimeoutError)
        assert error.strerror == "the driver does not come back from setting it"
        assert not waits.is_set()
        driver.end()
        assert waits.is_set()
        assert behind.is_set()
        # Who closes is told so at once, and the descriptor stays where it is.
        assert driver.seen[:2] == [("setting it", errno.ENODEV), ("behind", errno.ENODEV)]
        assert driver.seen[2][0] == "closed"
        assert isinstance(driver.seen[2][1], TimeoutError)
        assert driver.made == ["setting it"]
        assert not driver.calls.over.done
        driver.well.set()
        await driver.closed()
        assert driver.made == ["setting it", "close"]
        assert len(driver.seen) == 3

    run(work)


def test_a_close_that_does_not_come_back_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "DEADLINE_S", 0.05)

    async def work() -> None:
        driver = Driver()
        driver.well.clear()

        def release() -> None:
            assert driver.well.wait(PATIENCE)

        driver.calls.end(release, lambda error: driver.told("closed", error))
        await driver.until(lambda: bool(driver.seen))
        assert isinstance(driver.seen[0][1], TimeoutError)
        assert not driver.calls.over.done
        driver.well.set()
        await driver.closed()

    run(work)


def test_the_device_is_still_until_the_last_call_that_asks_for_it_is_back() -> None:
    async def work() -> None:
        driver = Driver()
        driver.well.clear()
        driver.make("a", still=True)
        driver.make("b", still=True)
        last = driver.make("c")
        assert driver.seen == [("still", True)]
        driver.well.set()
        await last.wait()
        assert driver.seen == [
            ("still", True),
            ("a", "done"),
            ("still", False),
            ("b", "done"),
            ("c", "done"),
        ]
        driver.end()
        await driver.closed()

    run(work)


def test_an_interrupted_call_is_made_again_but_not_for_ever() -> None:
    async def work() -> None:
        driver = Driver()
        await driver.make("a", failure=InterruptedError(errno.EINTR, "again")).wait()
        assert driver.made == ["a"] * 3
        assert driver.seen == [("a", errno.EINTR)]
        driver.end()
        await driver.closed()

    run(work)


def test_what_is_our_fault_holds_up_nothing() -> None:
    async def work() -> None:
        driver = Driver()
        faults: list[object] = []
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda loop, context: faults.append(context["exception"]))
        fault = ValueError("ours")
        waits = driver.make("a", failure=fault)
        await driver.make("b").wait()
        assert waits.is_set()
        assert faults == [fault]
        assert driver.seen == [("b", "done")]
        driver.end()
        await driver.closed()

    run(work)


def test_no_thread_to_be_had_fails_the_call_and_the_next_one_tries_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        driver = Driver()
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            assert driver.make("a").is_set()
        await driver.make("b").wait()
        assert driver.seen == [("a", errno.EAGAIN), ("b", "done")]
        driver.end()
        await driver.closed()

    run(work)


def test_a_device_that_is_given_away_is_not_closed() -> None:
    async def work() -> None:
        driver = Driver()
        driver.well.clear()
        waits = driver.make("a")
        driver.calls.detach()
        assert waits.is_set()
        driver.well.set()

    run(work)
