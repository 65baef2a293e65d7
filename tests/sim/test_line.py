"""SimLine on a clock of its own."""

from __future__ import annotations

import errno
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.line.model import (
    Capabilities,
    LineErrors,
    LineSettings,
    Parity,
    Purge,
    Signal,
)
from tests.line.recorder import Recorder
from tests.sim.clock import FakeClock
from tests.sim.line import SimLine, null_modem

NONE = Signal.NONE
QUIET = Signal.CTS | Signal.DSR | Signal.CD


class Pair:
    """A null modem with a recorder at each end."""

    def __init__(self, settings: LineSettings | None = None, *, fifo: int = 4096) -> None:
        self.clock = FakeClock()
        self.a, self.b = null_modem(self.clock, settings, fifo=fifo)
        self.at_a, self.at_b = Recorder(), Recorder()
        self.a.events, self.b.events = self.at_a, self.at_b

    def send(self, data: bytes) -> None:
        """Write all of `data` at a, however long it takes."""
        while data:
            data = data[self.a.write(data) :]
            self.clock.advance(0.1)


def moments(clock: FakeClock) -> tuple[list[float], Callable[[], None]]:
    """A callback, and the times at which it is called."""
    times: list[float] = []
    return times, lambda: times.append(clock.time())


@pytest.mark.parametrize("baudrate", [300, 9600, 115200, 4000000])
def test_the_last_byte_leaves_when_the_baud_rate_says(baudrate: int) -> None:
    pair = Pair(LineSettings(baudrate=baudrate))
    assert pair.a.write(bytes(range(200))) == 200
    times, note = moments(pair.clock)
    pair.a.drain(note)
    assert pair.a.unsent() == 200
    pair.clock.advance(100)
    assert times == [pytest.approx(200 * 10 / baudrate)]
    assert pair.at_b.data == bytes(range(200))
    assert pair.a.unsent() == 0


def test_a_second_write_after_a_rest_starts_at_once_and_is_not_hurried() -> None:
    pair = Pair()
    pair.clock.advance(1)
    pair.a.write(b"x")
    times, note = moments(pair.clock)
    pair.a.drain(note)
    pair.clock.advance(1)
    assert times == [pytest.approx(1 + 10 / 9600)]


def test_writes_are_bounded_and_room_for_half_is_told() -> None:
    pair = Pair(LineSettings(baudrate=115200))
    assert pair.a.write(bytes(10_000)) == 2880
    assert pair.a.write(b"x") == 0
    pair.clock.advance(0.124)
    assert pair.at_a.writable == 0
    pair.clock.advance(0.002)
    assert pair.at_a.writable == 1
    assert pair.a.write(bytes(10_000)) >= 1440
    pair.clock.advance(10)
    assert pair.at_a.writable == 2


@given(st.binary(max_size=2000), st.lists(st.booleans(), max_size=20))
def test_nothing_is_lost_however_reading_is_paused(data: bytes, pauses: list[bool]) -> None:
    pair = Pair(LineSettings(baudrate=115200, rtscts=True), fifo=64)
    pair.a.write(data)
    for pause in pauses:
        (pair.b.pause_reading if pause else pair.b.resume_reading)()
        pair.clock.advance(0.01)
    pair.b.resume_reading()
    pair.clock.advance(2)
    assert pair.at_b.data == data


@pytest.mark.parametrize(
    "settings", [LineSettings(rtscts=True), LineSettings(ixon=True, ixoff=True)]
)
def test_flow_control_stops_the_sender_when_the_reader_pauses(settings: LineSettings) -> None:
    pair = Pair(settings, fifo=64)
    pair.b.watch(signals=False, errors=True)
    pair.b.pause_reading()
    pair.a.write(b"." * 200)
    pair.clock.advance(10)
    assert 200 - 64 <= pair.a.unsent() < 200
    pair.b.resume_reading()
    pair.clock.advance(10)
    assert pair.at_b.data == b"." * 200
    assert pair.at_b.errors == []


def test_without_flow_control_the_fifo_overruns() -> None:
    pair = Pair(fifo=64)
    pair.b.watch(signals=False, errors=True)
    pair.b.pause_reading()
    pair.a.write(bytes(range(200)))
    pair.clock.advance(10)
    pair.b.resume_reading()
    pair.clock.advance(0)
    assert pair.at_b.data == bytes(range(64))
    assert pair.at_b.errors[-1] == LineErrors(overrun=136)


