"""The device goes and comes back under a session."""

from __future__ import annotations

import errno
import logging

import pytest

from gatewayd.comport.wire import Command
from gatewayd.config.schema import OnUnplug
from gatewayd.line.model import Capabilities, LineSettings, Signal, SignalPolicies, SignalPolicy
from gatewayd.log import Happening
from gatewayd.port.phase import Phase
from tests.logged import happenings
from tests.port.desk import FAST, Desk
from tests.port.wire import (
    ASK_DATASIZE,
    IS_DATASIZE_8,
    PURGE_TX,
    RESUME,
    SUSPEND,
    answer,
    ask,
    notify,
)

BREAK_ON, DTR_OFF, DTR_QUERY = 5, 9, 7
GONE = notify(0x0B)
"""CTS, DSR and CD have dropped."""
BACK = notify(0xBB)


def test_the_session_stays_and_sees_the_modem_lines_drop_and_come_back() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.unplug()
    assert client.gets() == GONE
    assert not client.is_closed()
    desk.passes(3600)
    desk.plug()
    assert client.gets() == BACK
    desk.line.receive(b"hello again")
    client.sends(b"hello")
    desk.passes(1)
    assert client.gets() == b"hello again"
    assert desk.line.sent == b"hello"


def test_the_modem_lines_are_told_as_they_are_now_when_the_device_is_back() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.unplug()
    client.gets()
    desk.plug(inputs=Signal.CTS)
    assert client.gets() == notify(0x11)


def test_a_client_that_masks_them_is_not_told() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_MODEMSTATE_MASK, 0))
    client.gets()
    desk.unplug()
    desk.plug()
    assert client.gets() == b""


def test_modem_lines_and_errors_are_watched_on_the_new_line_too() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_LINESTATE_MASK, 0x10))
    desk.unplug()
    desk.plug()
    client.gets()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.line.receive_break()
    desk.passes(0)
    assert client.gets() == notify(0xA1) + answer(Command.NOTIFY_LINESTATE, 0x10) + b"\0"


def test_the_clients_settings_are_applied_again() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 19200) + ask(Command.SET_PARITY, 3))
    desk.unplug()
    assert str(desk.plug().settings()) == "19200 8E1"


def test_what_is_set_while_the_device_is_away_is_set_when_it_comes() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.unplug()
    client.gets()
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    assert client.gets() == answer(Command.SET_BAUDRATE, 19200)
    assert desk.plug().settings().baudrate == 19200


def test_dtr_rts_and_break_are_applied_again() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, DTR_OFF) + ask(Command.SET_CONTROL, BREAK_ON))
    desk.unplug()
    desk.plug()
    assert desk.line.signals() & (Signal.DTR | Signal.RTS) == Signal.RTS
    assert [on for _, on in desk.line.breaks] == [True]
    client.gets()
    client.sends(ask(Command.SET_CONTROL, DTR_QUERY))
    assert client.gets() == answer(Command.SET_CONTROL, DTR_OFF)


def test_outputs_that_are_not_the_clients_are_not_touched() -> None:
    desk = Desk(signals=SignalPolicies(dtr=SignalPolicy.KEEP))
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, DTR_OFF))
    desk.unplug()
    assert Signal.DTR in desk.plug().signals()


def test_a_suspension_holds_on_the_new_line() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND)
    desk.unplug()
    desk.plug()
    assert not desk.line.is_read()
    desk.line.receive(b"held")
    client.sends(RESUME)
    desk.passes(0)
    assert client.gets() == GONE + BACK + b"held"


def test_requests_of_a_client_are_answered_while_the_device_is_away() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.unplug()
    client.gets()
    client.sends(b"lost" + ASK_DATASIZE + PURGE_TX)
    assert client.gets() == IS_DATASIZE_8 + answer(Command.PURGE_DATA, 2)
    assert desk.port.leftover.discarded == 4


def test_requests_that_waited_for_the_line_are_answered_when_it_goes() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x" * 5000 + ask(Command.SET_BAUDRATE, 19200))
    assert client.gets() == b""
    desk.unplug()
    assert client.gets() == answer(Command.SET_BAUDRATE, 19200) + GONE
    assert desk.port.leftover.discarded == 5000 - 2880
    assert desk.plug().settings().baudrate == 19200


def test_a_client_that_was_not_read_is_read_again_when_the_line_goes() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    while client.is_read():
        client.sends(bytes(65536))
    desk.unplug()
    assert client.is_read()


