"""SerialPortLine: what is not part of every line's contract."""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager

import pytest

from gatewayd.errors import DeviceBusyError
from gatewayd.line import ioctls, termios2, worker
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import (
    Capabilities,
    LineErrors,
    LineSettings,
    Parity,
    Signal,
    SignalPolicies,
    SignalPolicy,
    StopBits,
)
from gatewayd.line.opening import open_line
from gatewayd.line.probing import adopt_port, probe
from gatewayd.line.serial_line import SerialPortLine
from tests.line.pty import Pty
from tests.line.recorder import Recorder


async def closed(line: SerialPortLine) -> None:
    """Close `line` and wait until the device is free."""
    done = asyncio.Event()
    line.close(done.set)
    async with asyncio.timeout(5):
        await done.wait()


@asynccontextmanager
async def opened(
    pty: Pty, settings: LineSettings | None = None, policies: SignalPolicies | None = None
) -> AsyncIterator[tuple[SerialPortLine, Recorder]]:
    """A line on the slave of `pty`."""
    recorder = Recorder()
    line = await open_line(
        pty.path, settings or LineSettings(), policies or SignalPolicies(), recorder
    )
    try:
        yield line, recorder
    finally:
        await closed(line)


def run(scenario: Callable[[], Coroutine[None, None, None]]) -> None:
    """Run with the loop's debug mode."""
    asyncio.run(asyncio.wait_for(scenario(), 10), debug=True)


def test_a_pty_has_no_modem_lines_no_counts_and_no_framing(pty: Pty) -> None:
    async def scenario() -> None:
        async with opened(pty) as (line, _recorder):
            assert line.capabilities == Capabilities(False, False, False, False)
            assert line.errors() == LineErrors()

    run(scenario)


def test_a_device_without_a_uart_behind_it_fails_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_uart(fd: int) -> Signal:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(ioctls, "get_signals", no_uart)
    with pytest.raises(OSError, match="Input/output"):
        probe(0)


def test_a_pty_tells_framing_as_asked_and_the_rest_as_read_back(pty: Pty) -> None:
    async def scenario() -> None:
        assert pty.slave is not None
        async with opened(pty) as (line, _recorder):
            wanted = LineSettings(31250, 5, Parity.MARK, StopBits.ONE_POINT_FIVE, rtscts=True)
            line.configure(wanted)
            assert line.settings() == wanted
            real = termios2.read(pty.slave)
            assert (real.bytesize, real.parity) == (8, Parity.NONE)
            assert (real.baudrate, real.rtscts) == (31250, True)
            # A rate that cannot be leaves the one in force.
            line.configure(LineSettings(0, 7))
            assert line.settings() == LineSettings(31250, 7)

    run(scenario)


