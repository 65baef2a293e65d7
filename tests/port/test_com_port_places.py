"""Com Port Control of a session whose place, line or settings become others under it."""

from __future__ import annotations

import json

import pytest

from gatewayd.comport.wire import Command
from gatewayd.line.model import Signal, SignalPolicies, SignalPolicy
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.telnet_face import REPLY_BYTES, TelnetFace
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.telnet.constants import Option, Side
from gatewayd.value import replace
from tests.port.desk import SINCE, Client, Desk, Watched
from tests.port.wire import LEVELS, answer, ask, dont, notify, will, wont

DTR_QUERY, DTR_ON, DTR_OFF, RTS_QUERY, RTS_OFF = 7, 8, 9, 10, 12


@pytest.mark.parametrize("slow", [False, True])
def test_what_was_agreed_on_the_way_in_begins_with_the_session(slow: bool) -> None:
    desk = Desk()
    client = Client()
    face = TelnetFace(client, desk.clock)
    face.welcome(Side.REMOTE, Option.COM_PORT)
    face.receive(will(Option.COM_PORT))
    if slow:
        desk.line.driver.sleep()
    session = TelnetSession(
        desk.port, client, number=1, peername="192.0.2.1:4001", since=SINCE, telnet=face
    )
    client.connects(session)
    if slow:
        desk.line.driver.wake()
    assert client.gets().endswith(notify(LEVELS))


def moves(desk: Desk, client: Client, *, only_watches: bool) -> None:
    """As the keys of the front desk do: the client leaves its place and takes another."""
    session = client.session
    desk.port.clients.leave(session)
    session.only_watches = only_watches
    desk.port.clients.arrive(session)
    desk.passes(1)
    client.gets()


def told(desk: Desk, client: Client) -> bool:
    """Whether the client is told of modem lines and of a break."""
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    dropped = client.gets()
    desk.line.set_inputs(Signal.CTS)
    desk.passes(0)
    rose = client.gets()
    desk.line.receive_break()
    desk.passes(0)
    broke = answer(Command.NOTIFY_LINESTATE, 0x10) in client.gets()
    return (dropped, rose, broke) == (notify(LEVELS & ~0x10 | 0x01), notify(LEVELS | 0x01), True)


def test_what_a_client_wants_to_be_told_goes_with_it_from_place_to_place() -> None:
    desk = Desk()
    client = desk.looks_through_glass()
    client.sends(ask(Command.SET_LINESTATE_MASK, 0x10))
    client.gets()
    for only_watches in (False, True, False):
        assert told(desk, client)
        moves(desk, client, only_watches=only_watches)
    assert told(desk, client)


def test_who_waited_while_the_settings_changed_has_the_new_ones() -> None:
    desk = Desk()
    first = desk.raw()
    first.sends(b"asked")
    first.ends_its_side()
    second = desk.client_that_says_nothing()
    assert not second.is_read()
    always = SignalPolicies(dtr=SignalPolicy.ON)
    desk.port.reconfigure(replace(desk.port.config, signals=always, lenient=True))
    first.goes()
    desk.passes(1)
    second.sends(will(Option.COM_PORT))
    second.gets()
    refused = 12345
    desk.line.refused.add(("baudrate", refused))
    second.sends(ask(Command.SET_CONTROL, DTR_OFF) + ask(Command.SET_BAUDRATE, refused))
    assert Signal.DTR in desk.line.outputs
    assert answer(Command.SET_BAUDRATE, refused) in second.gets()