def test_xoff_is_data_for_who_does_not_obey_it() -> None:
    line = SimLine(FakeClock())
    clock = line.clock
    assert isinstance(clock, FakeClock)
    heard = Recorder()
    line.events = heard
    line.receive(b"a\x13b")
    clock.advance(0)
    assert heard.data == b"a\x13b"
    line.configure(LineSettings(ixon=True))
    line.receive(b"c\x13d")
    clock.advance(0)
    line.write(b"held")
    clock.advance(1)
    assert heard.data == b"a\x13bcd"
    assert line.sent == b""
    line.receive(b"\x11")
    clock.advance(1)
    assert line.sent == b"held"


def test_a_null_modem_crosses_the_lines() -> None:
    pair = Pair()
    pair.b.watch(signals=True, errors=False)
    assert pair.b.signals() == Signal.DTR | Signal.RTS | QUIET
    pair.a.set_signals(NONE, Signal.RTS)
    pair.clock.advance(0)
    pair.a.set_signals(Signal.RTS, Signal.DTR)
    pair.clock.advance(0)
    assert pair.at_b.signals == [Signal.DSR | Signal.CD, Signal.CTS]
    assert pair.a.signals() == Signal.RTS | QUIET
    assert pair.b.signals() == Signal.DTR | Signal.RTS | Signal.CTS
    pair.b.watch(signals=False, errors=False)
    pair.a.set_signals(Signal.DTR, NONE)
    pair.clock.advance(0)
    assert len(pair.at_b.signals) == 2


def test_cts_holds_output_only_under_rtscts() -> None:
    pair = Pair()
    pair.b.set_signals(NONE, Signal.RTS)
    pair.send(b"free")
    assert pair.at_b.data == b"free"
    pair.a.configure(LineSettings(rtscts=True))
    pair.a.write(b" held")
    pair.clock.advance(1)
    assert pair.at_b.data == b"free"
    pair.b.set_signals(Signal.RTS, NONE)
    pair.clock.advance(1)
    assert pair.at_b.data == b"free held"


def test_a_break_is_a_nul_and_a_count_and_holds_output() -> None:
    pair = Pair()
    pair.b.watch(signals=False, errors=True)
    pair.a.set_break(True)
    pair.a.write(b"after")
    pair.clock.advance(1)
    assert pair.at_b.data == b"\0"
    assert pair.at_b.errors == [LineErrors(break_=1)]
    pair.a.set_break(False)
    pair.clock.advance(1)
    assert pair.at_b.data == b"\0after"


def test_unequal_settings_are_heard_as_a_uart_hears_them() -> None:
    pair = Pair()
    pair.b.watch(signals=False, errors=True)
    pair.b.configure(LineSettings(bytesize=7, parity=Parity.EVEN))
    pair.send(b"ABC")
    assert pair.at_b.data == b"ABC"
    assert pair.at_b.errors == [LineErrors(parity=1)]
    pair.b.configure(LineSettings(baudrate=19200))
    pair.send(bytes(8))
    assert pair.at_b.errors[-1].framing == 8
    pair.a.configure(LineSettings(bytesize=7))
    pair.b.configure(LineSettings(bytesize=7))
    pair.at_b.data.clear()
    pair.send(b"\xc1\x41")
    assert pair.at_b.data == b"AA"


def test_injected_parity_errors_are_counted_and_the_bytes_kept() -> None:
    pair = Pair()
    pair.b.receiver.inject_parity_errors(2)
    pair.send(b"a")
    pair.b.watch(signals=False, errors=True)
    pair.send(b"bc")
    assert pair.at_b.data == b"abc"
    assert pair.at_b.errors == [LineErrors(parity=2)]


def test_purges() -> None:
    pair = Pair(fifo=64)
    pair.b.pause_reading()
    pair.a.write(b"x" * 20)
    pair.clock.advance(1)
    pair.b.purge(Purge.RX)
    pair.b.resume_reading()
    pair.a.write(bytes(300))
    times, note = moments(pair.clock)
    pair.a.drain(note)
    pair.a.purge(Purge.TX)
    assert pair.a.unsent() == 0
    pair.clock.advance(1)
    assert times == [1.0]
    assert pair.at_a.writable == 1
    assert pair.at_b.data == b""


