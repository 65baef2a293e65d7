"""How many connections may come in a second."""

from __future__ import annotations

import logging

import pytest

from gatewayd.config.schema import Address, Face
from gatewayd.log import Happening
from gatewayd.net import pace
from gatewayd.net.pace import BURST_S, IN_ALL, TELL_S, Pace, Turnstile
from tests.net.stand import run, standing
from tests.sim.clock import FakeClock
from tests.until import turning

RATE = 5
BURST = RATE * BURST_S


def let_in(paces: Pace, hosts: list[str], now: float = 0.0) -> int:
    """How many of these may come at once."""
    return [paces.lets(host, RATE, now) for host in hosts].count("")


def test_one_host_has_a_burst_and_then_its_rate() -> None:
    paces = Pace()
    assert let_in(paces, ["192.0.2.1"] * (BURST + 10)) == BURST
    assert (
        paces.lets("192.0.2.1", RATE, 0.1)
        == f"more than {RATE} connections a second from 192.0.2.1"
    )
    assert let_in(paces, ["192.0.2.1"] * 10, 1.0) == RATE
    assert let_in(paces, ["192.0.2.2"] * 3, 1.0) == 3


def test_all_hosts_together_have_theirs() -> None:
    paces = Pace()
    hosts = [f"192.0.2.{number}" for number in range(1, 255)]
    assert let_in(paces, hosts * 3) == BURST * IN_ALL
    assert (
        paces.lets("198.51.100.1", RATE, 0.0)
        == f"more than {RATE * IN_ALL} connections a second in all"
    )


def test_who_is_sent_away_is_not_counted() -> None:
    paces = Pace()
    let_in(paces, ["192.0.2.1"] * 1000)
    assert let_in(paces, ["192.0.2.1"] * 1000, BURST_S) == BURST


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("::ffff:192.0.2.1", "192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth0", True),
    ],
)
def test_what_counts_as_one_host(one: str, other: str, same: bool) -> None:
    paces = Pace()
    assert let_in(paces, [one] * BURST) == BURST
    assert (let_in(paces, [other]) == 0) is same


def test_hosts_are_forgotten() -> None:
    paces = Pace()
    for number in range(20_000):
        host = f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"
        assert not paces.lets(host, RATE, number * 0.1)
    assert len(paces) <= 1025


def test_many_are_told_in_one_entry(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gatewayd")
    clock = FakeClock()
    turnstile = Turnstile(clock)
    turnstile.rate = RATE
    for number in range(BURST + 100):
        assert turnstile.lets("192.0.2.1", "psu1", "192.0.2.1:7") is (number < BURST)
    assert turnstile.lets("127.0.0.1", "psu1", "127.0.0.1:1")
    assert [record.getMessage() for record in caplog.records] == [
        f"refused: more than {RATE} connections a second from 192.0.2.1"
    ]
    clock.advance(TELL_S)
    assert "refused: 99 more connections in 10 s" in caplog.records[-1].getMessage()
    clock.advance(TELL_S)
    assert len(caplog.records) == 2
    assert not clock.pending()
    assert {vars(record)["happening"] for record in caplog.records} == {Happening.CROWDED}


def test_one_too_many_is_closed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "is_local", lambda host: False)

    async def scenario() -> None:
        turnstile = Turnstile(FakeClock())
        turnstile.rate = 1
        at = (Address("127.0.0.1", 0),)
        async with standing(Face.RAW, turnstile=turnstile, raw=at) as stand:
            for _ in range(BURST_S):
                client = stand.connects()
                await turning(lambda: stand.port.owner is not None)
                client.closes()
                await turning(lambda: stand.port.owner is None)
            served = stand.port.counters.sessions
            assert await stand.connects().gets_all() == b""
            assert stand.port.counters.sessions == served
            assert not stand.listener.connections

    run(scenario())
