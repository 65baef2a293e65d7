"""`signals: {dtr: session}`: the device sees by DTR and RTS whether a client is there."""

from __future__ import annotations

import pytest

from gatewayd.line.model import Signal, SignalPolicies, SignalPolicy
from gatewayd.port.arbiter import YOUNG_S
from gatewayd.port.reception import HANG_UP_S
from gatewayd.value import replace
from tests.port.desk import Desk

SESSION = SignalPolicy.SESSION


def test_dtr_is_on_while_a_client_has_the_port_and_off_otherwise() -> None:
    desk = Desk(signals=SignalPolicies(dtr=SESSION))
    assert Signal.DTR not in desk.line.signals()
    client = desk.raw()
    assert Signal.DTR in desk.line.signals()
    client.goes()
    desk.passes(1)
    assert Signal.DTR not in desk.line.signals()
    assert Signal.RTS in desk.line.signals()


def test_it_stays_on_until_all_that_the_client_sent_has_left() -> None:
    desk = Desk(signals=SignalPolicies(rts=SESSION))
    client = desk.raw()
    desk.stop_line()
    client.sends(b"last words")
    client.goes()
    desk.passes(1)
    assert Signal.RTS in desk.line.signals()
    desk.let_line_go()
    desk.passes(1)
    assert desk.line.sent == b"last words"
    assert Signal.RTS not in desk.line.signals()


def test_the_next_client_does_not_spare_the_device_the_hang_up() -> None:
    desk = Desk(signals=SignalPolicies(dtr=SESSION))
    desk.raw().goes()
    assert YOUNG_S < HANG_UP_S
    desk.raw()
    assert Signal.DTR not in desk.line.signals()
    desk.passes(HANG_UP_S)
    assert Signal.DTR in desk.line.signals()


@pytest.mark.parametrize("held", [True, False])
def test_a_device_that_comes_back_sees_what_is_so_then(held: bool) -> None:
    desk = Desk(signals=SignalPolicies(dtr=SESSION))
    client = desk.raw()
    desk.unplug()
    if not held:
        client.goes()
    desk.plug()
    desk.passes(1)
    assert (Signal.DTR in desk.line.signals()) is held


@pytest.mark.parametrize("held", [True, False])
def test_a_reload_puts_it_in_force_at_once(held: bool) -> None:
    desk = Desk(signals=SignalPolicies(dtr=SignalPolicy.OFF if held else SignalPolicy.ON))
    if held:
        desk.raw()
    desk.port.reconfigure(replace(desk.port.config, signals=SignalPolicies(dtr=SESSION)))
    desk.passes(1)
    assert (Signal.DTR in desk.line.signals()) is held
