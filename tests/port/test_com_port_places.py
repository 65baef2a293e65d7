"""Com Port Control of a session whose place, line or settings become others under it."""

from __future__ import annotations

import pytest

from gatewayd.comport.wire import Command
from gatewayd.line.model import Signal, SignalPolicies, SignalPolicy
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.telnet.constants import Option, Side
from gatewayd.value import replace
from tests.port.desk import SINCE, Client, Desk
from tests.port.wire import LEVELS, answer, ask, notify, will

DTR_QUERY, DTR_ON, DTR_OFF = 7, 8, 9


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
