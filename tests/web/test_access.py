"""Who may do what, without a socket."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.web import access
from gatewayd.web.access import Ends

HERE = Ends("127.0.0.1", "127.0.0.1")
LAN = Ends("10.0.4.2", "10.0.4.17")
NAMES = frozenset({"pi-lab3.local"})


@pytest.mark.parametrize(
    ("host", "ends", "ours"),
    [
        ("localhost:8323", HERE, True),
        ("LOCALHOST", HERE, True),
        ("127.0.0.1:9000", HERE, True),  # the other end of an ssh -L has another port
        ("[::1]:8323", Ends("::1", "::1"), True),
        ("10.0.4.2:8323", LAN, True),
        ("pi-lab3.local:8323", LAN, True),
        ("PI-LAB3.local", LAN, True),
        ("evil.example:8323", HERE, False),
        ("127.0.0.1.evil.example", HERE, False),
        ("localhost.evil.example", HERE, False),
        ("10.0.4.3", LAN, False),
        ("127.0.0.1", LAN, False),
        ("", HERE, False),
        ("[::1", HERE, False),
        ("::1", Ends("::1", "::1"), False),
    ],
)
def test_a_host_that_is_ours(host: str, ends: Ends, ours: bool) -> None:
    assert access.is_our_host(host, ends, NAMES) is ours


@pytest.mark.parametrize(
    ("origin", "host", "ours"),
    [
        ("http://127.0.0.1:8323", "127.0.0.1:8323", True),
        ("https://pi-lab3.local", "PI-LAB3.local", True),
        ("http://127.0.0.1:8324", "127.0.0.1:8323", False),
        ("http://evil.example", "127.0.0.1:8323", False),
        ("http://127.0.0.1:8323.evil.example", "127.0.0.1:8323", False),
        ("null", "127.0.0.1:8323", False),
        ("file://127.0.0.1:8323", "127.0.0.1:8323", False),
        ("", "", False),
        (None, "127.0.0.1:8323", False),
    ],
)
def test_an_origin_that_is_ours(origin: str | None, host: str, ours: bool) -> None:
    assert access.is_our_origin(origin, host) is ours


def test_only_this_machine_may_look_unasked() -> None:
    assert access.may_look_unasked("localhost:8323", HERE)
    assert access.may_look_unasked("[::1]:8323", Ends("::1", "::1"))
    assert not access.may_look_unasked("10.0.4.2:8323", LAN)
    assert not access.may_look_unasked("localhost:8323", Ends("127.0.0.1", "10.0.4.17"))
    # A proxy on this machine asks for somebody elsewhere.
    assert not access.may_look_unasked("pi-lab3.local", HERE)


def test_a_ticket_is_good_for_its_time_and_its_token() -> None:
    ticket = access.ticket("secret", 1000.0)
    assert "secret" not in ticket
    assert access.is_ticket(ticket, "secret", 1000.0 + access.SIGNED_IN_S - 1)
    assert not access.is_ticket(ticket, "secret", 1000.0 + access.SIGNED_IN_S)
    assert not access.is_ticket(ticket, "another", 1000.0)
    until, _, proof = ticket.partition(".")
    assert not access.is_ticket(f"{int(until) + 1}.{proof}", "secret", 1000.0)


@given(st.text())
def test_no_other_ticket_is_good(text: str) -> None:
    assert not access.is_ticket(text, "secret", 0.0)


@given(st.text())
def test_any_header_has_an_answer(text: str) -> None:
    assert not access.is_token(text + "x", text)
    assert isinstance(access.cookie({"cookie": text}, "gatewayd-8323"), str)
    assert isinstance(access.cookie_name(text), str)
    access.is_our_host(text, HERE, NAMES)
    access.is_our_origin(text, text)


def test_two_gateways_on_one_host_have_a_cookie_each() -> None:
    names = {access.cookie_name(host) for host in ("localhost:8323", "localhost:8324", "[::1]")}
    assert names == {"gatewayd-8323", "gatewayd-8324", "gatewayd-80"}
