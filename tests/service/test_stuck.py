"""Devices whose driver does not come back, threads that are not to be had, and other misfortunes:
they cost their own port, and only for as long as they last."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import struct
import threading
from collections.abc import Callable, Coroutine, Iterator

import pytest

from gatewayd.config.schema import PortConfig
from gatewayd.errors import DeviceSilentError
from gatewayd.line import opening, worker
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.line.serial_port import SerialPort
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.service import keeper
from gatewayd.service.gateway import Gateway
from gatewayd.service.store import Store
from tests.line.pty import Pty
from tests.until import PATIENCE, turning, until


class Sick:
    """Devices by path whose system calls hang until they are cured."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.opens: dict[str, threading.Event] = {}
        self.closes: dict[str, threading.Event] = {}
        self.calls = 0
        open_port, close = opening.open_port, SerialPort.close

        def slow_open(path: str, *args: object) -> object:
            self.calls += 1
            if path in self.opens:
                assert self.opens[path].wait(PATIENCE)
            return open_port(path, *args)  # type: ignore[arg-type]

        def slow_close(port: SerialPort) -> None:
            if port.is_open and port.path in self.closes:
                assert self.closes[port.path].wait(PATIENCE)
            close(port)

        monkeypatch.setattr(opening, "open_port", slow_open)
        monkeypatch.setattr(SerialPort, "close", slow_close)

    def cure(self) -> None:
        for event in (*self.opens.values(), *self.closes.values()):
            event.set()


@pytest.fixture
def sick(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sick]:
    monkeypatch.setattr(worker, "DEADLINE_S", 0.2)
    monkeypatch.setattr(keeper, "CLOSE_S", 0.3)
    sick = Sick(monkeypatch)
    yield sick
    sick.cure()


@pytest.fixture
def ptys() -> Iterator[list[Pty]]:
    ptys = [Pty() for _ in range(12)]
    yield ptys
    for pty in ptys:
        pty.__exit__(None, None, None)


class Bench:
    """Ports on PTYs, and what their phases come to."""

    def __init__(self, ptys: list[Pty]) -> None:
        self.gateway = Gateway(Store())
        self.ptys = ptys
        self.changed = asyncio.Event()
        for number, pty in enumerate(ptys):
            self.gateway.add(PortConfig(f"p{number}", pty.path), ())
            self.port(number).on_change = self.changed.set

    def port(self, number: int) -> Port:
        return self.gateway.served[f"p{number}"].port

    def start(self) -> None:
        self.gateway.start()

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, self.changed)

    async def reach(self, phase: Phase, *numbers: int) -> None:
        await self.until(lambda: all(self.port(one).phase is phase for one in numbers))

    async def round_trip(self, number: int) -> None:
        """The port's line still carries bytes both ways."""
        port, pty = self.port(number), self.ptys[number]
        before = port.counters.from_device
        port.outbox.write(b"to")
        assert await pty.read(2) == b"to"
        await pty.write(b"from")
        await turning(lambda: port.counters.from_device - before == 4)


def run(work: Callable[[], Coroutine[object, object, None]]) -> None:
    asyncio.run(work())


def test_opens_that_hang_hold_up_no_other_port_and_no_stop(sick: Sick, ptys: list[Pty]) -> None:
    """More of them than asyncio's default executor has threads."""

    async def work() -> None:
        for pty in ptys[:-1]:
            sick.opens[pty.path] = threading.Event()
        bench = Bench(ptys)
        bench.start()
        await bench.reach(Phase.READY, len(ptys) - 1)
        await bench.round_trip(len(ptys) - 1)
        await bench.reach(Phase.STUCK, *range(len(ptys) - 1))
        assert "does not come back" in bench.port(0).cause
        await bench.round_trip(len(ptys) - 1)
        await bench.gateway.stop()

    run(work)
    assert sick.calls == len(ptys)


