"""What a session leaves for a line that does not take it."""

from __future__ import annotations

import logging

import pytest

from gatewayd.line.model import LineSettings
from gatewayd.log import Happening
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.leftover import STALL_S
from tests.logged import happenings
from tests.port.desk import Desk


def test_leftovers_of_a_stuck_line_are_dropped_and_counted_after_a_while(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk()
    client = desk.raw()
    desk.stop_line()
    client.sends(b"x" * 10_000)
    client.goes()
    desk.passes(STALL_S - 0.1)
    assert desk.port.leftover.discarded == 0
    desk.passes(0.2)
    assert desk.port.leftover.discarded == 10_000
    assert happenings(caplog)[-1] is Happening.LINE_DISCARDED
    assert "10000 bytes" in caplog.messages[-1]
    desk.let_line_go()
    desk.passes(60)
    assert desk.line.sent == b""
    assert desk.port.outbox.empty


def test_a_slow_line_is_not_a_stuck_one() -> None:
    desk = Desk(line=LineSettings(baudrate=300))
    client = desk.raw()
    client.sends(b"x" * 1200)
    client.goes()
    desk.passes(1200 / 30 + 1)
    assert len(desk.line.sent) == 1200
    assert desk.port.leftover.discarded == 0


def test_sessions_in_between_do_not_prolong_the_wait() -> None:
    desk = Desk()
    first = desk.raw()
    desk.stop_line()
    first.sends(b"x" * 10_000)
    first.goes()
    for _ in range(3):
        desk.passes(1 - YOUNG_S)
        desk.raw().goes()
    desk.passes(STALL_S - 3.1)
    assert desk.port.leftover.discarded == 0
    desk.passes(0.2)
    assert desk.port.leftover.discarded == 10_000


def test_leftovers_of_a_stuck_line_do_not_hold_up_the_next_session_for_long() -> None:
    desk = Desk()
    first = desk.raw()
    desk.stop_line()
    first.sends(b"x" * 10_000)
    first.goes()
    second = desk.raw()
    second.sends(b"second")
    desk.passes(STALL_S + 0.1)
    assert desk.port.leftover.discarded == 10_000
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == b"second"
