"""Com Port Control in a session: when requests act, when they are answered, and what is told."""

from __future__ import annotations

import logging

import pytest

from gatewayd.comport.wire import ANSWER, Command
from gatewayd.line.model import Capabilities, Signal, SignalPolicies, SignalPolicy
from gatewayd.log import Happening
from gatewayd.port.outbox import ACTION_WEIGHT
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.telnet_session import LOOK_AHEAD_BYTES, TelnetSession
from gatewayd.telnet.constants import Command as Telnet
from gatewayd.telnet.constants import Option
from tests.port.desk import FAST, SINCE, Client, Desk
from tests.port.wire import (
    ASK_DATASIZE,
    IS_DATASIZE_8,
    LEVELS,
    PURGE_RX,
    PURGE_TX,
    RESUME,
    SUSPEND,
    answer,
    ask,
    command,
    notify,
    sub,
    will,
    wont,
)

BREAK_ON, BREAK_OFF, DTR_ON, DTR_OFF = 5, 6, 8, 9


def asked(client: Client, request: bytes) -> bytes:
    """What the client gets for a request on an idle line."""
    client.sends(request)
    return client.gets()


# ---- agreement


def test_the_first_notification_follows_the_agreement_at_once() -> None:
    desk = Desk()
    client = desk.telnet()
    client.sends(will(Option.COM_PORT))
    assert client.gets() == notify(LEVELS)


def test_the_first_notification_comes_on_a_line_without_modem_lines_too() -> None:
    desk = Desk(plugged=False)
    desk.plug(capabilities=Capabilities(modem_lines=False, modem_events=False))
    client = desk.telnet()
    client.sends(will(Option.COM_PORT))
    assert client.gets() == notify(LEVELS)


def test_another_notification_follows_the_mask() -> None:
    client = Desk().agreed()
    mask = asked(client, ask(Command.SET_MODEMSTATE_MASK, 0x80))
    assert mask == answer(Command.SET_MODEMSTATE_MASK, 0x80) + notify(0x80)


def test_requests_before_the_agreement_do_nothing() -> None:
    desk = Desk()
    client = desk.telnet()
    before = desk.line.settings()
    assert asked(client, ask(Command.SET_BAUDRATE, 1200)) == b""
    assert desk.line.settings() == before


def test_requests_while_com_port_is_off_again_are_ignored_and_on_again_they_are_not() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(wont(Option.COM_PORT))
    client.gets()
    assert asked(client, ask(Command.SET_BAUDRATE, 1200)) == b""
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.gets() == b""
    client.sends(will(Option.COM_PORT))
    assert notify(LEVELS & ~0x10) in client.gets()
    baudrate = asked(client, ask(Command.SET_BAUDRATE, 1200))
    assert baudrate == answer(Command.SET_BAUDRATE, 1200)


@pytest.mark.parametrize("option", [Option.BINARY, Option.SUPPRESS_GO_AHEAD])
@pytest.mark.parametrize("what", [Command.SET_BAUDRATE, Command.FLOWCONTROL_SUSPEND])
def test_a_subnegotiation_of_another_option_is_no_request(option: Option, what: Command) -> None:
    desk = Desk()
    client = desk.agreed()
    before = desk.line.settings()
    request = ask(what, 1200 if what is Command.SET_BAUDRATE else 0)
    assert asked(client, request[:2] + bytes((option,)) + request[3:]) == b""
    assert desk.line.settings() == before
    desk.device_sends(b"still told")
    assert client.gets() == b"still told"


def test_a_client_that_said_only_do_com_port_has_agreed_with_its_first_request() -> None:
    client = Desk().telnet()
    client.sends(bytes((255, Telnet.DO, Option.COM_PORT)))
    client.gets()
    assert asked(client, ASK_DATASIZE) == notify(LEVELS) + IS_DATASIZE_8


def test_the_clients_signature_is_logged_and_asks_for_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    client = Desk().agreed()
    text = sub(Option.COM_PORT, b"\0visa-thing 1.0")
    assert asked(client, text) == b""
    assert "visa-thing 1.0" in caplog.text


