"""FLOWCONTROL-SUSPEND and -RESUME hold data and replies alike, and nothing of the line."""

from __future__ import annotations

from gatewayd.line.model import Signal
from gatewayd.port.telnet_face import REPLY_BYTES
from gatewayd.telnet.constants import Option
from tests.port.desk import Desk
from tests.port.wire import ASK_DATASIZE, IS_DATASIZE_8, LEVELS, RESUME, SUSPEND, notify, sub, wont


def test_suspend_holds_data_and_answers_alike_and_resume_lets_them_go_in_order() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND + ASK_DATASIZE)
    desk.line.receive(b"later")
    desk.passes(60)
    assert client.gets() == b""
    client.sends(RESUME)
    desk.passes(0)
    assert client.gets() == IS_DATASIZE_8 + b"later"


def test_suspend_and_resume_are_not_answered_and_leave_the_flow_control_of_the_line() -> None:
    desk = Desk()
    client = desk.agreed()
    before = desk.line.settings(), desk.line.signals(), len(desk.line.configured)
    client.sends(SUSPEND)
    assert not desk.line.is_read()
    client.sends(RESUME)
    assert desk.line.is_read()
    assert client.gets() == b""
    assert before == (desk.line.settings(), desk.line.signals(), len(desk.line.configured))


def test_suspend_does_not_wait_for_the_line() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x" * 1000 + SUSPEND)
    assert not desk.line.is_read()


def test_data_to_the_line_goes_on_while_suspended() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND + b"data")
    desk.passes(1)
    assert desk.line.sent == b"data"


def test_switching_com_port_off_ends_a_suspension() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND)
    desk.line.receive(b"held")
    client.sends(wont(Option.COM_PORT))
    desk.passes(0)
    assert client.gets().endswith(b"held")


def test_a_suspension_ends_with_its_session() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND)
    client.goes()
    second = desk.raw()
    desk.line.receive(b"for the next one")
    desk.passes(0)
    assert second.gets() == b"for the next one"


def test_a_client_that_asks_on_and_on_while_suspended_is_sent_away() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND)
    held = 0
    while not client.aborted:
        client.sends(sub(Option.COM_PORT, b"\0") * 100)
        held += 100 * len(b"gatewayd")
        assert held < 2 * REPLY_BYTES
    assert desk.port.owner is None


def test_modem_lines_that_move_while_suspended_are_told_after_the_resume() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(SUSPEND)
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.gets() == b""
    client.sends(RESUME)
    assert client.gets() == notify(LEVELS & ~0x10 | 0x01)
