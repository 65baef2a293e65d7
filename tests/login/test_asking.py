"""What a client is asked by options before a person is: tickets, and a name that proves nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import Door, Face, Login
from gatewayd.kerberos import tickets
from gatewayd.kerberos.tickets import Tickets
from gatewayd.log import Happening
from gatewayd.login import asking
from gatewayd.login.asking import LONGEST_REQUEST, PAIRS, Asking
from gatewayd.login.judge import PasswordJudge
from gatewayd.login.step import LoggingIn
from gatewayd.net.doorkeeper import Doorkeeper
from gatewayd.service.aside import aside
from tests.net.stand import Stand, in_clear, run, standing
from tests.port.wire import OPENING, do, dont, sub, will, wont
from tests.until import turning

ASKED = do(39) + do(37)
SEND = sub(37, b"\x01" + b"".join(PAIRS))
NULL = sub(37, bytes(3))
SEND_USER = sub(39, b"\x01\x00USER")
MUTUAL, ONE_WAY = PAIRS


def request(pair: bytes, ticket: bytes = b"good") -> bytes:
    return sub(37, b"\0" + pair + b"\0" + ticket)


def user(name: bytes) -> bytes:
    return sub(39, b"\0\0USER\1" + name)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is asked for a name before the test says so."""
    monkeypatch.setattr(asking, "ANSWER_S", 60.0)


JUDGE = """
import json, sys
asked = sys.stdin.buffer.read()
if asked[2:] == b"crash":
    sys.exit(3)
good = asked[2:6] == b"good"
print(json.dumps({"principal": "alice@LAB", "reply": "6f00ff"} if good else {"refused": "bad"}))
"""


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A program stands in for the one that judges a ticket: those that begin with `good` are."""
    monkeypatch.setattr(tickets, "CODE", f"exec({JUDGE!r})")


@asynccontextmanager
async def asked(
    *, users: bool = False, optional: bool = False, kerberos: bool = True
) -> AsyncIterator[Stand]:
    """A port with a login, by tickets of alice's, and of `users` by passwords too."""
    taken = Tickets("keytab", {"alice@LAB": "alice"}, aside) if kerberos else None
    passwords = PasswordJudge({}, aside) if users else None
    login = Login.OFFERED if optional else Login.REQUIRED
    async with standing(Face.RFC2217) as stand:
        stand.listener.way = [
            lambda arrival: Asking(arrival, taken, optional=optional),
            lambda arrival: LoggingIn(arrival, passwords, optional=optional),
            lambda arrival: Doorkeeper(
                arrival, Door(login=login, users=() if optional else ("alice",))
            ),
        ]
        yield stand


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("pair", PAIRS)
def test_a_good_ticket_lets_in(pair: bytes) -> None:
    async def scenario() -> None:
        async with asked() as stand:
            client = stand.connects()
            assert await client.gets(6) == ASKED
            await client.sends(wont(39) + will(37))
            assert await client.gets(len(SEND)) == SEND
            # What comes behind the request is the session's.
            await client.sends(request(pair) + b"*IDN?\n")
            response = sub(37, b"\x02" + MUTUAL + b"\x03\x6f\x00\xff") if pair == MUTUAL else b""
            accept = response + sub(37, b"\x02" + pair + b"\x02alice@LAB")
            assert await client.gets(len(accept)) == accept
            assert await client.gets(len(OPENING)) == OPENING
            await stand.device_gets(b"*IDN?\n")
            assert stand.port.owner is not None
            assert stand.port.owner.proof.name == "alice"

    run(scenario())


@pytest.mark.usefixtures("judged")
@pytest.mark.parametrize("ticket", [b"wrong", b"crash", b""])
def test_a_bad_ticket_is_rejected_and_may_be_followed_by_a_password(ticket: bytes) -> None:
    async def scenario() -> None:
        async with asked(users=True) as stand:
            client = stand.connects()
            await client.sends(wont(39) + will(37) + request(MUTUAL, ticket))
            reject = sub(37, b"\x02" + MUTUAL + b"\x01not accepted")
            told = ASKED + SEND + reject
            assert await client.gets(len(told)) == told
            await client.sends(NULL)
            assert await client.gets(7) == b"login: "
            assert stand.port.counters.sessions == 0

    run(scenario())


