"""Data of the line that waits for the client to agree to BINARY, and what becomes of it."""

from __future__ import annotations

import pytest

from gatewayd.comport.wire import Command
from gatewayd.port.telnet_face import AGREEMENT_S
from gatewayd.telnet.constants import Command as Telnet
from gatewayd.telnet.constants import Option
from tests.port.desk import Client, Desk
from tests.port.wire import DM, answer, ask, command, do, dont, will, wont

BINARY = Option.BINARY


def undecided(desk: Desk) -> Client:
    """A client that speaks Com Port Control and has said nothing of BINARY, for which `\\rold`
    waits."""
    client = desk.telnet()
    client.sends(will(Option.COM_PORT))
    client.gets()
    desk.device_sends(b"old\rold")
    assert client.gets() == b"old"
    return client


@pytest.mark.parametrize(
    ("drops", "answers"),
    [
        (ask(Command.PURGE_DATA, 1), answer(Command.PURGE_DATA, 1)),
        (ask(Command.PURGE_DATA, 3), answer(Command.PURGE_DATA, 3)),
        (command(Telnet.AO), DM),
    ],
    ids=["purge of what came", "purge of both", "abort output"],
)
def test_what_the_client_wants_no_more_is_not_kept_for_it(drops: bytes, answers: bytes) -> None:
    desk = Desk()
    client = undecided(desk)
    client.sends(drops)
    assert client.gets() == answers
    desk.device_sends(b"new\rnew")
    desk.passes(AGREEMENT_S)
    assert client.gets() == b"new\r\0new"


def test_a_purge_of_what_is_sent_leaves_it() -> None:
    desk = Desk()
    client = undecided(desk)
    client.sends(ask(Command.PURGE_DATA, 2))
    assert client.gets() == answer(Command.PURGE_DATA, 2)
    desk.passes(AGREEMENT_S)
    assert client.gets() == b"\r\0old"


@pytest.mark.parametrize("together", [True, False])
def test_it_is_sent_as_the_verb_before_it_says(together: bool) -> None:
    client = undecided(Desk())
    said = (do(BINARY) + dont(BINARY),) if together else (do(BINARY), dont(BINARY))
    for one in said:
        client.sends(one)
    expected = wont(BINARY) + b"\r\0old" if together else b"\rold" + wont(BINARY)
    assert client.gets() == expected