def test_a_signature_is_logged_once_a_session_and_cleaned(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    client = Desk().agreed()
    before = len(caplog.messages)
    for number in range(100):
        assert asked(client, sub(Option.COM_PORT, b"\0\x1b[2J\n%d" % number + b"x" * 900)) == b""
    (told,) = caplog.messages[before:]
    assert told.isprintable()
    assert len(told) < 400
    assert "0xxx" in told


def test_the_servers_signature_names_the_port() -> None:
    client = Desk().agreed()
    signature = asked(client, sub(Option.COM_PORT, b"\0"))
    assert signature.startswith(b"\xff\xfa\x2c" + bytes((ANSWER,)) + b"gatewayd ")
    assert b"psu1" in signature


# ---- order


def test_a_request_acts_after_the_bytes_before_it_and_before_those_behind_it() -> None:
    desk = Desk()
    client = desk.agreed()
    fast = desk.line.settings().bytes_per_second
    client.sends(b"x" * 1000 + ask(Command.SET_BAUDRATE, 1200) + b"y" * 12)
    desk.passes(990 / fast)
    assert desk.line.settings().baudrate == 115200
    assert client.gets() == b""
    desk.passes(20 / fast)
    assert desk.line.settings().baudrate == 1200
    assert client.gets() == answer(Command.SET_BAUDRATE, 1200)
    desk.passes(0.05)
    assert 0 < desk.line.sent.count(b"y") < 12
    desk.passes(0.1)
    assert desk.line.sent == b"x" * 1000 + b"y" * 12


def test_the_answer_to_any_request_is_a_drain_barrier() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"data" + ASK_DATASIZE)
    desk.passes(60)
    assert client.gets() == b""
    desk.let_line_go()
    desk.passes(1)
    assert client.gets() == IS_DATASIZE_8


def test_answers_keep_the_order_of_the_requests_in_one_segment() -> None:
    client = Desk().agreed()
    requests = [
        (Command.SET_PARITY, 1),
        (Command.PURGE_DATA, 3),
        (Command.SET_CONTROL, DTR_ON),
        (Command.SET_BAUDRATE, 9600),
        (Command.SET_LINESTATE_MASK, 0),
        (Command.SET_STOPSIZE, 1),
        (Command.PURGE_DATA, 1),
        (Command.SET_DATASIZE, 8),
    ]
    client.sends(b"".join(ask(*request) for request in requests))
    assert client.gets() == b"".join(answer(*request) for request in requests)


def test_a_burst_of_settings_is_one_change_of_the_line() -> None:
    desk = Desk()
    client = desk.agreed()
    settings = [
        (Command.SET_BAUDRATE, 19200),
        (Command.SET_DATASIZE, 7),
        (Command.SET_PARITY, 3),
        (Command.SET_STOPSIZE, 2),
    ]
    before = len(desk.line.configured)
    client.sends(b"".join(ask(*setting) for setting in settings))
    assert len(desk.line.configured) == before + 1
    assert str(desk.line.settings()) == "19200 7E2"


def test_settings_with_data_between_them_are_two_changes() -> None:
    desk = Desk()
    client = desk.agreed()
    before = len(desk.line.configured)
    client.sends(ask(Command.SET_DATASIZE, 7) + b"x" + ask(Command.SET_PARITY, 3))
    desk.passes(1)
    assert len(desk.line.configured) == before + 2


def test_a_setting_changes_what_may_wait_for_the_line() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_BAUDRATE, 1_000_000))
    assert desk.port.settling.window == 25_000
    client.sends(ask(Command.SET_BAUDRATE, 300))
    assert desk.port.settling.window == 256


# ---- PURGE-DATA


def test_a_purge_is_done_at_once_also_behind_200_kb_for_a_line_that_is_stuck() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    for _ in range(4):
        client.sends(b"x" * 50_000)
    assert client.is_read()
    client.sends(PURGE_TX)
    desk.passes(0)
    assert client.gets() == answer(Command.PURGE_DATA, 2)
    desk.let_line_go()
    client.sends(b"fresh")
    desk.passes(60)
    assert desk.line.sent == b"fresh"
    assert desk.port.leftover.discarded == 200_000 - 2880


def test_the_answer_to_a_purge_keeps_its_place() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x" + ASK_DATASIZE + PURGE_RX)
    desk.passes(1)
    assert client.gets() == b""
    desk.let_line_go()
    desk.passes(1)
    assert client.gets() == IS_DATASIZE_8 + answer(Command.PURGE_DATA, 1)


def test_a_purge_of_what_was_received_leaves_what_is_to_be_sent() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(b"to the device" + PURGE_RX)
    desk.passes(1)
    assert desk.line.sent == b"to the device"


def test_a_purge_before_the_agreement_throws_nothing_away() -> None:
    desk = Desk()
    client = desk.telnet()
    client.sends(b"data" + PURGE_TX)
    desk.passes(1)
    assert desk.line.sent == b"data"


# ---- what the modem lines and the receiver tell


def test_a_modem_line_that_changes_is_told_at_once() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.gets() == notify(LEVELS & ~0x10 | 0x01)


