"""START_TLS or SSL of AUTHENTICATION on a Telnet connection: nothing that came in clear counts
inside."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import ClientCertificate, Face
from gatewayd.log import Happening
from gatewayd.telnet.constants import Option
from gatewayd.telnet.start_tls import FOLLOWS, OFFER
from gatewayd.tls import starting
from gatewayd.tls.starting import Starting
from tests.net.stand import Client, Stand, in_clear, run, standing
from tests.port.wire import OPENING, do, dont, sub, will, wont
from tests.tls import far
from tests.until import turning

WILL, WONT = will(46), wont(46)
SEND, START, ACCEPT = (
    sub(37, text) for text in (b"\x01\x07\0", b"\0\x07\0\x01", b"\x02\x07\0\x02")
)
NULL = sub(37, bytes(3))


@asynccontextmanager
async def offering(*, must: bool) -> AsyncIterator[Stand]:
    identity, asks = far.identity(), ClientCertificate.NONE
    async with standing(Face.RFC2217) as stand:
        stand.listener.way = [lambda arrival: Starting(arrival, identity, asks, must=must)]
        yield stand


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is served in clear before the test says so."""
    monkeypatch.setattr(starting, "ANSWER_S", 60.0)


async def secured(client: Client, before: bytes = b"", *, by: int = 46) -> far.TlsClient:
    """Say `before` in clear, agree to the option `by`, and shake hands."""
    if by == Option.START_TLS:
        await client.sends(before + WILL + FOLLOWS)
        assert await client.gets(9) == OFFER + FOLLOWS
    else:
        await client.sends(before + WONT + will(37) + START)
        answers = OFFER + do(37) + SEND + ACCEPT
        assert await client.gets(len(answers)) == answers
    inside = far.TlsClient(client)
    await inside.shakes_hands()
    return inside


@pytest.mark.parametrize("must", [True, False])
@pytest.mark.usefixtures("patient")
def test_tls_begins_and_telnet_with_it(must: bool) -> None:
    async def scenario() -> None:
        async with offering(must=must) as stand:
            client = stand.connects()
            # Alone, and nothing until it is answered.
            assert await client.gets(3) == OFFER
            await client.sends(WILL + FOLLOWS)
            assert await client.gets(6) == FOLLOWS
            inside = far.TlsClient(client)
            await inside.shakes_hands()
            assert await inside.gets(len(OPENING)) == OPENING
            await inside.sends(b"*IDN?\n")
            await stand.device_gets(b"*IDN?\n")
            # A second time means nothing.
            await inside.sends(WILL + do(46))
            assert await inside.gets(6) == dont(46) + wont(46)
            assert stand.port.owner is not None
            assert stand.port.owner.proof.tls == "TLSv1.3"

    run(scenario())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("by", [Option.START_TLS, Option.AUTHENTICATION])
@pytest.mark.parametrize(
    ("before", "refused"),
    [
        (b"AT\r\n", b""),
        (will(44) + sub(44, b"\x01\0\0\x25\x80"), dont(44)),
        (b"\xff\xfa\x2c\x01", b""),
        (do(1) + do(3) + will(0), wont(1) + wont(3) + dont(0)),
        (b"\xff\xf3\xff\xf4", b""),
    ],
)
def test_what_came_before_is_forgotten(before: bytes, refused: bytes, by: int) -> None:
    async def scenario() -> None:
        async with offering(must=True) as stand:
            inside = await secured(stand.connects(), before, by=by)
            opening = (refused if by == Option.AUTHENTICATION else b"") + OPENING
            assert await inside.gets(len(opening)) == opening
            await inside.sends(b"!")
            await stand.device_gets(b"!")
            assert stand.line.settings() == stand.port.config.line

    run(scenario())


CLEAR = in_clear(
    *(will(44), sub(44, b"\x05\x01"), b"\xff", b"\xff\xfa"),
    *(WILL, FOLLOWS, WONT, will(37), START, NULL),
)


