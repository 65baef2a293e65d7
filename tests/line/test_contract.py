"""What `api.Line` promises, held against every line there is."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Coroutine

import pytest

from gatewayd.line.model import LineSettings, Parity, Purge, Signal, StopBits
from tests.line.bench import Bench, OpenBench, apart_bench, pty_bench, sim_bench, socat_bench
from tests.same import same

FAST = LineSettings(baudrate=4000000)
OBEYS_XOFF = LineSettings(baudrate=115200, ixon=True)
XOFF, XON = b"\x13", b"\x11"
EVERY_BYTE = bytes(range(256))

needs_socat = pytest.mark.skipif(shutil.which("socat") is None, reason="socat is not installed")


@pytest.fixture(
    params=[
        pytest.param(pty_bench, id="pty"),
        pytest.param(apart_bench, id="apart"),
        pytest.param(socat_bench, id="socat", marks=needs_socat),
        pytest.param(sim_bench, id="sim"),
    ]
)
def open_bench(request: pytest.FixtureRequest) -> OpenBench:
    """Opens a bench of each kind."""
    chosen: OpenBench = request.param
    return chosen


def on(
    open_bench: OpenBench,
    scenario: Callable[[Bench], Coroutine[None, None, None]],
    settings: LineSettings = FAST,
) -> None:
    """Run `scenario` on a bench whose line has `settings`."""

    async def run() -> None:
        async with asyncio.timeout(20), open_bench(settings) as bench:
            await scenario(bench)

    asyncio.run(run())


async def write_all(bench: Bench, data: bytes) -> None:
    """Write as a patient user does."""
    view = memoryview(data)
    while view:
        told = bench.recorder.writable
        taken = bench.line.write(view)
        assert 0 <= taken <= len(view)
        view = view[taken:]
        if view:
            await bench.recorder.until(lambda told=told: bench.recorder.writable > told)  # type: ignore[misc]


async def stop_output(bench: Bench) -> None:
    """Return once the line, which obeys XOFF, has stopped sending; nothing waits then."""
    await bench.device_sends(XOFF)
    while True:
        sent = asyncio.Event()
        bench.line.write(b".")
        bench.line.drain(sent.set)
        try:
            async with asyncio.timeout(0.05):
                await sent.wait()
        except TimeoutError:
            bench.line.purge(Purge.TX)
            await sent.wait()
            return


def test_every_byte_passes_both_ways(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        assert bench.line.write(EVERY_BYTE) == 256
        assert await bench.device_gets(256) == EVERY_BYTE
        await bench.device_sends(EVERY_BYTE)
        await bench.recorder.until(lambda: bench.recorder.data == EVERY_BYTE)

    on(open_bench, scenario)


def test_much_passes_in_order_and_whole(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        data = os.urandom(300_000)
        writing = asyncio.ensure_future(write_all(bench, data))
        same(await bench.device_gets(len(data)), data)
        await writing

    on(open_bench, scenario)


def test_the_settings_at_open_are_in_force(open_bench: OpenBench) -> None:
    wanted = LineSettings(31250, 7, Parity.EVEN, StopBits.TWO, ixoff=True)

    async def scenario(bench: Bench) -> None:
        assert bench.line.settings() == wanted

    on(open_bench, scenario, wanted)


def test_settings_are_what_is_in_force(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        for wanted in (
            LineSettings(9600, 7, Parity.ODD),
            LineSettings(12345, 5, Parity.SPACE, StopBits.ONE_POINT_FIVE),
            LineSettings(115200, 8, Parity.NONE, StopBits.TWO, ixon=True, ixoff=True),
            LineSettings(115200, 8, Parity.NONE, StopBits.TWO, ixon=True, ixoff=True),
        ):
            await bench.done(bench.line.configure(wanted))
            assert bench.line.settings() == wanted

    on(open_bench, scenario)


def test_outputs_are_as_last_set(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        quiet = Signal.CTS | Signal.DSR | Signal.CD
        assert bench.line.signals() == Signal.DTR | Signal.RTS | quiet
        bench.line.set_signals(Signal.NONE, Signal.DTR)
        assert bench.line.signals() == Signal.RTS | quiet
        bench.line.set_signals(Signal.DTR, Signal.RTS)
        assert bench.line.signals() == Signal.DTR | quiet

    on(open_bench, scenario)


def test_break_can_be_set_and_ended_anywhere(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.line.set_break(True)
        bench.line.set_break(False)
        bench.line.write(b"after")
        assert await bench.device_gets(5) == b"after"

    on(open_bench, scenario)


def test_what_is_begun_is_done_in_its_order(open_bench: OpenBench) -> None:
    """And before bytes that are written after it."""

    async def scenario(bench: Bench) -> None:
        rates = [1200, 2400, 19200, 57600, 9600]
        seen = []
        for rate in rates:
            begun = bench.line.configure(LineSettings(rate))
            if begun is None:
                seen.append(bench.line.settings().baudrate)
            else:
                begun.then(lambda: seen.append(bench.line.settings().baudrate))
        last = bench.line.set_break(False)
        bench.line.write(b"after")
        assert await bench.device_gets(5) == b"after"
        await bench.done(last)
        assert seen == rates

    on(open_bench, scenario)


def test_drain_calls_within_the_call_when_nothing_waits(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        called: list[bool] = []
        bench.line.drain(lambda: called.append(True))
        assert called == [True]
        assert bench.line.unsent() == 0

    on(open_bench, scenario)


def test_drain_is_called_after_the_last_byte_has_left(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        await stop_output(bench)
        assert bench.line.write(b"held" * 10) == 40
        assert bench.line.unsent() == 40
        drained = asyncio.Event()
        bench.line.drain(drained.set)
        with pytest.raises(RuntimeError):
            bench.line.drain(drained.set)
        for _ in range(10):
            await asyncio.sleep(0)
        assert not drained.is_set()
        await bench.device_sends(XON)
        await drained.wait()
        assert bench.line.unsent() == 0

    on(open_bench, scenario, OBEYS_XOFF)


def test_a_stopped_line_takes_little_and_tells_when_it_goes_on(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        await stop_output(bench)
        data = os.urandom(500_000).replace(XOFF, b"x").replace(XON, b"x")
        taken = bench.line.write(data)
        assert taken < len(data)
        assert bench.line.write(data) == 0
        assert bench.line.unsent() <= 65536
        assert bench.recorder.writable == 0
        await bench.device_sends(XON)
        reading = asyncio.ensure_future(bench.device_gets(1))
        await reading
        await drink(bench, lambda: bench.recorder.writable == 1)

    async def drink(bench: Bench, until: Callable[[], bool]) -> None:
        while not until():
            try:
                async with asyncio.timeout(0.02):
                    await bench.device_gets(1000)
            except TimeoutError:
                continue

    on(open_bench, scenario, OBEYS_XOFF)


def test_purging_drops_what_waits_and_ends_the_drain(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        await stop_output(bench)
        bench.line.write(b"old")
        drained = asyncio.Event()
        bench.line.drain(drained.set)
        bench.recorder.inside = True
        thrown = bench.line.purge(Purge.TX)
        bench.recorder.inside = False
        assert not drained.is_set()
        await bench.done(thrown)
        await drained.wait()
        assert bench.line.unsent() == 0
        bench.line.write(b"new")
        await bench.device_sends(XON)
        got = b""
        while not got.endswith(b"new"):
            got += await bench.device_gets(1)
        assert b"old" not in got

    on(open_bench, scenario, OBEYS_XOFF)


def test_paused_reading_delivers_nothing_and_loses_nothing(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.line.pause_reading()
        await bench.device_sends(b"wait")
        bench.line.write(b"round trip")
        await bench.device_gets(10)
        for _ in range(20):
            await asyncio.sleep(0)
        assert bench.recorder.data == b""
        bench.line.resume_reading()
        await bench.recorder.until(lambda: bench.recorder.data == b"wait")

    on(open_bench, scenario)


def test_an_unplugged_line_is_lost_once_and_then_silent(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        line, recorder = bench.line, bench.recorder
        bench.unplug()
        await recorder.until(lambda: bool(recorder.lost))
        assert len(recorder.lost) == 1
        assert isinstance(recorder.lost[0], OSError)
        assert line.write(b"x") == 0
        assert line.unsent() == 0
        drained: list[bool] = []
        line.drain(lambda: drained.append(True))
        assert drained == [True]
        line.set_signals(Signal.DTR, Signal.RTS)
        line.set_break(True)
        line.purge(Purge.BOTH)
        line.watch(signals=True, errors=True)
        line.pause_reading()
        line.resume_reading()
        assert Signal.DTR in line.signals()
        assert line.settings() == FAST
        line.configure(LineSettings())
        assert line.settings() == LineSettings()
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(recorder.lost) == 1

    on(open_bench, scenario)


def test_loss_ends_a_drain(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        await stop_output(bench)
        bench.line.write(b"held")
        drained: list[int] = []
        bench.line.drain(lambda: drained.append(len(bench.recorder.lost)))
        bench.unplug()
        await bench.recorder.until(lambda: bool(bench.recorder.lost))
        assert drained == [0]

    on(open_bench, scenario, OBEYS_XOFF)


def test_nothing_is_told_after_close_and_closing_twice_is_harmless(open_bench: OpenBench) -> None:
    async def scenario(bench: Bench) -> None:
        bench.line.watch(signals=True, errors=True)
        forgotten: list[bool] = []
        await stop_output(bench)
        bench.line.write(b"held")
        bench.line.drain(lambda: forgotten.append(True))
        await bench.device_sends(b"late")
        before = dict(vars(bench.recorder))
        closed = [asyncio.Event() for _ in range(3)]
        bench.line.close(closed[0].set)
        bench.line.close(closed[1].set)
        assert not closed[0].is_set()
        await closed[0].wait()
        await closed[1].wait()
        bench.line.close(closed[2].set)
        await closed[2].wait()
        bench.unplug()
        assert vars(bench.recorder) == before
        assert forgotten == []

    on(open_bench, scenario, OBEYS_XOFF)
