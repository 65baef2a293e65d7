"""The transmitter before a UART that empties at its own speed.

A PTY takes everything at once and has no queue to ask for, so the driver's side (TIOCOUTQ,
TIOCSERGETLSR, TCFLSH) is played here, on the same clock that the transmitter looks at.
"""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Callable
from typing import cast

import pytest

from gatewayd.line import ioctls, transmit
from gatewayd.line.calls import Calls
from gatewayd.line.model import LineSettings, Purge
from gatewayd.line.pending import Pending
from gatewayd.line.transmit import Transmitter
from tests.sim.clock import FakeClock

S115200 = LineSettings(baudrate=115200)
LIMIT = S115200.unsent_limit
SPEED = S115200.bytes_per_second


class SlowCalls:
    """Calls that are made when the test says so, as the thread of a device makes them."""

    def __init__(self) -> None:
        self.begun: list[Callable[[], None]] = []

    def make(
        self,
        what: str,
        work: Callable[[], object],
        then: Callable[[object], None],
        failed: Callable[[OSError], None],
        *,
        still: bool = False,
    ) -> Pending:
        pending = Pending()

        def made() -> None:
            then(work())
            pending.finish()

        self.begun.append(made)
        return pending

    def come_back(self) -> None:
        """The call that was begun first is made."""
        self.begun.pop(0)()