def test_settings_cost_no_ioctl_and_equal_ones_no_set(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario() -> None:
        async with opened(pty) as (line, _recorder):
            line.configure(LineSettings(19200))
            with monkeypatch.context() as patch:
                patch.setattr(termios2, "store", None)
                line.configure(LineSettings(19200))
                patch.setattr(termios2, "fetch", None)
                assert line.settings() == LineSettings(19200)

    run(scenario)


def test_outputs_that_a_policy_holds_off_are_off_from_the_start(pty: Pty) -> None:
    async def scenario() -> None:
        policies = SignalPolicies(dtr=SignalPolicy.OFF, rts=SignalPolicy.KEEP)
        async with opened(pty, policies=policies) as (line, _recorder):
            assert line.signals() & (Signal.DTR | Signal.RTS) == Signal.RTS

    run(scenario)


def test_a_break_is_ended_by_close_and_a_driver_that_cannot_is_no_harm(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    breaks: list[bool] = []

    def cannot_clear(fd: int, on: bool) -> None:
        breaks.append(on)
        if not on:
            raise OSError(errno.EINVAL, "cannot")

    monkeypatch.setattr(ioctls, "set_break", cannot_clear)

    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            line.set_break(True)
            line.set_break(False)
            line.set_break(True)
        assert breaks == [True, False, True, False]
        assert recorder.lost == []

    run(scenario)


def test_a_break_is_ended_where_there_may_be_one(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    breaks: list[bool] = []
    refuses = False

    def set_break(fd: int, on: bool) -> None:
        breaks.append(on)
        if refuses:
            raise OSError(errno.EINVAL, "cannot")

    monkeypatch.setattr(ioctls, "set_break", set_break)

    async def scenario() -> None:
        nonlocal refuses
        async with opened(pty) as (line, _recorder):
            for on in (False, False, True, False, False):
                line.set_break(on)
            # Somebody else may have left one.
            assert breaks == [False, True, False]
            line.set_break(True)
            refuses = True
            line.set_break(False)
            line.set_break(False)
            assert breaks[3:] == [True, False, False], "what was refused is tried again"

    run(scenario)


def test_error_counts_are_compared_at_each_read_and_never_otherwise(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The counts of a UART, which a PTY has not, are put behind the ioctl."""
    found = [LineErrors()]
    asked = 0

    def get_counts(fd: int) -> Counts:
        nonlocal asked
        asked += 1
        return Counts(0, 0, 0, 0, found[0])

    monkeypatch.setattr(ioctls, "get_counts", get_counts)

    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            assert line.capabilities.error_counts
            await pty.write(b"a")
            await recorder.until(lambda: recorder.data == b"a")
            before = asked
            line.watch(signals=False, errors=True)
            found[0] = LineErrors(parity=1)
            line.refresh()
            assert line.errors() == LineErrors(parity=1)
            await pty.write(b"b")
            await recorder.until(lambda: recorder.data == b"ab")
            assert recorder.errors == [LineErrors(parity=1)]
            await pty.write(b"c")
            await recorder.until(lambda: recorder.data == b"abc")
            assert recorder.errors == [LineErrors(parity=1)]
            assert asked == before + 4
            line.watch(signals=False, errors=False)
            await pty.write(b"d")
            await recorder.until(lambda: recorder.data == b"abcd")
            assert asked == before + 4

    run(scenario)


@pytest.mark.parametrize("apart", [True, False])
def test_errors_between_the_last_look_and_the_watch_are_told(
    apart: bool, pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A client was answered by what was seen; what comes right after must not be taken for old."""
    monkeypatch.setattr(termios2, "may_sleep", lambda fd: apart)
    found = [LineErrors()]
    monkeypatch.setattr(ioctls, "get_counts", lambda fd: Counts(0, 0, 0, 0, found[0]))

    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            found[0] = LineErrors(break_=1)
            recorder.inside = True
            line.watch(signals=False, errors=True)
            recorder.inside = False
            await recorder.until(lambda: recorder.errors == [LineErrors(break_=1)])

    run(scenario)


def test_outputs_are_those_of_the_device_also_when_an_input_has_changed(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody has set DTR since it was opened: another process may have dropped it, and `keep`."""
    level = [Signal.RTS]
    monkeypatch.setattr(ioctls, "get_signals", lambda fd: level[0])
    monkeypatch.setattr(ioctls, "set_signals", lambda fd, on, off: None)

    async def scenario() -> None:
        policies = SignalPolicies(dtr=SignalPolicy.KEEP, rts=SignalPolicy.KEEP)
        async with opened(pty, policies=policies) as (line, recorder):
            assert line.signals() == Signal.RTS
            line.watch(signals=True, errors=False)
            level[0] |= Signal.CTS
            await recorder.until(lambda: recorder.signals == [Signal.CTS])
            assert line.signals() == Signal.RTS | Signal.CTS
            line.set_signals(on=Signal.NONE, off=Signal.RTS)
            assert line.signals() == Signal.CTS

    run(scenario)


def test_who_asks_for_the_end_of_a_break_once_more_waits_for_the_same_end(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is asked for when it is read, and again in its turn, when it is answered."""
    monkeypatch.setattr(termios2, "may_sleep", lambda fd: True)
    well = threading.Event()
    breaks: list[bool] = []

    def slow(fd: int, on: bool) -> None:
        assert on or well.wait(10)
        breaks.append(on)

    monkeypatch.setattr(ioctls, "set_break", slow)

    async def scenario() -> None:
        async with opened(pty) as (line, _recorder):
            line.set_break(True)
            line.set_break(False)
            again = line.set_break(False)
            assert again is not None
            assert not again.done
            ended = asyncio.Event()
            again.then(ended.set)
            well.set()
            await ended.wait()
            assert breaks == [True, False]

    run(scenario)


def test_a_line_that_is_being_set_is_neither_read_nor_written(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both take a lock that the call holds, and would stop the loop."""
    monkeypatch.setattr(termios2, "may_sleep", lambda fd: True)
    entered, well = threading.Event(), threading.Event()
    store, read, write = termios2.store, os.read, os.write
    touched: list[int] = []

    def slow(fd: int, state: termios2.Termios2) -> None:
        entered.set()
        assert well.wait(10)
        store(fd, state)

    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            fd = line.fileno()

            def noted_read(at: int, size: int) -> bytes:
                touched.extend([at] if at == fd else [])
                return read(at, size)

            def noted_write(at: int, data: bytes) -> int:
                touched.extend([at] if at == fd else [])
                return write(at, data)

            with monkeypatch.context() as patch:
                patch.setattr(termios2, "store", slow)
                patch.setattr(os, "read", noted_read)
                patch.setattr(os, "write", noted_write)
                done = asyncio.Event()
                begun = line.configure(LineSettings(19200))
                assert begun is not None
                begun.then(done.set)
                await asyncio.to_thread(entered.wait)
                await pty.write(b"in")
                assert line.write(b"out") == 3
                for _ in range(10):
                    await asyncio.sleep(0)
                assert touched == []
                assert recorder.data == b""
                well.set()
                await done.wait()
            assert line.settings() == LineSettings(19200)
            assert await pty.read(3) == b"out"
            await recorder.until(lambda: recorder.data == b"in")

    run(scenario)


def test_no_descriptor_is_closed_under_a_thread_that_watches_modem_lines(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "DEADLINE_S", 0.05)
    entered, well = threading.Event(), threading.Event()

    def counts(fd: int) -> Counts:
        if threading.current_thread().name.startswith("modem-"):
            entered.set()
            assert well.wait(10)
        return Counts(0, 0, 0, 0, LineErrors())

    monkeypatch.setattr(ioctls, "get_signals", lambda fd: Signal.NONE)
    monkeypatch.setattr(ioctls, "get_counts", counts)

    async def scenario() -> None:
        async with opened(pty) as (line, _recorder):
            line.watch(signals=True, errors=False)
            await asyncio.to_thread(entered.wait)
            await closed(line)
            assert line.hangs is not None
            os.fstat(line.fileno())
            gone = asyncio.Event()
            line.hangs.then(gone.set)
            well.set()
            await gone.wait()
            with pytest.raises(OSError, match="Bad file"):
                os.fstat(line.fileno())

    run(scenario)


def test_what_a_driver_refuses_is_told_once_and_the_line_goes_on(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(fd: int, state: termios2.Termios2) -> None:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            with monkeypatch.context() as patch:
                patch.setattr(termios2, "store", refuse)
                for _ in range(3):
                    line.configure(LineSettings(19200))
            assert recorder.refused == [("setting the line", errno.ENOMEM)]
            assert line.settings() == LineSettings()
            line.configure(LineSettings(19200))
            assert line.settings() == LineSettings(19200)
            line.write(b"on")
            assert await pty.read(2) == b"on"
            assert recorder.lost == []

    run(scenario)


def test_an_ioctl_that_finds_the_device_gone_loses_the_line(pty: Pty) -> None:
    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            line.pause_reading()
            await asyncio.sleep(0)
            pty.hang_up()
            line.configure(LineSettings(19200))
            assert line.settings() == LineSettings(19200)
            assert recorder.lost == []
            await recorder.until(lambda: bool(recorder.lost))
            assert len(recorder.lost) == 1
            cause = recorder.lost[0]
            assert cause is not None
            assert cause.errno == errno.EIO

    run(scenario)


def test_a_line_that_is_lost_tells_what_it_had_not_sent(pty: Pty) -> None:
    async def scenario() -> None:
        async with opened(pty) as (line, recorder):
            while line.write(bytes(65536)):
                pass
            held = len(line.pending())
            assert held
            pty.hang_up()
            await recorder.until(lambda: bool(recorder.lost))
            assert line.unsent() == held

    run(scenario)


def test_a_lost_device_can_be_opened_again_from_within_line_lost(pty: Pty) -> None:
    """The descriptor and the locks are gone by then, so that ttyUSB0 comes back as ttyUSB0."""

    async def scenario() -> None:
        recorder = Recorder()
        line = await open_line(pty.path, LineSettings(), SignalPolicies(), recorder)
        line.failed("it", OSError(errno.EIO, "gone"))
        await recorder.until(lambda: bool(recorder.lost))
        async with opened(pty):
            pass

    run(scenario)


def test_a_line_is_handed_over_without_a_byte_or_a_setting_lost(pty: Pty) -> None:
    wanted = LineSettings(115200, 7, Parity.EVEN, ixon=True)

    async def scenario() -> None:
        line = await open_line(pty.path, wanted, SignalPolicies(), silent := Recorder())
        await pty.write(b"\x13")
        # One byte after the other, until the tty takes no more.
        async with asyncio.timeout(5):
            while not line.pending():
                line.write(b".")
                await asyncio.sleep(0)
        data = os.urandom(30_000).translate(None, b".\x11\x13")
        assert line.write(data) == len(data)
        pending = line.pending()
        fd = line.detach()
        assert pending.endswith(data)
        await pty.write(b"meanwhile")

        heard = Recorder()
        port, found = adopt_port(fd, pty.path)
        heir = SerialPortLine(port, heard, found, line.settings(), pending=pending)
        assert heir.settings() == wanted
        await heard.until(lambda: heard.data == b"meanwhile")
        with pytest.raises(DeviceBusyError):
            await open_line(pty.path, wanted, SignalPolicies(), Recorder())
        await pty.write(b"\x11")
        got = await pty.read(len(pending))
        while not got.endswith(data):
            got += await pty.read(1)
        assert got == b"." * (len(got) - len(data)) + data
        assert silent.data == b""
        assert silent.lost == []
        await closed(heir)

    run(scenario)


def test_what_cannot_be_adopted_stays_the_callers(pty: Pty) -> None:
    async def scenario() -> None:
        assert pty.slave is not None
        async with opened(pty):
            with pytest.raises(DeviceBusyError):
                adopt_port(pty.slave, pty.path)
        os.fstat(pty.slave)

    run(scenario)


def test_fifty_opens_leave_nothing(pty: Pty) -> None:
    async def scenario() -> None:
        tasks = len(asyncio.all_tasks())
        for _ in range(50):
            async with opened(pty) as (line, _recorder):
                line.write(b"x")
        assert len(asyncio.all_tasks()) == tasks

    run(scenario)