@pytest.mark.usefixtures("judged")
def test_three_bad_tickets_are_enough(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with asked(users=True) as stand:
            client = stand.connects()
            await client.sends(wont(39) + will(37) + 3 * request(ONE_WAY, b"bad"))
            assert b"3 tickets that are not good" in await client.gets_all()
            assert stand.port.counters.sessions == 0

    run(scenario())
    happenings = [vars(record).get("happening") for record in caplog.records]
    assert happenings.count(Happening.LOGIN_FAILED) == 3


@pytest.mark.parametrize("pair", [b"\x07\x00", b"\x01\x00", b"\x02\x04", b"\x26\x00"])
def test_a_pair_that_was_not_asked_for_ends_it(pair: bytes) -> None:
    async def scenario() -> None:
        async with asked() as stand:
            client = stand.connects()
            await client.sends(will(37) + request(pair))
            assert b"which was not asked for" in await client.gets_all()
            assert stand.port.counters.sessions == 0

    run(scenario())


@pytest.mark.parametrize(
    "said",
    [sub(37, b"\x02\x02\x02\x02"), sub(37, b"\x01\x02\x02"), sub(37, b"\0\x02"), sub(37, b"")],
)
def test_what_no_client_may_say_is_skipped(said: bytes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with asked(users=True) as stand:
            client = stand.connects()
            await client.sends(wont(39) + will(37) + said + NULL)
            told = ASKED + SEND + b"login: "
            assert await client.gets(len(told)) == told

    run(scenario())
    assert "AUTHENTICATION" in caplog.text


@pytest.mark.usefixtures("judged")
def test_a_long_ticket_is_taken_and_a_longer_one_is_skipped(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, "gatewayd")

    async def scenario() -> None:
        async with asked() as stand:
            client = stand.connects()
            await client.sends(wont(39) + will(37) + request(ONE_WAY, b"good" + bytes(8000)))
            accept = sub(37, b"\x02" + ONE_WAY + b"\x02alice@LAB")
            told = ASKED + SEND + accept
            assert await client.gets(len(told)) == told
        async with asked() as stand:
            client = stand.connects()
            await client.sends(will(37) + request(ONE_WAY, b"good" + bytes(LONGEST_REQUEST)))
            await turning(lambda: "subnegotiation of option 37 is over" in caplog.text)
            assert stand.port.counters.sessions == 0

    run(scenario())


def test_without_tickets_and_passwords_nobody_comes_in() -> None:
    async def scenario() -> None:
        async with asked() as stand:
            client = stand.connects()
            await client.sends(wont(39) + wont(37))
            assert b"this address wants a ticket of Kerberos" in await client.gets_all()
            assert stand.port.counters.sessions == 0

    run(scenario())


def test_who_does_not_answer_is_asked_for_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "ANSWER_S", 0.05)

    async def scenario() -> None:
        async with asked(users=True) as stand:
            client = stand.connects()
            told = ASKED + b"login: "
            assert await client.gets(len(told)) == told

    run(scenario())


def test_who_types_without_being_asked_does_not_wait() -> None:
    async def scenario() -> None:
        async with asked(users=True) as stand:
            client = stand.connects()
            await client.sends(b"alice\r\n")
            told = ASKED + b"login: \xff\xfb\x01password: "
            assert await client.gets(len(told)) == told

    run(scenario())


@pytest.mark.parametrize(
    ("name", "offered"),
    [(b"alice", b"[alice] "), (b"-f root", b""), (b"", b""), (b"a\x02\x01b", b"[ab] ")],
)
def test_the_name_of_a_client_stands_before_the_question(name: bytes, offered: bytes) -> None:
    async def scenario() -> None:
        async with asked(users=True, kerberos=False) as stand:
            client = stand.connects()
            assert await client.gets(3) == do(39)
            await client.sends(will(39))
            assert await client.gets(len(SEND_USER)) == SEND_USER
            await client.sends(user(name))
            assert await client.gets(len(offered) + 7) == offered + b"login: "

    run(scenario())


def test_a_program_is_not_asked_for_the_name_of_a_person() -> None:
    async def scenario() -> None:
        async with asked(optional=True) as stand:
            client = stand.connects()
            assert await client.gets(6) == do(44) + do(37)
            await client.sends(will(44))
            await turning(lambda: stand.port.counters.sessions == 1)

    run(scenario())


def test_encryption_is_never_agreed() -> None:
    async def scenario() -> None:
        async with asked() as stand:
            client = stand.connects()
            await client.sends(do(38) + will(38))
            told = ASKED + wont(38) + dont(38)
            assert await client.gets(len(told)) == told

    run(scenario())


@pytest.mark.parametrize("judges", [True, False])
def test_who_takes_too_long(judges: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a ticket that nobody has judged it is over; without one a name is asked for."""
    monkeypatch.setattr(Asking, "patience", 0.2)

    async def forever(work: object, seconds: float) -> dict[str, str]:
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        taken = Tickets("keytab", {}, forever)
        async with asked(users=True) as stand:
            stand.listener.way = [
                lambda arrival: Asking(arrival, taken, optional=False),
                *list(stand.listener.way)[1:],
            ]
            client = stand.connects()
            await client.sends(wont(39) + will(37) + (request(ONE_WAY) if judges else b""))
            told = ASKED + SEND
            assert await client.gets(len(told)) == told
            if judges:
                assert b"that took too long" in await client.gets_all()
            else:
                assert await client.gets(7) == b"login: "

    run(scenario())


def test_who_leaves_while_its_ticket_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    async def forever(work: object, seconds: float) -> dict[str, str]:
        begun.set()
        await asyncio.Event().wait()
        raise AssertionError

    async def scenario() -> None:
        taken = Tickets("keytab", {}, forever)
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [lambda arrival: Asking(arrival, taken, optional=False)]
            client = stand.connects()
            await client.sends(will(37) + request(ONE_WAY))
            await begun.wait()
            client.resets()
            await stand.free()
            assert stand.port.counters.sessions == 0

    run(scenario())


CLEAR = in_clear(
    *(will(37), wont(37), will(39), wont(39), will(44), user(b"x"), NULL, b"\xff"),
    *(request(b"\x07\x00"), sub(37, b"\x03bob"), sub(44, b"\x05\x01"), b"\xff\xfa\x25"),
)


@settings(max_examples=40, deadline=None)
@given(CLEAR, st.booleans())
def test_nothing_reaches_the_line_before_somebody_is_let_in(
    clear: list[bytes], resets: bool
) -> None:
    async def scenario() -> None:
        async with asked(users=True) as stand:
            await stand.lets_nothing_through(b"".join(clear), resets=resets)

    run(scenario())


def test_the_judge_says_what_it_finds() -> None:
    """The real one."""
    with pytest.raises(tickets.TicketError, match="none: No such file"):
        tickets.look_at("none")