@settings(max_examples=40, deadline=None)
@given(CLEAR, st.booleans())
def test_nothing_in_clear_reaches_the_line_where_tls_is_wanted(
    clear: list[bytes], resets: bool
) -> None:
    async def scenario() -> None:
        async with offering(must=True) as stand:
            await stand.lets_nothing_through(b"".join(clear), resets=resets)

    run(scenario())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("must", [True, False])
def test_what_comes_in_clear_behind_the_answer_belongs_to_tls(
    must: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with offering(must=must) as stand:
            client = stand.connects()
            await client.sends(WILL + FOLLOWS + b"AT\r\n")
            await client.gets_all()
            assert not stand.line.sent
            assert stand.port.counters.sessions == 0

    run(scenario())
    happenings = [vars(record).get("happening") for record in caplog.records]
    assert Happening.HANDSHAKE_FAILED in happenings


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("must", [True, False])
@pytest.mark.parametrize(
    "said", [FOLLOWS, WONT + START, WONT + will(37) + sub(37, b"\0\x02\0\0ticket")]
)
def test_what_was_not_agreed_or_not_asked_for_is_wrong(must: bool, said: bytes) -> None:
    async def scenario() -> None:
        async with offering(must=must) as stand:
            client = stand.connects()
            await client.sends(said)
            assert b"has no meaning" in await client.gets_all()
            assert stand.port.counters.sessions == 0

    run(scenario())


@pytest.mark.parametrize("answer", [WONT + wont(37), WONT + will(37) + NULL])
def test_who_does_not_do_it_is_told_why_where_it_must(answer: bytes) -> None:
    async def scenario() -> None:
        async with offering(must=True) as stand:
            client = stand.connects()
            await client.sends(will(44) + answer + b"AT\r\n")
            assert b"this address wants TLS, by START_TLS" in await client.gets_all()
            assert not stand.line.sent
            assert stand.port.counters.sessions == 0

    run(scenario())


def test_a_client_that_replies_has_said_nothing(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with offering(must=True) as stand:
            inside = await secured(stand.connects(), WONT + will(37) + ACCEPT, by=37)
            assert await inside.gets(len(OPENING)) == OPENING

    run(scenario())
    assert "AUTHENTICATION as no client may send it" in caplog.text


def test_who_does_not_answer_where_it_must(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Starting, "patience", 0.2)

    async def scenario() -> None:
        async with offering(must=True) as stand:
            client = stand.connects()
            await client.sends(will(44) + b"AT\r\n")
            assert b"this address wants TLS" in await client.gets_all()
            assert not stand.line.sent

    run(scenario())


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize("answer", [WONT + wont(37), WONT + will(37) + NULL, WONT, b""])
def test_who_does_not_do_it_goes_on_where_it_may(
    answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With all that it has said: its offers too are the session's."""
    if answer in (WONT, b""):
        monkeypatch.setattr(starting, "ANSWER_S", 0.05)

    async def scenario() -> None:
        async with offering(must=False) as stand:
            client = stand.connects()
            await client.sends(will(44) + b"AT" + answer + b"\r\n")
            await stand.device_gets(b"AT\r\n")
            await client.sends(sub(44, b"\x01\0\0\x25\x80"))
            await turning(lambda: stand.line.settings().baudrate == 9600)
            assert stand.port.owner is not None
            assert stand.port.owner.proof.tls == ""

    run(scenario())


@pytest.mark.usefixtures("patient")
def test_who_has_much_to_say_does_not_wait_for_an_answer() -> None:
    async def scenario() -> None:
        async with offering(must=False) as stand:
            client = stand.connects()
            data = bytes(range(200)) * 100
            await client.sends(data.replace(b"\r", b"\r\0"))
            await stand.device_gets(data)

    run(scenario())


@pytest.mark.usefixtures("patient")
def test_who_only_asks_and_closes_is_answered_where_it_may() -> None:
    async def scenario() -> None:
        async with offering(must=False) as stand:
            client = stand.connects()
            await client.sends(b"*IDN?\n")
            client.half_closes()
            await stand.device_gets(b"*IDN?\n")
            await stand.device_sends(b"ACME\n")
            assert (await client.gets_all()).endswith(b"ACME\n")

    run(scenario())
