"""LineTransport: the faults of pyserial and pyserial-asyncio, by name, and that they are gone."""

from __future__ import annotations

import asyncio
import fcntl
import os
import resource
import termios
import threading
import time
from collections.abc import Callable, Coroutine

import pytest

from gatewayd.line.api import Gathering
from gatewayd.line.calls import Calls
from gatewayd.line.model import LineSettings
from gatewayd.line.serial_port import SerialPort
from gatewayd.line.transport import LineTransport
from tests.line.descriptors import threads_end
from tests.line.pty import Pty
from tests.same import same
from tests.spell import quiet
from tests.until import until

XOFF, XON = b"\x13", b"\x11"


class User(asyncio.Protocol):
    """Notes what the transport says."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reads: list[int] = []
        self.log: list[str] = []
        self.made = False
        self.lost: list[Exception | None] = []
        self.pause_at_once: Callable[[], None] | None = None
        self.gone = asyncio.Event()
        self.changed = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.made = True
        if self.pause_at_once is not None:
            self.pause_at_once()
        self.changed.set()

    def data_received(self, data: bytes) -> None:
        self.data += data
        self.reads.append(len(data))
        self.changed.set()

    def pause_writing(self) -> None:
        self.log.append("pause")

    def resume_writing(self) -> None:
        self.log.append("resume")
        self.changed.set()

    def streams_both_ways(self) -> bool:
        raise AssertionError("without gatherers")

    def gathered(self, place: Gathering | None) -> None:
        raise AssertionError("without gatherers")

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.append(exc)
        self.gone.set()
        self.changed.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        await until(condition, self.changed)


class NoWaiting(SerialPort):
    """A port whose pyserial methods that block, spin or select end the test."""

    def read(self, size: int = 1) -> bytes:
        raise AssertionError("Serial.read selects")

    def write(self, data: object) -> int:
        raise AssertionError("Serial.write spins")

    def flush(self) -> None:
        raise AssertionError("Serial.flush is tcdrain")


def open_transport(pty: Pty, settings: LineSettings | None = None) -> tuple[LineTransport, User]:
    """A transport on the slave of `pty`; needs a running loop."""
    port = NoWaiting(pty.path, settings or LineSettings())
    port.open()
    user = User()
    loop = asyncio.get_running_loop()
    return LineTransport(loop, user, port, Calls(loop, apart=False)), user


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run with the loop's debug mode, which refuses calls from the wrong thread."""
    asyncio.run(asyncio.wait_for(scenario(), 10), debug=True)


async def stop_output(pty: Pty, transport: LineTransport) -> None:
    """Send XOFF and return once the tty takes no more."""
    await pty.write(XOFF)
    assert pty.slave is not None
    while True:
        try:
            os.write(pty.slave, b".")
        except BlockingIOError:
            return
        await asyncio.sleep(0)


@pytest.fixture
def nonblocking_pty(pty: Pty) -> Pty:
    """So that the test's own writes to the slave cannot wait."""
    assert pty.slave is not None
    os.set_blocking(pty.slave, False)
    return pty


def test_a_full_tty_neither_spins_nor_freezes_the_loop(pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        data = os.urandom(200_000)
        for part in (data[:150_000], data[150_000:199_999], data[199_999:]):
            transport.write(part)
        assert transport.peek_write_buffer() == data[-transport.get_write_buffer_size() :] != data
        # The loop sleeps in epoll: no CPU is used, and a timer is on time.
        before, turns = time.process_time(), 0
        began = time.monotonic()
        while time.monotonic() - began < 0.2:
            await quiet(0.02)
            turns += 1
        assert turns >= 5
        assert time.process_time() - before < 0.1
        same(await pty.read(len(data)), data)
        await user.until(lambda: transport.get_write_buffer_size() == 0)
        assert user.log == ["pause", "resume"]
        transport.close()
        await user.gone.wait()

    run(scenario)


def test_nothing_is_registered_after_a_partial_write_has_gone(pty: Pty) -> None:
    """A writer left behind makes the loop turn for ever."""

    async def scenario() -> None:
        transport, user = open_transport(pty)
        data = bytes(100_000)
        transport.write(data)
        await pty.read(len(data))
        await user.until(lambda: transport.get_write_buffer_size() == 0)
        assert not asyncio.get_running_loop().remove_writer(transport.serial.fileno())
        transport.abort()
        await user.gone.wait()

    run(scenario)


def test_descriptors_of_1024_and_more_work(pty: Pty) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 1200:
        pytest.skip(f"this machine allows {hard} descriptors only")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1200), hard))

    async def scenario() -> None:
        fillers = [os.open(os.devnull, os.O_RDONLY)]
        while fillers[-1] < 1030:
            fillers.append(os.open(os.devnull, os.O_RDONLY))
        try:
            transport, user = open_transport(pty)
            assert transport.serial.fileno() >= 1024
            await pty.write(b"up")
            await user.until(lambda: user.data == b"up")
            transport.write(b"down")
            assert await pty.read(4) == b"down"
            transport.abort()
            await user.gone.wait()
        finally:
            for filler in fillers:
                os.close(filler)

    try:
        run(scenario)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("ending", ["close", "abort", "close then abort"])
