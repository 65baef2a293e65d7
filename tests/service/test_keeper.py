"""The keeper of one port, in the test's own event loop."""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path

import pytest

from gatewayd.config.schema import PortConfig
from gatewayd.line import ioctls, termios2, worker
from gatewayd.line.calls import Calls
from gatewayd.line.model import Purge
from gatewayd.log import LOGGER
from gatewayd.port.phase import Phase
from gatewayd.service.gateway import Gateway
from gatewayd.service.store import Store
from tests.line.descriptors import threads_end
from tests.line.pty import Pty
from tests.until import PATIENCE


class Kept:
    """A port with its keeper, and the phases that it went through."""

    def __init__(self, path: str) -> None:
        self._gateway = Gateway(Store())
        served = self._gateway.add(PortConfig("psu1", path), ())
        self.port, self.keeper = served.port, served.keeper
        self.port.on_change = self._changed
        self.phases: list[Phase] = []
        self._waiting = asyncio.Event()

    def _changed(self) -> None:
        self.phases.append(self.port.phase)
        self._waiting.set()

    async def reach(self, phase: Phase) -> None:
        """Wait until the port is in `phase`, from a change that is still to come."""
        async with asyncio.timeout(10):
            while True:
                self._waiting.clear()
                await self._waiting.wait()
                if self.port.phase is phase:
                    return

    async def close(self) -> None:
        await self._gateway.stop()


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(work())


def test_another_try_that_ends_as_the_last_one_is_no_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        with Pty() as pty:
            kept = Kept(pty.path)
            assert pty.slave is not None
            fcntl.flock(pty.slave, fcntl.LOCK_EX)
            kept.keeper.start()
            for _ in range(3):
                await kept.reach(Phase.BUSY)
                kept.keeper.look()
            await kept.reach(Phase.BUSY)
            fcntl.flock(pty.slave, fcntl.LOCK_UN)
            kept.keeper.look()
            await kept.reach(Phase.READY)
            pty.hang_up()
            await kept.reach(Phase.ABSENT)
            await kept.close()

    with caplog.at_level(logging.INFO, LOGGER.name):
        run(work)
    told = [record.getMessage() for record in caplog.records]
    assert sum("in use by" in text for text in told) == 1
    assert sum(" open, " in text for text in told) == 1


def test_each_cause_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        path = tmp_path / "tty"
        kept = Kept(str(path))
        kept.keeper.start()
        await kept.reach(Phase.ABSENT)
        path.mkdir()
        await kept.reach(Phase.FAILED)
        path.rmdir()
        await kept.reach(Phase.ABSENT)
        path.touch()
        await kept.reach(Phase.FAILED)
        await kept.close()

    with caplog.at_level(logging.INFO, LOGGER.name):
        run(work)
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        f"{tmp_path}/tty is not there",
        f"{tmp_path}/tty is a directory, not a serial device",
        f"{tmp_path}/tty is not there",
        f"{tmp_path}/tty is a file, not a serial device",
    ]


def test_permission_denied_is_a_failure_and_mends_by_itself() -> None:
    """A change of permissions is an event of the kernel: nobody waits for the next try."""
    if os.geteuid() == 0:
        pytest.skip("root may open everything")

    async def work() -> None:
        with Pty() as pty:
            os.chmod(pty.path, 0)
            kept = Kept(pty.path)
            kept.keeper.start()
            await kept.reach(Phase.FAILED)
            assert "permission denied" in kept.port.cause
            os.chmod(pty.path, 0o600)
            await kept.reach(Phase.READY)
            await kept.close()

    run(work)


def test_a_driver_that_comes_back_in_the_moment_in_which_it_is_given_up_is_opened_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    driver, came = threading.Event(), threading.Event()
    given_up = getattr(Calls, "_is_late")  # noqa: B009 - what happens in that moment

    def is_late(calls: Calls) -> None:
        driver.set()
        assert came.wait(PATIENCE)
        given_up(calls)

    def flush(*_: object) -> None:
        assert driver.wait(PATIENCE)
        came.set()

    monkeypatch.setattr(Calls, "_is_late", is_late)
    monkeypatch.setattr(worker, "DEADLINE_S", 0.05)
    monkeypatch.setattr(termios2, "may_sleep", lambda fd: True)
    monkeypatch.setattr(ioctls, "flush", flush)

    async def work() -> None:
        with Pty() as pty:
            kept = Kept(pty.path)
            kept.keeper.start()
            await kept.reach(Phase.READY)
            assert kept.port.line is not None
            kept.port.line.purge(Purge.RX)
            await kept.reach(Phase.READY)
            assert Phase.STUCK in kept.phases
            await kept.close()

    run(work)


def test_stopping_while_a_device_opens_leaves_nothing_open() -> None:
    async def work() -> None:
        with Pty() as pty:
            before, threads = len(os.listdir("/proc/self/fd")), set(threading.enumerate())
            kept = Kept(pty.path)
            kept.keeper.start()
            await asyncio.sleep(0)
            assert kept.port.phase is Phase.OPENING
            await kept.close()
            # The opening goes on in its thread, and what comes of it is closed there or, if nobody
            # wanted it only then, in another one.
            for _ in range(2):
                threads_end(threads)
                await asyncio.sleep(0)
            threads_end(threads)
            assert len(os.listdir("/proc/self/fd")) == before

    run(work)
