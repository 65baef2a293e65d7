"""What a person at a port's own address is called: asked of whom, and how little is made of it."""

from __future__ import annotations

import logging

import pytest

from gatewayd.port.introduction import MOST_NAMES
from gatewayd.telnet.constants import Option
from gatewayd.telnet.environ import LONGEST_CALLED
from tests.port.desk import Client, Desk
from tests.port.wire import OPENING, do, dont, sub, will, wont

ENVIRON = Option.NEW_ENVIRON
SEND = sub(ENVIRON, b"\x01\x00USER")
PERSON = do(Option.ECHO) + do(Option.SUPPRESS_GO_AHEAD) + wont(Option.COM_PORT)


def told(name: bytes, how: bytes = b"\x00") -> bytes:
    """IS, or INFO, with a USER."""
    return sub(ENVIRON, how + b"\x00USER\x01" + name)


def person(desk: Desk) -> Client:
    """Who has agreed to be asked."""
    client = desk.client_that_says_nothing()
    client.sends(PERSON)
    assert client.gets() == OPENING + do(ENVIRON)
    client.sends(will(ENVIRON))
    assert client.gets() == SEND
    return client


def test_a_person_is_asked_once_and_called_so_beside_its_address() -> None:
    desk = Desk()
    client = person(desk)
    address = client.session.peername
    client.sends(told(b"alice"))
    assert client.session.peername == f'{address} "alice"'
    assert client.session.name == ""
    client.sends(told(b"bob", b"\x02"))
    assert client.session.peername == f'{address} "bob"'
    client.sends(b"typed")
    desk.passes(1)
    assert client.gets() == b""
    assert bytes(desk.line.sent) == b"typed"


@pytest.mark.parametrize("cut", range(len(PERSON) + 1))
def test_it_is_asked_of_a_person_however_its_first_words_come(cut: int) -> None:
    client = Desk().client_that_says_nothing()
    client.sends(PERSON[:cut])
    client.sends(PERSON[cut:] + b"typed")
    assert do(ENVIRON) in client.gets()


def test_one_that_offers_it_itself_is_asked_when_it_is_plain_that_it_is_no_program() -> None:
    client = Desk().client_that_says_nothing()
    client.sends(will(ENVIRON))
    assert client.gets() == OPENING + do(ENVIRON)
    client.sends(wont(Option.COM_PORT))
    assert client.gets() == SEND


@pytest.mark.parametrize(
    "says",
    [
        do(Option.ECHO) + do(Option.SUPPRESS_GO_AHEAD) + will(Option.COM_PORT),
        do(Option.ECHO) + do(Option.BINARY),
        dont(Option.ECHO) + dont(Option.SUPPRESS_GO_AHEAD) + wont(Option.COM_PORT),
        b"*IDN?\r\n",
    ],
    ids=["com-port", "undecided", "refuses-all", "says-nothing"],
)
def test_a_program_never_meets_it(says: bytes) -> None:
    client = Desk().client_that_says_nothing()
    client.sends(says)
    client.sends(b"more")
    assert do(ENVIRON) not in client.gets()


def test_one_that_refuses_is_asked_no_more() -> None:
    client = Desk().client_that_says_nothing()
    client.sends(PERSON)
    client.gets()
    client.sends(wont(ENVIRON) + b"typed")
    client.sends(wont(Option.COM_PORT))
    assert client.gets() == b""


@pytest.mark.parametrize(
    ("said", "called"),
    [
        (b'a"b:c', "abc"),
        (b"\x1b[2Jx\r\n", "[2Jx"),
        (b"n" * 200, "n" * LONGEST_CALLED),
        (b"-f root", "-f root"),
    ],
)
def test_a_name_is_cleaned_and_bounded(said: bytes, called: str) -> None:
    client = person(Desk())
    address = client.session.peername
    client.sends(told(said))
    assert client.session.peername == f'{address} "{called}"'


@pytest.mark.parametrize("said", [b"", b" ", b'""', b"\x1b", b"n" * 300])
def test_what_is_no_name_is_nobodys(said: bytes) -> None:
    client = person(Desk())
    address = client.session.peername
    client.sends(told(said))
    assert client.session.peername == address


def test_names_without_end_are_not_logged_without_end(caplog: pytest.LogCaptureFixture) -> None:
    client = person(Desk())
    with caplog.at_level(logging.INFO):
        for number in range(100):
            client.sends(told(b"n%d" % number, b"\x02"))
    assert len([one for one in caplog.records if "calls itself" in one.message]) == MOST_NAMES


def test_the_next_one_is_told_that_name_and_it_is_no_claim_to_a_lease() -> None:
    desk = Desk()
    client = person(desk)
    client.sends(told(b"alice"))
    desk.passes(1)
    second = desk.client_that_says_nothing()
    assert b'"alice" since' in second.gets()


def test_it_goes_on_in_another_process() -> None:
    client = person(Desk())
    client.sends(told(b"alice"))
    snapshot = client.session.snapshot()
    assert snapshot["called"] == "alice"
    assert snapshot["peername"].endswith(' "alice"')