def test_a_stuck_device_is_opened_when_its_driver_comes_back(sick: Sick, ptys: list[Pty]) -> None:
    async def work() -> None:
        sick.opens[ptys[0].path] = threading.Event()
        bench = Bench(ptys[:1])
        bench.start()
        await bench.reach(Phase.STUCK, 0)
        # Meanwhile no other thread is sent into the same driver.
        bench.gateway.served["p0"].keeper.look()
        assert (bench.port(0).phase, sick.calls) == (Phase.STUCK, 1)
        sick.cure()
        await bench.reach(Phase.READY, 0)
        await bench.round_trip(0)
        await bench.gateway.stop()

    run(work)


def test_a_close_that_hangs_ends_for_who_waits_and_leaves_the_port_stuck(
    sick: Sick, ptys: list[Pty]
) -> None:
    async def work() -> None:
        sick.closes[ptys[0].path] = threading.Event()
        bench = Bench(ptys[:2])
        bench.start()
        await bench.reach(Phase.READY, 0, 1)
        # Its master stays, so that the node does.
        line = bench.port(0).line
        assert isinstance(line, SerialPortLine)
        line.failed("it", OSError(errno.EIO, "sick"))
        await bench.reach(Phase.STUCK, 0)
        await bench.round_trip(1)
        sick.cure()
        await bench.reach(Phase.READY, 0)
        await bench.gateway.stop()

    run(work)


def test_a_port_whose_close_hangs_is_removed_all_the_same(sick: Sick, ptys: list[Pty]) -> None:
    async def work() -> None:
        sick.closes[ptys[0].path] = threading.Event()
        bench = Bench(ptys[:2])
        bench.start()
        await bench.reach(Phase.READY, 0, 1)
        async with asyncio.timeout(5):
            await bench.gateway.remove("p0")
        await bench.round_trip(1)
        async with asyncio.timeout(5):
            await bench.gateway.stop()

    run(work)


def test_no_thread_to_be_had_is_told_and_tried_again(
    sick: Sick, ptys: list[Pty], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def work() -> None:
        bench = Bench(ptys[:1])
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            bench.start()
            await bench.reach(Phase.FAILED, 0)
            assert "can't start new thread" in bench.port(0).cause
        await bench.reach(Phase.READY, 0)
        await bench.gateway.stop()

    run(work)


@pytest.mark.parametrize(
    ("error", "phase"),
    [
        (DeviceSilentError("nothing answers behind it"), Phase.ABSENT),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), Phase.FAILED),
        (MemoryError(), Phase.FAILED),
        (ValueError("whatever it is"), Phase.FAILED),
    ],
    ids=["EIO", "ENOMEM", "no memory", "our fault"],
)
def test_whatever_opening_ends_with_is_tried_again(
    error: Exception,
    phase: Phase,
    sick: Sick,
    ptys: list[Pty],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the node is there all the time, and the kernel tells of nothing."""

    def fail(*args: object) -> object:
        raise error

    async def work() -> None:
        bench = Bench(ptys[:1])
        with monkeypatch.context() as patch:
            patch.setattr(opening, "open_port", fail)
            bench.start()
            await bench.reach(phase, 0)
        await bench.reach(Phase.READY, 0)
        await bench.gateway.stop()

    run(work)


def test_a_node_that_answers_eio_is_tried_until_it_answers_well() -> None:
    """A PTY that is locked yet: no event tells that it is unlocked."""
    tiocgptn, tiocsptlck = 0x80045430, 0x40045431
    master = os.open("/dev/ptmx", os.O_RDWR | os.O_NOCTTY)

    async def work() -> None:
        (number,) = struct.unpack("i", fcntl.ioctl(master, tiocgptn, bytes(4)))
        gateway = Gateway(Store())
        port = gateway.add(PortConfig("p0", f"/dev/pts/{number}"), ()).port
        changed = asyncio.Event()
        port.on_change = changed.set

        async def reach(phase: Phase) -> None:
            await until(lambda: port.phase is phase, changed)

        gateway.start()
        await reach(Phase.OPENING)
        await reach(Phase.ABSENT)
        assert "nothing answers" in port.cause
        fcntl.ioctl(master, tiocsptlck, struct.pack("i", 0))
        await reach(Phase.READY)
        await gateway.stop()

    try:
        run(work)
    finally:
        os.close(master)
