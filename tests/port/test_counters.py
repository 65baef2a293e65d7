"""What a port counts of those who come to it."""

from __future__ import annotations

from gatewayd.config.schema import Busy, OnBusy
from gatewayd.port.session import Session
from tests.port.desk import Desk


def test_a_takeover_is_counted_and_a_refusal_is_none() -> None:
    desk = Desk(busy=Busy(OnBusy.TAKEOVER))
    desk.raw()
    desk.raw()
    assert (desk.port.counters.sessions, desk.port.counters.takeovers) == (2, 1)
    desk = Desk()
    desk.raw()
    desk.raw()
    assert (desk.port.counters.refused, desk.port.counters.takeovers) == (1, 0)


def test_what_a_watcher_missed_is_counted_when_it_goes() -> None:
    desk = Desk()
    watcher = desk.looks(Session)
    watcher.room = 0
    desk.device_sends(bytes(300_000))
    missed = watcher.session.missed
    assert missed > 0
    assert desk.port.counters.missed == 0
    watcher.goes()
    assert desk.port.counters.missed == missed


def test_what_was_missed_is_counted_once_when_who_watched_gets_the_port() -> None:
    desk = Desk(busy=Busy(OnBusy.TAKEOVER))
    person, other = desk.person(), desk.raw()
    person.room = 0
    desk.device_sends(bytes(300_000))
    missed = person.session.missed
    assert missed > 0
    other.goes()
    assert desk.port.owner is person.session
    assert desk.port.counters.missed == missed
    person.goes()
    assert desk.port.counters.missed == missed