def test_no_tcdrain_in_the_loop_when_a_flow_stopped_port_ends(
    ending: str, nonblocking_pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A real UART would hold tcdrain back as long as it is stopped; here it must not be called."""
    threads: list[threading.Thread] = []
    close = SerialPort.close

    def noted(port: SerialPort) -> None:
        threads.append(threading.current_thread())
        close(port)

    def forbidden(fd: int) -> None:
        raise AssertionError("tcdrain")

    monkeypatch.setattr(SerialPort, "close", noted)
    monkeypatch.setattr(termios, "tcdrain", forbidden)

    async def scenario() -> None:
        transport, user = open_transport(nonblocking_pty, LineSettings(ixon=True))
        await stop_output(nonblocking_pty, transport)
        if ending == "close":
            transport.close()
        else:
            transport.write(b"never sent")
            assert transport.get_write_buffer_size() == 10
            if ending == "close then abort":
                transport.close()
            transport.abort()
        await user.gone.wait()
        assert user.lost == [None]
        assert len(threads) == 1
        assert threads[0] is not threading.current_thread()

    run(scenario)


@pytest.mark.parametrize(
    "calls",
    [
        ("close", "abort"),
        ("abort", "close"),
        ("close", "close"),
        ("abort", "abort"),
        ("close", "abort", "abort", "close"),
    ],
)
def test_close_and_abort_in_any_order_end_it_once(calls: tuple[str, ...], pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        await user.until(lambda: user.made)
        for call in calls:
            getattr(transport, call)()
        await user.gone.wait()
        for call in calls:
            getattr(transport, call)()
        transport.write(b"ignored")
        await asyncio.sleep(0)
        assert user.lost == [None]
        assert not transport.serial.is_open

    run(scenario)


def test_close_lets_what_is_buffered_out_first(pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        data = os.urandom(100_000)
        transport.write(data)
        transport.close()
        assert await pty.read(len(data) - 4096) == data[:-4096]
        tail = asyncio.ensure_future(pty.read(4096))
        await user.gone.wait()
        assert await tail == data[-4096:]

    run(scenario)


def test_pause_reading_in_connection_made_is_not_lost(pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        user.pause_at_once = transport.pause_reading
        await user.until(lambda: user.made)
        await pty.write(b"wait")
        for _ in range(20):
            await asyncio.sleep(0)
        assert not asyncio.get_running_loop().remove_reader(transport.serial.fileno())
        assert user.data == b""
        transport.resume_reading()
        await user.until(lambda: user.data == b"wait")
        transport.abort()
        await user.gone.wait()

    run(scenario)


def waiting(fd: int) -> int:
    """Received bytes that nobody has read (FIONREAD)."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), "little")


def test_one_read_takes_all_that_the_tty_gives(pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        transport.pause_reading()
        await pty.write(bytes(4000))
        assert pty.slave is not None
        # The kernel hands the bytes over in its own time, and a paused reader cannot be told.
        while waiting(pty.slave) < 4000:  # noqa: ASYNC110
            await asyncio.sleep(0)
        transport.resume_reading()
        await user.until(lambda: len(user.data) == 4000)
        assert user.reads == [4000]
        transport.abort()
        await user.gone.wait()

    run(scenario)


def test_the_limits_of_the_write_buffer_can_be_set(nonblocking_pty: Pty) -> None:
    async def scenario() -> None:
        pty = nonblocking_pty
        transport, user = open_transport(pty, LineSettings(ixon=True))
        transport.set_write_buffer_limits(high=100, low=10)
        await stop_output(pty, transport)
        transport.write(bytes(100))
        assert user.log == []
        transport.write(b"x")
        assert user.log == ["pause"]
        await pty.write(XON)
        await user.until(lambda: user.log[-1] == "resume")
        transport.abort()
        await user.gone.wait()

    run(scenario)


def test_discard_drops_what_waits_and_writing_goes_on(nonblocking_pty: Pty) -> None:
    async def scenario() -> None:
        pty = nonblocking_pty
        transport, user = open_transport(pty, LineSettings(ixon=True))
        await stop_output(pty, transport)
        transport.write(b"old")
        assert transport.peek_write_buffer() == b"old"
        transport.discard()
        assert transport.get_write_buffer_size() == 0
        termios.tcflush(transport.serial.fileno(), termios.TCOFLUSH)
        transport.write(b"new")
        await pty.write(XON)
        got = b""
        while not got.endswith(b"new"):
            got += await pty.read(1)
        assert b"old" not in got
        transport.abort()
        await user.gone.wait()

    run(scenario)


@pytest.mark.parametrize("while_doing", ["reading", "writing"])
def test_a_hang_up_ends_it_once_with_the_cause(while_doing: str, pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        if while_doing == "writing":
            transport.pause_reading()
        await user.until(lambda: user.made)
        pty.hang_up()
        if while_doing == "writing":
            transport.write(b"nobody")
        await user.gone.wait()
        assert len(user.lost) == 1
        assert isinstance(user.lost[0], OSError)
        assert not transport.serial.is_open

    run(scenario)


def test_detach_leaves_the_descriptor_open_and_calls_nothing(pty: Pty) -> None:
    async def scenario() -> None:
        transport, user = open_transport(pty)
        fd = transport.detach()
        await asyncio.sleep(0)
        await pty.write(b"for the heir")
        await asyncio.sleep(0)
        assert user.data == b""
        assert os.read(fd, 100) == b"for the heir"
        assert user.lost == []
        os.close(fd)

    run(scenario)


def test_a_loop_that_ends_at_once_leaves_nothing_open(pty: Pty) -> None:
    opened: list[LineTransport] = []
    threads = set(threading.enumerate())

    async def scenario() -> None:
        transport, _user = open_transport(pty)
        opened.append(transport)
        transport.abort()
        await asyncio.sleep(0)

    run(scenario)
    threads_end(threads)
    assert not opened[0].serial.is_open


def test_without_a_thread_it_is_closed_all_the_same(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        transport, user = open_transport(pty)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refused)
            transport.abort()
            await user.gone.wait()
        assert user.lost == [None]
        assert not transport.serial.is_open

    run(scenario)
