"""Who shows what is typed, and data that waits for BINARY, at a session on a simulated line."""

from __future__ import annotations

import pytest

from gatewayd.config.schema import Echo
from gatewayd.port.echo import SILENCE_S
from gatewayd.port.telnet_face import AGREEMENT_S
from gatewayd.telnet.constants import Option
from tests.port.desk import Client, Desk
from tests.port.wire import do, dont, will, wont


def types(client: Client, text: bytes) -> None:
    for position in range(len(text)):
        client.sends(text[position : position + 1])


@pytest.mark.parametrize(("echo", "offers"), [(Echo.DEVICE, True), (Echo.CLIENT, False)])
def test_the_file_decides(echo: Echo, offers: bool) -> None:
    client = Desk(echo=echo).client_that_says_nothing()
    assert (will(Option.ECHO) in client.gets()) is offers


@pytest.mark.parametrize(
    ("typed", "came", "told"),
    [
        (b"ls", b"ls", b""),
        (b"*IDN?\r", b"ACME", wont(Option.ECHO)),
        (b"secret\r", b"\r\nLogin incorrect", b""),
        (b"OUTP 1\r", b"", wont(Option.ECHO)),
    ],
)
def test_the_device_proves_it(typed: bytes, came: bytes, told: bytes) -> None:
    desk = Desk()
    client = desk.telnet()
    client.sends(do(Option.ECHO) + dont(Option.BINARY))
    types(client, typed)
    if came:
        desk.device_sends(came)
    desk.passes(2 * SILENCE_S)
    assert client.gets() == came + told


def test_what_nvt_would_change_waits_for_the_answer_and_nothing_else_does() -> None:
    desk = Desk()
    client = desk.telnet()
    desk.device_sends(b"a\r\nb\rc")
    assert client.gets() == b"a\r\nb"
    client.sends(do(Option.BINARY))
    assert client.gets() == b"\rc"


def test_it_does_not_wait_longer_than_it_may() -> None:
    desk = Desk()
    client = desk.telnet()
    desk.device_sends(b"a\rb")
    desk.passes(AGREEMENT_S)
    assert client.gets() == b"a\r\0b"