@pytest.mark.parametrize("backlog", [0, REPLY_BYTES // 2 + 1024, HIGH_BYTES + 1024])
def test_whatever_a_client_has_to_take_it_is_told_that_the_device_is_gone(backlog: int) -> None:
    desk = Desk()
    client = desk.agreed()
    client.room = 0
    desk.device_sends(bytes(backlog))
    desk.unplug()
    assert client.is_read()
    client.takes(float("inf"))
    assert client.gets() == bytes(backlog) + notify(0x0B)


def test_who_is_not_read_for_the_answers_that_it_leaves_is_so_for_no_notification() -> None:
    desk = Desk()
    client = desk.agreed()
    client.room = 0
    desk.device_sends(bytes(HIGH_BYTES))
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.passes(0)
    assert client.backlog() > HIGH_BYTES
    assert client.is_read()


def test_what_was_asked_for_before_the_option_went_off_is_done_and_not_answered() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(b"x" + ask(Command.SET_BAUDRATE, 1200) + wont(Option.COM_PORT))
    desk.passes(1)
    assert client.gets() == dont(Option.COM_PORT)
    assert desk.line.settings().baudrate == 1200


@pytest.mark.parametrize("slow", [False, True])
def test_requests_that_come_with_the_agreement_are_asked_of_a_line_that_was_looked_at(
    slow: bool,
) -> None:
    desk = Desk(signals=SignalPolicies(rts=SignalPolicy.ON))
    client = desk.telnet()
    if slow:
        desk.line.driver.sleep()
    asked = (DTR_QUERY, RTS_OFF, RTS_QUERY)
    client.sends(will(Option.COM_PORT) + b"".join(ask(Command.SET_CONTROL, one) for one in asked))
    while desk.line.driver.begun:
        desk.line.driver.wake()
    answers = (DTR_ON, RTS_OFF, RTS_OFF)
    assert client.gets() == notify(LEVELS) + b"".join(
        answer(Command.SET_CONTROL, one) for one in answers
    )
    client.sends(ask(Command.SET_CONTROL, RTS_QUERY))
    assert client.gets() == answer(Command.SET_CONTROL, RTS_OFF)


def heir(desk: Desk, client: Client) -> TelnetSession:
    """The session in another process, on the same line."""
    after = Desk(plugged=False).port
    after.restore(desk.port.snapshot(), desk.line.settings(), held=True)
    line = Watched(desk.clock, after, settings=desk.line.settings())
    line.inherit(desk.line.leave(), 0)
    after.opened(line, adopted=True)
    session = TelnetSession(after, client, number=2, peername="192.0.2.1:4001", since=SINCE)
    session.restore(json.loads(json.dumps(client.session.snapshot())))
    return session


CTS_DROPPED = notify(LEVELS & ~0x10 | 0x01)
IDLE, BROKE = 0x60, 0x10
LOOK = ask(Command.NOTIFY_MODEMSTATE) + ask(Command.NOTIFY_LINESTATE)


def happens(desk: Desk) -> None:
    desk.line.set_inputs(Signal.NONE, Signal.CTS)
    desk.line.receive_break()
    desk.passes(0)


def test_what_is_left_to_a_poll_is_so_in_another_process_too() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_MODEMSTATE_MASK, 0))
    happens(desk)
    after = heir(desk, client)
    desk.passes(0)
    client.gets()
    after.receive(LOOK)
    assert client.gets() == CTS_DROPPED + answer(Command.NOTIFY_LINESTATE, IDLE | BROKE)


def test_what_happened_between_two_processes_is_told_in_another_process() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_LINESTATE_MASK, BROKE))
    client.gets()
    desk.line.watch(signals=False, errors=False)
    happens(desk)
    assert client.gets() == b"\0"
    heir(desk, client)
    assert client.gets() == CTS_DROPPED + answer(Command.NOTIFY_LINESTATE, BROKE)


def test_an_unplug_takes_nothing_from_a_poll() -> None:
    desk = Desk()
    client = desk.agreed()
    client.sends(ask(Command.SET_MODEMSTATE_MASK, 0))
    client.gets()
    desk.unplug()
    desk.plug(inputs=Signal.CTS)
    client.sends(ask(Command.NOTIFY_MODEMSTATE))
    assert client.gets() == notify(0x10 | 0x0A)
