"""A port that is kept for somebody, and an owner that nothing is heard of."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gatewayd.config.schema import Busy, Idle, OnBusy
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.port.lease import Lease, host_of
from gatewayd.port.session import Session
from gatewayd.port.telnet_session import TelnetSession
from gatewayd.telnet.constants import Command
from gatewayd.value import replace
from tests.port.desk import Desk
from tests.port.wire import command

UNTIL = datetime(2030, 1, 2, 17, 0, tzinfo=UTC)
ALICE = Lease("alice", UNTIL, "burn-in 7", "10.0.0.1")
LEASED = b"psu1: leased to alice until 2030-01-02 17:00:00 UTC (burn-in 7)"


class Tap:
    def __init__(self) -> None:
        self.events: list[PortEvent] = []

    def from_line(self, data: bytes) -> None: ...

    def to_line(self, data: bytes) -> None: ...

    def happened(self, event: PortEvent) -> None:
        self.events.append(event)


# ---- leases


def test_others_are_refused_and_told_for_whom_for_what_and_until_when() -> None:
    desk = Desk()
    desk.port.clients.let(ALICE, 3600)
    other = desk.client_that_says_nothing()
    assert LEASED in other.gets()
    assert other.is_closed()
    assert desk.client(Session).is_closed()


@pytest.mark.parametrize("who", [{"host": "10.0.0.1"}, {"name": "alice"}])
def test_the_holder_is_known_by_address_or_by_name(who: dict[str, str]) -> None:
    desk = Desk()
    desk.port.clients.let(ALICE, 3600)
    client = desk.client(Session, **who)  # type: ignore[arg-type]
    assert desk.port.owner is client.session


def test_a_lease_without_an_address_or_a_name_admits_nobody_by_chance() -> None:
    lease = replace(ALICE, host="")
    desk = Desk()
    desk.port.clients.let(lease, 3600)
    assert desk.client(Session).is_closed()


def test_it_ends_by_itself() -> None:
    desk = Desk()
    tap = Tap()
    desk.port.hub.add(tap)
    desk.port.clients.let(ALICE, 3600)
    desk.passes(3599.9)
    assert tap.events[-1].kind is EventKind.LEASED
    desk.passes(0.1)
    assert desk.port.clients.lease is None
    assert [event.kind for event in tap.events] == [EventKind.LEASED, EventKind.FREED]
    assert [event.name for event in tap.events] == ["alice", "alice"]
    assert desk.port.owner is None
    assert not desk.client(Session).is_closed()
    desk.passes(1)
    assert desk.clock.pending() == 0


def test_a_freed_port_is_anybodys() -> None:
    desk = Desk()
    desk.port.clients.let(ALICE, 3600)
    desk.port.clients.let(None)
    assert not desk.client(Session).is_closed()
    desk.passes(1)
    assert desk.clock.pending() == 0


def test_who_holds_the_port_stays_until_the_leaseholder_comes() -> None:
    desk = Desk()
    person = desk.person()
    desk.port.clients.let(ALICE, 3600)
    assert not person.is_closed()
    alice = desk.client(Session, host="10.0.0.1")
    assert desk.port.owner is alice.session
    alice.goes()
    person.sends(b"not yet")
    desk.passes(3600)
    person.sends(b"now")
    desk.passes(1)
    assert desk.line.sent == b"now"


def test_others_may_watch() -> None:
    desk = Desk(busy=Busy(OnBusy.WATCH))
    desk.port.clients.let(ALICE, 3600)
    other, looker = desk.client_that_says_nothing(), desk.looks()
    assert LEASED[6:] + b"; you watch" in other.gets()
    desk.device_sends(b"data")
    assert other.gets() == looker.gets() == b"data"
    alice = desk.client(Session, host="10.0.0.1")
    assert desk.port.owner is alice.session


def test_one_that_insists_does_not_get_past_a_lease() -> None:
    desk = Desk()
    desk.port.clients.let(ALICE, 3600)
    desk.client(Session, host="10.0.0.1")
    other = desk.telnet()
    assert other.is_closed()


def test_the_address_of_a_client_is_found_in_its_name() -> None:
    assert host_of("10.0.0.1:4001") == "10.0.0.1"
    assert host_of("alice at 10.0.0.1:4001") == "10.0.0.1"
    assert host_of("[2001:db8::1]:4001") == "2001:db8::1"


def test_a_lease_for_a_time_that_is_over_is_none() -> None:
    desk = Desk()
    desk.port.clients.let(replace(ALICE, until=UNTIL - timedelta(days=9)), 0)
    assert desk.port.clients.lease is None


# ---- idle


def test_who_sends_nothing_for_so_long_yields_to_whoever_comes() -> None:
    desk = Desk(idle=Idle(steal=5))
    owner = desk.raw()
    desk.passes(3)
    desk.device_sends(b"chatter")
    assert desk.raw().is_closed()
    desk.passes(2)
    second = desk.raw()
    assert owner.is_closed()
    assert desk.port.owner is second.session


def test_nothing_happens_while_nobody_comes() -> None:
    desk = Desk(idle=Idle(steal=5))
    owner = desk.raw()
    desk.passes(1)
    assert desk.clock.pending() == 0
    desk.passes(1000)
    assert desk.port.owner is owner.session


def test_what_the_owner_sends_counts() -> None:
    desk = Desk(idle=Idle(steal=5))
    owner = desk.raw()
    desk.passes(4)
    owner.sends(b"x")
    desk.passes(4)
    assert desk.raw().is_closed()


def test_what_becomes_due_while_something_is_carried_out_is_seen(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    desk = Desk(idle=Idle(close=1))
    owner = desk.telnet()
    desk.passes(0.9 - desk.clock.time())
    # The machine is busy while somebody is let in who watches.
    monkeypatch.setattr(Session, "watches", lambda session, reason: desk.clock.skip(0.2))
    assert not owner.is_closed()
    desk.client(Session, only_watches=True)
    desk.passes(0)
    assert owner.is_closed()


def test_one_that_waits_has_it_when_the_owner_has_been_silent_long_enough() -> None:
    desk = Desk(idle=Idle(steal=5), busy=Busy(wait=60))
    owner = desk.raw()
    second = desk.raw()
    desk.passes(5 - YOUNG_S - 0.01)
    assert desk.port.owner is owner.session
    desk.passes(0.01)
    assert desk.port.owner is second.session


def test_a_keepalive_of_telnet_is_nothing() -> None:
    desk = Desk(idle=Idle(steal=5))
    owner = desk.telnet()
    for _ in range(5):
        desk.passes(1)
        owner.sends(command(Command.NOP))
    second = desk.client(TelnetSession)
    assert desk.port.owner is second.session


def test_close_after_ends_a_session_that_is_silent_and_no_other() -> None:
    desk = Desk(idle=Idle(close=60))
    owner, watcher = desk.agreed(), desk.looks(Session)
    desk.passes(59)
    owner.sends(b"x")
    desk.passes(59.9)
    assert not owner.is_closed()
    desk.device_sends(b"chatter")
    desk.passes(0.2)
    assert owner.is_closed()
    assert b"psu1: nothing came from you for 60 s" in owner.gets()
    assert not watcher.is_closed()
    desk.passes(5)
    assert desk.clock.pending() == 0
