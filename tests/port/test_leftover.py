"""What a session leaves for a line that does not take it."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest

from gatewayd.comport.wire import Command
from gatewayd.line.model import LineSettings
from gatewayd.log import Happening
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.leftover import STALL_S
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.telnet.constants import Option
from tests.logged import happenings
from tests.port.desk import Client, Desk
from tests.port.wire import answer, ask, will


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
    desk.passes(STALL_S - 3)
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


@pytest.mark.parametrize("end", [Client.goes, Client.ends_its_side])
@pytest.mark.parametrize("pause", [0.0, 0.5, 3.0])
def test_the_next_client_has_its_first_answer_before_it_gives_up(
    end: Callable[[Client], None], pause: float
) -> None:
    desk = Desk()
    first = desk.raw()
    desk.stop_line()
    first.sends(b"x" * 300)
    end(first)
    desk.passes(pause)
    second = desk.client(TelnetSession)
    request = ask(Command.SET_BAUDRATE, 19200)
    second.received.clear()
    waits = 0.0
    while not second.is_read():
        desk.passes(0.1)
        waits += 0.1
    second.sends(will(Option.COM_PORT) + request)
    while answer(Command.SET_BAUDRATE, 19200) not in second.received:
        desk.passes(0.1)
        waits += 0.1
        assert waits < 2
    assert desk.port.leftover.discarded == 300


def test_a_slow_line_has_its_time_though_the_next_client_is_there() -> None:
    desk = Desk(line=LineSettings(baudrate=50))
    first = desk.raw()
    first.sends(b"x" * 60)
    first.goes()
    second = desk.raw()
    second.sends(b"second")
    desk.passes(60 * 10 / 50 + 10)
    assert desk.line.sent == b"x" * 60 + b"second"
    assert desk.port.leftover.discarded == 0