def test_without_modem_lines_outputs_are_remembered_and_inputs_are_assumed() -> None:
    clock = FakeClock()
    bare = Capabilities(False, False, False, False)
    line = SimLine(clock, heard := Recorder(), capabilities=bare)
    line.watch(signals=True, errors=True)
    line.set_inputs(NONE, QUIET)
    line.receive_break()
    clock.advance(0)
    line.set_signals(NONE, Signal.DTR)
    assert line.signals() == Signal.RTS | QUIET
    assert heard.signals == []
    assert heard.errors == []


def test_a_refused_setting_stays_as_it_was() -> None:
    line = SimLine(FakeClock())
    line.refused.add(("parity", Parity.MARK))
    line.configure(LineSettings(baudrate=19200, parity=Parity.MARK))
    assert line.settings() == LineSettings(baudrate=19200)


def test_unplugging_is_told_once_and_later_and_ends_everything() -> None:
    pair = Pair()
    pair.b.watch(signals=True, errors=False)
    pair.a.write(bytes(100))
    drained: list[bool] = []
    pair.a.drain(lambda: drained.append(True))
    pair.a.unplug()
    pair.a.unplug()
    assert pair.at_a.lost == []
    pair.clock.advance(1)
    cause = pair.at_a.lost[0]
    assert cause is not None
    assert cause.errno == errno.ENODEV
    assert len(pair.at_a.lost) == 1
    assert drained == [True]
    assert pair.a.write(b"x") == 0
    assert pair.at_b.signals == [NONE]
    assert pair.at_b.data == b""
    pair.a.configure(LineSettings(4800))
    assert pair.a.settings() == LineSettings(4800)
    assert pair.clock.pending() == 0


@pytest.mark.parametrize(
    "call",
    [
        lambda line: line.write(b"x"),
        lambda line: line.unsent(),
        lambda line: line.signals(),
        lambda line: line.set_signals(Signal.DTR, NONE),
        lambda line: line.set_break(True),
        lambda line: line.purge(Purge.BOTH),
        lambda line: line.drain(lambda: None),
        lambda line: line.watch(signals=True, errors=True),
    ],
)
def test_the_nth_call_can_fail(call: Callable[[SimLine], object]) -> None:
    clock = FakeClock()
    line = SimLine(clock, heard := Recorder())
    line.driver.fail_call(2)
    line.unsent()
    clock.advance(0)
    assert heard.lost == []
    call(line)
    clock.advance(0)
    assert len(heard.lost) == 1
    assert heard.lost[0] is not None
    assert heard.lost[0].errno == errno.EIO


def test_a_failing_configure_remembers_what_was_asked_for() -> None:
    clock = FakeClock()
    line = SimLine(clock, heard := Recorder())
    line.driver.fail_call()
    line.configure(LineSettings(baudrate=50))
    assert line.settings() == LineSettings(baudrate=50)
    clock.advance(0)
    assert len(heard.lost) == 1


def test_a_driver_that_takes_its_time_does_things_in_their_order() -> None:
    line = SimLine(clock := FakeClock())
    line.driver.sleep()
    done: list[str] = []
    for name, pending in (
        ("settings", line.configure(LineSettings(50))),
        ("signals", line.set_signals(NONE, Signal.DTR)),
        ("look", line.refresh()),
    ):
        assert pending is not None
        pending.then(lambda name=name: done.append(name))  # type: ignore[misc]
    assert (line.settings(), line.driver.begun, done) == (LineSettings(), 3, [])
    line.driver.wake()
    assert (line.settings(), line.driver.begun, done) == (LineSettings(50), 2, ["settings"])
    assert Signal.DTR in line.signals()
    line.unplug()
    clock.advance(0)
    assert (line.driver.begun, done) == (0, ["settings", "signals", "look"])


def test_bytes_wait_until_somebody_listens() -> None:
    clock = FakeClock()
    line = SimLine(clock)
    line.receive(b"early")
    clock.advance(1)
    line.events = heard = Recorder()
    clock.advance(0)
    assert heard.data == b"early"


def test_nothing_is_told_after_close() -> None:
    pair = Pair()
    pair.b.watch(signals=True, errors=True)
    closed: list[bool] = []
    pair.b.write(bytes(300))
    pair.b.drain(lambda: closed.append(False))
    pair.b.close(lambda: closed.append(True))
    pair.send(b"into the void")
    pair.a.set_signals(NONE, Signal.DTR)
    pair.clock.advance(1)
    assert closed == [True]
    assert vars(pair.at_b) == vars(Recorder())