class Uart:
    """A driver's queue that empties at `speed`, and the transmitter that fills it."""

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        *,
        speed: float = SPEED,
        tells_empty: bool = True,
        fifo_seconds: float = 0.0,
        has_wire: bool = True,
        calls: SlowCalls | None = None,
    ) -> None:
        self.clock = FakeClock()
        self.speed = speed
        self.tells_empty = tells_empty
        self.fifo_seconds = fifo_seconds
        self.asked = 0
        self.asked_empty = 0
        self.writable = 0
        self.failures: list[OSError] = []
        self.gone: OSError | None = None
        self._level = 0.0
        self._since = 0.0
        self._busy_until = 0.0
        monkeypatch.setattr(transmit, "monotonic", self.clock.time)
        monkeypatch.setattr(ioctls, "queued", self._queued)
        monkeypatch.setattr(ioctls, "transmitter_empty", self._transmitter_empty)
        monkeypatch.setattr(ioctls, "flush", self._flush)
        self.transmitter = Transmitter(
            self.clock,
            -1,
            self,
            self._writable,
            self.failures.append,
            cast("Calls", calls or Calls(cast("asyncio.AbstractEventLoop", None), apart=False)),
            has_wire=has_wire,
        )
        self.transmitter.set_speed(S115200)

    def level(self) -> float:
        """Bytes in the driver's queue now."""
        now = self.clock.time()
        self._level = max(self._level - (now - self._since) * self.speed, 0.0)
        self._since = now
        return self._level

    def stop(self) -> None:
        """CTS drops."""
        self.level()
        self.speed = 0.0

    def go_on(self, speed: float = SPEED) -> None:
        """CTS rises."""
        self.level()
        self.speed = speed

    # The Output

    def write(self, data: bytes | memoryview) -> bool:
        self._level = self.level() + len(data)
        if self.speed:
            self._busy_until = self.clock.time() + self._level / self.speed + self.fifo_seconds
        return True

    def get_write_buffer_size(self) -> int:
        return 0

    def discard(self) -> None:
        """Nothing is held here: the driver takes all."""

    # The ioctls

    def _queued(self, fd: int) -> int:
        if self.gone is not None:
            raise self.gone
        self.asked += 1
        return int(-(-self.level() // 1))

    def _transmitter_empty(self, fd: int) -> bool:
        if not self.tells_empty:
            raise OSError(errno.ENOTTY, "no such ioctl")
        self.asked_empty += 1
        return self.clock.time() >= self._busy_until

    def _flush(self, fd: int, which: Purge) -> None:
        assert which is Purge.TX
        self._level = 0.0

    def _writable(self) -> None:
        self.writable += 1

    def drain_time(self) -> Callable[[], float | None]:
        """Ask for a drain; the result tells when it was called back."""
        called: list[float] = []
        self.transmitter.drain(lambda: called.append(self.clock.time()))
        return lambda: called[0] if called else None


def test_a_write_within_the_limit_costs_no_ioctl(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    for _ in range(100):
        assert uart.transmitter.write(bytes(11)) == 11
        uart.clock.advance(11 / SPEED)
    assert uart.asked == 0


def test_what_waits_is_at_most_a_quarter_of_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    assert uart.transmitter.write(bytes(10_000)) == LIMIT
    assert uart.transmitter.write(bytes(10_000)) == 0
    assert uart.transmitter.unsent() == LIMIT
    for _ in range(1000):
        uart.clock.advance(0.001)
        uart.transmitter.write(bytes(100))
        assert uart.level() <= LIMIT + 1


def test_behind_what_the_driver_does_not_take_there_are_no_crumbs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """They would be writes of their own; a piece that fits goes there whole."""
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(LIMIT - 100))
    uart.transmitter.paused()
    assert uart.transmitter.write(bytes(101)) == 0
    assert uart.transmitter.write(bytes(100)) == 100
    uart.clock.advance(1)
    uart.transmitter.resumed()
    assert uart.writable == 1


def test_room_is_told_when_half_is_free_and_the_line_never_runs_dry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(10_000))
    uart.clock.advance(0.120)
    assert uart.writable == 0
    uart.clock.advance(0.010)
    assert uart.writable == 1
    assert uart.level() == pytest.approx(LIMIT / 2, abs=SPEED * 0.006)
    sent = LIMIT
    for _ in range(40):
        told = uart.writable
        sent += uart.transmitter.write(bytes(10_000))
        while uart.writable == told:
            uart.clock.advance(0.001)
            assert uart.level() > 0
    assert sent == pytest.approx(uart.clock.time() * SPEED + uart.level(), abs=2 * 11)
    # Some six looks for each 125 ms of a line that is never idle.
    assert uart.asked < 8 * uart.writable + 10


def test_a_device_without_a_baud_rate_is_not_held_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A USB gadget takes a megabyte a second, whatever the setting says."""
    uart = Uart(monkeypatch, speed=1e6)
    sent = 0
    while sent < 100_000:
        told = uart.writable
        sent += uart.transmitter.write(bytes(100_000 - sent))
        while sent < 100_000 and uart.writable == told:
            uart.clock.advance(0.001)
    assert uart.clock.time() < 100_000 / SPEED / 10


def test_a_stopped_line_is_asked_ever_more_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    uart.stop()
    assert uart.transmitter.write(bytes(10_000)) == LIMIT
    uart.clock.advance(10)
    assert uart.writable == 0
    assert uart.asked < 50
    asked = uart.asked
    uart.clock.advance(10)
    assert uart.asked - asked <= 41
    uart.go_on()
    uart.clock.advance(0.5)
    assert uart.writable == 1


def test_a_write_after_a_stop_is_still_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reckoning says idle, and the driver is asked before more than the limit goes in."""
    uart = Uart(monkeypatch)
    uart.stop()
    uart.transmitter.write(bytes(LIMIT))
    uart.clock.advance(1)
    taken = uart.transmitter.write(bytes(LIMIT + 1))
    assert taken == 0
    assert uart.level() == LIMIT


def test_drain_waits_for_queue_and_shift_register(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch, fifo_seconds=16 / SPEED)
    uart.transmitter.write(bytes(100))
    called = uart.drain_time()
    assert called() is None
    uart.clock.advance(1)
    at = called()
    assert at is not None
    assert 116 / SPEED <= at < 116 / SPEED + 0.004


def test_drain_asks_for_the_shift_register_only_after_a_write(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uart = Uart(monkeypatch)
    assert uart.drain_time()() == 0.0
    assert uart.asked_empty == 0
    uart.transmitter.write(b"x")
    uart.clock.advance(1)
    assert uart.drain_time()() == 1.0
    assert uart.asked_empty == 1
    assert uart.drain_time()() == 1.0
    assert uart.asked_empty == 1


def test_without_the_ioctl_drain_goes_by_the_baud_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """An adapter's own buffer is out of sight: the queue is empty long before the wire is."""
    uart = Uart(monkeypatch, speed=1e9, tells_empty=False)
    uart.transmitter.write(bytes(200))
    uart.clock.advance(0.001)
    assert uart.level() == 0
    called = uart.drain_time()
    uart.clock.advance(1)
    assert called() == pytest.approx(200 / SPEED, abs=0.001)


def test_drain_of_a_stopped_line_waits_without_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    uart.stop()
    uart.transmitter.write(bytes(100))
    called = uart.drain_time()
    uart.clock.advance(60)
    assert called() is None
    assert uart.asked < 60 / 0.25 + 20
    uart.go_on()
    uart.clock.advance(0.5)
    assert called() is not None


def test_purge_completes_the_drain_and_frees_the_room(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    uart.stop()
    uart.transmitter.write(bytes(10_000))
    called = uart.drain_time()
    uart.transmitter.purge()
    assert called() is None
    assert uart.writable == 0
    uart.clock.advance(0)
    assert called() == 0.0
    assert uart.writable == 1
    assert uart.transmitter.unsent() == 0


def test_an_answer_that_was_true_before_a_write_ends_no_drain(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = SlowCalls()
    uart = Uart(monkeypatch, speed=1e9, calls=calls)
    uart.transmitter.write(b"x")
    uart.clock.advance(0.001)
    called = uart.drain_time()
    assert len(calls.begun) == 1
    uart.transmitter.write(b"y")
    uart.clock.advance(1)
    # However long it takes, it is asked once.
    assert len(calls.begun) == 1
    calls.come_back()
    assert called() is None
    calls.come_back()
    assert called() is not None
    assert calls.begun == []


def test_a_purge_that_takes_its_time_holds_up_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = SlowCalls()
    uart = Uart(monkeypatch, calls=calls)
    uart.stop()
    uart.transmitter.write(bytes(10_000))
    called = uart.drain_time()
    assert uart.transmitter.purge() is not None
    uart.clock.advance(60)
    assert called() is None
    assert uart.writable == 0
    calls.come_back()
    uart.clock.advance(0)
    assert called() is not None
    assert uart.writable == 1


def test_a_device_that_goes_fails_once_asked_and_drains(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(100))
    uart.gone = OSError(errno.EIO, "unplugged")
    uart.transmitter.unsent()
    assert uart.failures == [uart.gone]


@pytest.mark.parametrize(("held", "left"), [(0, 90), (500, 500)])
def test_what_had_not_left_when_the_device_went(
    monkeypatch: pytest.MonkeyPatch, held: int, left: int
) -> None:
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(100))
    uart.clock.advance(10 / SPEED)
    uart.gone = OSError(errno.EIO, "unplugged")
    monkeypatch.setattr(uart, "get_write_buffer_size", lambda: held)
    uart.transmitter.gone()
    uart.clock.advance(10)
    uart.transmitter.gone()
    uart.transmitter.stop()
    assert uart.transmitter.unsent() == left
    assert not uart.failures


@pytest.mark.parametrize("size", [10, LIMIT])
def test_what_was_not_taken_since_the_device_went_is_not_left_there(
    monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(100))

    def goes(data: bytes | memoryview) -> bool:
        uart.transmitter.gone()
        return False

    monkeypatch.setattr(uart, "write", goes)
    assert uart.transmitter.write(bytes(size)) == 0
    assert uart.transmitter.unsent() == 100


def test_stop_forgets_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch)
    uart.transmitter.write(bytes(10_000))
    called = uart.drain_time()
    assert uart.transmitter.stop() is not None
    assert uart.transmitter.stop() is None
    assert uart.clock.pending() == 0
    uart.clock.advance(10)
    assert called() is None
    assert uart.writable == 0


def test_a_pty_is_not_slowed(monkeypatch: pytest.MonkeyPatch) -> None:
    uart = Uart(monkeypatch, speed=1e9, has_wire=False)
    for _ in range(100):
        assert uart.transmitter.write(bytes(65536)) == 65536
    assert uart.asked == 0
    uart.clock.advance(0.1)
    assert uart.drain_time()() == 0.1