def test_on_unplug_close_ends_the_session_with_the_device() -> None:
    desk = Desk(on_unplug=OnUnplug(0))
    client = desk.raw()
    desk.line.receive(b"last words")
    desk.passes(0)
    desk.unplug()
    assert client.is_closed()
    assert client.gets() == b"last words"
    assert desk.port.owner is None


def test_on_unplug_hold_for_ends_the_session_after_its_time() -> None:
    desk = Desk(on_unplug=OnUnplug(30))
    client = desk.raw()
    desk.unplug()
    desk.passes(29.9)
    assert not client.is_closed()
    desk.passes(0.2)
    assert client.is_closed()


def test_a_device_that_is_back_in_time_keeps_the_session() -> None:
    desk = Desk(on_unplug=OnUnplug(30))
    client = desk.raw()
    desk.unplug()
    desk.passes(29)
    desk.plug()
    desk.passes(3600)
    assert not client.is_closed()


def test_each_unplug_has_its_own_time() -> None:
    desk = Desk(on_unplug=OnUnplug(30))
    client = desk.raw()
    for _ in range(3):
        desk.unplug()
        desk.passes(20)
        desk.plug()
    assert not client.is_closed()


def test_the_time_of_a_session_that_went_is_not_the_next_ones() -> None:
    desk = Desk(on_unplug=OnUnplug(30))
    first = desk.raw()
    desk.unplug()
    desk.passes(20)
    first.goes()
    desk.plug()
    second = desk.raw()
    desk.unplug()
    desk.passes(20)
    assert not second.is_closed()


def test_a_device_that_may_be_another_one_ends_the_session() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    desk.unplug()
    desk.plug(same_device=False)
    assert client.is_closed()
    assert desk.port.owner is None
    assert desk.line.settings() == desk.port.config.line


def test_trust_path_goes_on_with_it() -> None:
    desk = Desk(trust_path=True)
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    desk.unplug()
    assert desk.plug(same_device=False).settings().baudrate == 19200
    assert not client.is_closed()


def test_a_client_that_goes_while_the_device_is_away_leaves_nothing_of_its_settings() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    desk.unplug()
    client.goes()
    assert desk.plug().settings() == desk.port.config.line


def test_the_loss_is_in_the_log_and_in_the_counters(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    desk = Desk()
    desk.raw()
    lost: list[Phase] = []
    desk.port.on_lost = lambda: lost.append(desk.port.phase)
    desk.unplug()
    assert happenings(caplog).count(Happening.DEVICE_LOST) == 1
    assert "unplugged" in caplog.text
    assert desk.port.counters.losses == 1
    assert lost == [Phase.ABSENT]


def test_what_a_line_lacks_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    none = Capabilities(modem_lines=False, modem_events=False, error_counts=False, framing=False)
    desk = Desk(plugged=False)
    desk.plug(capabilities=none)
    desk.unplug()
    desk.plug(capabilities=none)
    limited = [r for r in caplog.records if vars(r)["happening"] is Happening.LINE_LIMITED]
    assert len(limited) == 1
    assert "modem lines" in limited[0].getMessage()


def test_a_device_that_is_back_gets_no_byte_before_it_is_set_as_it_was() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, DTR_OFF))
    desk.unplug()
    desk.tries()
    desk.opens(settings=LineSettings(), slow=True)
    client.sends(b"early")
    desk.passes(1)
    assert desk.line.sent == b""
    desk.line.driver.wake()
    desk.passes(1)
    assert desk.line.sent == b""
    desk.line.driver.wake()
    desk.passes(1)
    assert Signal.DTR not in desk.line.signals()
    assert desk.line.settings() == FAST
    assert desk.line.sent == b"early"


def test_a_device_that_goes_before_it_is_set_as_it_was_is_set_so_the_next_time() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, DTR_OFF))
    client.sends(ask(Command.SET_BAUDRATE, 19200))
    desk.passes(1)
    wanted = desk.line.settings()
    assert wanted.baudrate == 19200
    desk.unplug()
    desk.tries()
    desk.opens(settings=LineSettings(), slow=True)
    assert desk.line.driver.begun == 1
    desk.unplug()
    desk.plug()
    assert desk.line.settings() == wanted
    assert Signal.DTR not in desk.line.signals()


def test_a_device_that_does_not_answer_is_stuck_and_the_session_stays() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.unplug(TimeoutError(errno.ETIMEDOUT, "the driver does not come back"))
    desk.passes(0)
    assert desk.port.phase is Phase.STUCK
    assert desk.port.cause == "the driver does not come back"
    assert client.gets() == GONE
    desk.plug()
    assert client.gets() == BACK
