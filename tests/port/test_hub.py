"""Who looks on sees what the line says and hears, and can do no harm."""

from __future__ import annotations

import pytest

from gatewayd.line.model import LineSettings, Signal
from gatewayd.port.event import EventKind, PortEvent
from tests.port.desk import Desk


class Notebook:
    """A tap that remembers; `broken` makes it fail."""

    def __init__(self) -> None:
        self.broken = False
        self.said = bytearray()
        self.heard = bytearray()
        self.events: list[PortEvent] = []

    def from_line(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("no ink")
        self.said += data

    def to_line(self, data: bytes) -> None:
        if self.broken:
            raise RuntimeError("no ink")
        self.heard += data

    def happened(self, event: PortEvent) -> None:
        if self.broken:
            raise RuntimeError("no ink")
        self.events.append(event)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


def test_a_tap_sees_both_ways_whether_or_not_somebody_holds_the_port() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap)
    desk.device_sends(b"boot")
    client = desk.raw()
    client.sends(b"hello")
    desk.device_sends(b"world")
    assert tap.said == b"bootworld"
    assert tap.heard == b"hello"
    assert client.gets() == b"world"
    client.goes()
    desk.device_sends(b"!")
    assert tap.said == b"bootworld!"
    assert desk.port.counters.discarded_from_device == 5


def test_a_tap_is_told_what_the_line_took_and_when() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap)
    client = desk.raw()
    client.sends(b"x" * 10_000)
    assert len(tap.heard) == desk.line.settings().unsent_limit
    desk.unplug()
    assert len(tap.heard) == desk.port.outbox.taken < 10_000
    assert EventKind.DISCARDED in tap.kinds()


def test_a_port_without_taps_gives_bytes_to_the_client_and_to_the_line_directly() -> None:
    desk, tap = Desk(), Notebook()
    session = desk.raw().session
    assert desk.port.hub.deliver == session.line_data
    assert desk.port.outbox.give == desk.line.write
    desk.port.hub.add(tap)
    assert desk.port.hub.deliver == desk.port.hub.from_line
    desk.port.hub.remove(tap)
    desk.port.hub.remove(tap)
    assert desk.port.hub.deliver == session.line_data
    assert desk.port.outbox.give == desk.line.write


@pytest.mark.parametrize("moment", ["from the line", "to the line", "event"])
def test_a_tap_that_fails_is_noted_once_and_removed_and_nobody_notices(
    moment: str, caplog: pytest.LogCaptureFixture
) -> None:
    desk, bad, good = Desk(), Notebook(), Notebook()
    client = desk.raw()
    desk.port.hub.add(bad)
    desk.port.hub.add(good)
    bad.broken = True
    if moment == "event":
        desk.raw()
    for _ in range(2):
        if moment == "to the line":
            client.sends(b"in")
        else:
            desk.device_sends(b"out")
    assert desk.port.hub.taps == (good,)
    assert client.gets() in (b"outout", b"")
    assert len(good.said + good.heard) >= 4
    assert caplog.text.count("Notebook failed") == 1


def test_a_tap_that_asks_is_told_of_modem_lines_and_errors_without_a_client() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap, signals=True, errors=True)
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.line.receiver.inject_parity_errors()
    desk.device_sends(b"x")
    signals, errors = tap.events
    assert (signals.kind, errors.kind) == (EventKind.SIGNALS, EventKind.ERRORS)
    assert signals.signals is not None
    assert Signal.CTS not in signals.signals
    assert errors.errors is not None
    assert errors.errors.parity == 1


def test_what_a_tap_asks_for_outlives_sessions_and_devices() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap, signals=True)
    desk.agreed().goes()
    desk.unplug()
    desk.plug()
    tap.events.clear()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert tap.kinds() == [EventKind.SIGNALS]
    desk.port.hub.remove(tap)
    desk.line.set_inputs(Signal.CTS)
    desk.passes(0)
    assert tap.kinds() == [EventKind.SIGNALS]


def test_a_tap_is_told_who_comes_and_goes_and_what_the_device_does() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap)
    client = desk.raw()
    desk.raw()
    desk.unplug()
    desk.plug()
    client.goes()
    wanted = [
        *(EventKind.SESSION_OPENED, EventKind.SESSION_REFUSED),
        *(EventKind.DEVICE, EventKind.DEVICE, EventKind.DEVICE),
        EventKind.SESSION_CLOSED,
    ]
    assert [kind for kind in tap.kinds() if kind is not EventKind.SETTINGS] == wanted
    assert tap.events[0].peer == "192.0.2.1:4001"
    assert tap.events[0].face == "raw"


def test_a_tap_is_told_what_the_line_is_set_to() -> None:
    desk, tap = Desk(), Notebook()
    desk.port.hub.add(tap)
    client = desk.agreed()
    client.sends(b"\xff\xfa\x2c\x01\x00\x00\x4b\x00\xff\xf0")
    settings = [event.settings for event in tap.events if event.kind is EventKind.SETTINGS]
    assert settings == [LineSettings(baudrate=19200)]