def test_modem_lines_are_watched_only_while_the_mask_asks() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_MODEMSTATE_MASK, 0))
    client.gets()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.gets() == b""


def test_a_break_from_the_device_is_told_when_the_mask_asks() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_LINESTATE_MASK, 0x10))
    client.gets()
    desk.line.receive_break()
    desk.passes(0)
    assert client.gets() == answer(Command.NOTIFY_LINESTATE, 0x10) + b"\0"


def test_errors_are_not_told_unless_asked_for() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.receive_break()
    desk.passes(0)
    assert client.gets() == b"\0"


def test_a_client_with_much_to_take_is_told_later_and_once_what_changed() -> None:
    desk = Desk()
    client = desk.agreed()
    client.room = 0
    desk.device_sends(bytes(HIGH_BYTES + 1))
    for _ in range(1000):
        desk.line.set_inputs(Signal.NONE, Signal.CTS)
        desk.passes(0)
        desk.line.set_inputs(Signal.CTS, Signal.DSR)
        desk.passes(0)
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.most_kept == HIGH_BYTES + 1
    client.takes(float("inf"))
    desk.passes(0)
    assert client.gets() == bytes(HIGH_BYTES + 1) + notify(0x83)


# ---- outputs and break


@pytest.mark.parametrize(
    ("policy", "moves"),
    [(SignalPolicy.CLIENT, True), *((p, False) for p in SignalPolicy if p.value != "client")],
)
def test_dtr_is_the_clients_by_policy_and_acknowledged_in_any_case(
    policy: SignalPolicy, moves: bool
) -> None:
    desk = Desk(signals=SignalPolicies(dtr=policy))
    client = desk.agreed()
    before = desk.line.signals()
    assert asked(client, ask(Command.SET_CONTROL, DTR_OFF)) == answer(Command.SET_CONTROL, DTR_OFF)
    assert (desk.line.signals() != before) == moves
    assert Signal.RTS in desk.line.signals()


def test_connecting_and_leaving_move_neither_dtr_nor_rts() -> None:
    desk = Desk()
    before = desk.line.signals()
    client = desk.agreed()
    assert desk.line.signals() == before
    client.goes()
    desk.passes(1)
    assert desk.line.signals() == before


def test_brk_during_a_break_of_the_client_does_not_end_it() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, BREAK_ON) + command(Telnet.BRK))
    desk.passes(1)
    assert [on for _, on in desk.line.breaks] == [True]
    client.sends(ask(Command.SET_CONTROL, BREAK_OFF))
    assert [on for _, on in desk.line.breaks] == [True, False]


def test_what_was_sent_during_a_break_does_not_keep_it_from_ending() -> None:
    # The line sends nothing meanwhile.
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, BREAK_ON) + b"during")
    desk.passes(1)
    assert desk.line.breaking
    assert desk.line.sent == b""
    client.gets()
    client.sends(ask(Command.SET_CONTROL, BREAK_OFF) + b"after")
    desk.passes(1)
    assert client.gets() == answer(Command.SET_CONTROL, BREAK_OFF)
    assert desk.line.sent == b"duringafter"
    assert [on for _, on in desk.line.breaks] == [True, False]


def test_the_end_of_a_break_that_is_still_to_begin_keeps_its_place() -> None:
    desk = Desk()
    client = desk.agreed()
    ON, OFF = (ask(Command.SET_CONTROL, value) for value in (BREAK_ON, BREAK_OFF))
    client.sends(b"before" + ON + OFF + b"after" + ON)
    desk.passes(1)
    assert desk.line.sent == b"beforeafter"
    assert [on for _, on in desk.line.breaks] == [True, False, True]


def test_a_break_ends_with_its_session() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_CONTROL, BREAK_ON))
    client.goes()
    desk.passes(1)
    assert [on for _, on in desk.line.breaks] == [True, False]


@pytest.mark.parametrize("before", [b"", b"x" * 2000], ids=["at once", "behind bytes"])
def test_a_break_ends_when_its_client_closes_its_side(before: bytes) -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(before + ask(Command.SET_CONTROL, BREAK_ON))
    client.ends_its_side()
    for _ in range(10):
        # So that it stays.
        desk.line.receive(b"chatter")
        desk.passes(0.5)
    assert desk.port.owner is client.session
    assert [on for _, on in desk.line.breaks] == [True, False]


# ---- floods, and the device that goes


def test_a_flood_of_requests_behind_a_stuck_line_is_bounded() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.stop_line()
    client.sends(b"x")
    chunk = ASK_DATASIZE * 1000
    sent = 0
    while client.is_read():
        client.sends(chunk)
        sent += 1000
        assert sent * ACTION_WEIGHT < LOOK_AHEAD_BYTES + 2 * ACTION_WEIGHT * 1000
    desk.let_line_go()
    desk.passes(1)
    assert client.is_read()
    assert client.gets() == IS_DATASIZE_8 * sent


def test_a_request_that_finds_the_device_gone_is_answered_and_kept_for_its_return() -> None:
    desk = Desk()
    client = desk.agreed()
    # Asking finds the settings, changing them finds the device gone.
    desk.line.driver.fail_call(1)
    client.sends(ask(Command.SET_BAUDRATE, 1200))
    assert client.gets().startswith(answer(Command.SET_BAUDRATE, 1200))
    client.sends(ask(Command.SET_DATASIZE, 7))
    desk.passes(1)
    assert str(desk.port.settling.wanted) == "1200 7N1"
    desk.plug()
    assert str(desk.line.settings()) == "1200 7N1"


# ---- hand-over


def test_a_session_goes_on_in_another_process_as_it_was() -> None:
    before = Desk()
    client = before.agreed()
    client.sends(ask(Command.SET_MODEMSTATE_MASK, 0x10) + ask(Command.SET_CONTROL, DTR_OFF))
    client.sends(SUSPEND)
    before.line.receive(b"")
    client.sends(ASK_DATASIZE + b"\xff")
    client.gets()

    desk = Desk()
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    heir = TelnetSession(desk.port, client, number=7, peername="192.0.2.7:1", since=SINCE)
    heir.restore(client.session.snapshot())
    desk.passes(0)
    assert client.gets() == b""
    assert not desk.line.is_read()
    heir.receive(b"\xff" + RESUME)
    desk.passes(1)
    assert desk.line.sent == b"\xff"
    assert client.gets() == IS_DATASIZE_8 + notify(0)
    heir.receive(ask(Command.SET_CONTROL, 7))
    assert client.gets() == answer(Command.SET_CONTROL, DTR_OFF)


def test_each_violation_of_com_port_is_reported(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    client = Desk().agreed()
    client.sends(sub(Option.COM_PORT, b"\x01\x00"))
    assert vars(caplog.records[-1])["happening"] is Happening.PROTOCOL_VIOLATION
    assert "SET_BAUDRATE" in caplog.records[-1].getMessage()


# ---- a driver that takes its time


def test_an_answer_waits_until_the_driver_is_through_and_bytes_behind_it_wait_too() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.driver.sleep()
    client.sends(ask(Command.SET_BAUDRATE, 4800) + b"after")
    desk.passes(1)
    assert (client.gets(), bytes(desk.line.sent)) == (b"", b"")
    desk.line.driver.wake()
    desk.passes(1)
    assert client.gets() == answer(Command.SET_BAUDRATE, 4800)
    assert desk.line.sent == b"after"


def test_settings_and_signals_of_one_batch_are_done_and_answered_in_turn() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.driver.sleep()
    client.sends(ask(Command.SET_BAUDRATE, 4800) + ask(Command.SET_CONTROL, DTR_OFF))
    assert desk.line.driver.begun == 1
    desk.line.driver.wake()
    assert desk.line.driver.begun == 1
    desk.line.driver.wake()
    answers = answer(Command.SET_BAUDRATE, 4800) + answer(Command.SET_CONTROL, DTR_OFF)
    assert client.gets() == answers


def test_the_first_notification_comes_when_the_modem_lines_have_been_looked_at() -> None:
    desk = Desk()
    desk.line.driver.sleep()
    client = desk.telnet()
    client.sends(will(Option.COM_PORT))
    assert client.gets() == b""
    desk.line.driver.wake()
    assert client.gets() == notify(LEVELS)


def test_a_client_that_leaves_meanwhile_has_no_more_done_for_it() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.driver.sleep()
    client.sends(ask(Command.SET_BAUDRATE, 4800) + ask(Command.SET_CONTROL, DTR_OFF))
    client.goes()
    while desk.line.driver.begun:
        desk.line.driver.wake()
        desk.passes(0)
    assert Signal.DTR in desk.line.signals()
    assert desk.line.settings() == FAST


def test_a_device_that_goes_while_it_is_set_is_answered_for() -> None:
    desk = Desk()
    client = desk.agreed()
    desk.line.driver.sleep()
    client.sends(ask(Command.SET_BAUDRATE, 4800))
    desk.unplug()
    desk.passes(1)
    assert answer(Command.SET_BAUDRATE, 4800) in client.gets()
    assert desk.port.settling.wanted.baudrate == 4800
