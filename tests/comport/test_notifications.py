"""Notifications of modem lines and of errors: what the masks let through, and what a poll tells."""

from __future__ import annotations

import pytest

from gatewayd.comport.access import AccessServer
from gatewayd.comport.wire import Command, LineState, ModemState, encode_answer
from gatewayd.line.model import LineErrors, Signal
from tests.comport.uart import CONNECTED, LEVELS, Uart, ask, begun, notified

# ---- notifications of the modem lines


def watching(line: Uart, mask: int) -> AccessServer:
    access = begun(line)
    ask(access, line, (Command.SET_MODEMSTATE_MASK, mask))
    return access


@pytest.mark.parametrize(
    ("mask", "now", "state"),
    [
        (255, CONNECTED & ~Signal.CTS, 0xA1),
        (255, CONNECTED | Signal.RI, 0xF0),
        (255, CONNECTED, None),
        (ModemState.CTS, CONNECTED & ~Signal.CTS, 0),
        (ModemState.DELTA_CTS, CONNECTED & ~Signal.CTS, ModemState.DELTA_CTS),
        (ModemState.CTS | ModemState.CD, CONNECTED & ~Signal.CTS, ModemState.CD),
        (ModemState.DSR, CONNECTED & ~Signal.CTS, None),
        (ModemState.RI, CONNECTED | Signal.RI, ModemState.RI),
        (ModemState.TRAILING_RI, CONNECTED | Signal.RI, None),
        (0, Signal.NONE, None),
    ],
)
def test_a_change_is_notified_if_the_mask_asks_for_it(
    mask: int, now: Signal, state: int | None
) -> None:
    line = Uart()
    expected = None if state is None else notified(state)
    assert watching(line, mask).signals_changed(now) == expected


@pytest.mark.parametrize("mask", [255, ModemState.TRAILING_RI, ModemState.RI])
def test_the_end_of_ringing_is_notified(mask: int) -> None:
    line = Uart()
    line.set_inputs(on=Signal.RI, off=CONNECTED)
    end = watching(line, mask).signals_changed(Signal.NONE)
    assert end == notified(ModemState.TRAILING_RI & mask)


def test_a_change_is_told_once() -> None:
    line = Uart()
    access = watching(line, 255)
    assert access.signals_changed(Signal.NONE) is not None
    assert access.signals_changed(Signal.NONE) is None


def test_a_poll_tells_a_change_that_no_notification_carried() -> None:
    line = Uart()
    access = watching(line, 255)
    line.set_inputs(on=Signal.NONE, off=Signal.CTS)
    told = notified(0xA0 | ModemState.DELTA_CTS)
    assert ask(access, line, (Command.NOTIFY_MODEMSTATE, 0)) == [told]
    assert access.signals_changed(line.signals()) is None
    assert ask(access, line, (Command.NOTIFY_MODEMSTATE, 0)) == [notified(0xA0)]


@pytest.mark.parametrize("mask", [0, 1, 255])
def test_changes_are_watched_only_while_the_mask_asks(mask: int) -> None:
    line = Uart()
    assert watching(line, mask).wants_signals == bool(mask)


def test_a_poll_tells_all_levels_whatever_the_mask() -> None:
    line = Uart()
    access = watching(line, 0)
    assert ask(access, line, (Command.NOTIFY_MODEMSTATE, 0)) == [notified(LEVELS)]


# ---- notifications of errors


def noticing(line: Uart, mask: int) -> AccessServer:
    access = begun(line)
    ask(access, line, (Command.SET_LINESTATE_MASK, mask))
    return access


@pytest.mark.parametrize(
    ("mask", "errors", "state"),
    [
        (255, LineErrors(break_=1), LineState.BREAK),
        (255, LineErrors(framing=1, parity=2), LineState.FRAMING | LineState.PARITY),
        (LineState.PARITY, LineErrors(framing=1, parity=2), LineState.PARITY),
        (LineState.OVERRUN, LineErrors(framing=1), None),
        (0, LineErrors(1, 1, 1, 1), None),
    ],
)
def test_an_error_is_notified_if_the_mask_asks_for_it(
    mask: int, errors: LineErrors, state: int | None
) -> None:
    access = noticing(Uart(), mask)
    expected = None if state is None else encode_answer(Command.NOTIFY_LINESTATE, state)
    assert access.errors_changed(errors) == expected
    assert access.errors_changed(errors) is None


def test_errors_before_the_mask_are_history() -> None:
    line = Uart()
    access = begun(line)
    line.make_parity_errors(7)
    ask(access, line, (Command.SET_LINESTATE_MASK, 255))
    assert access.errors_changed(line.errors()) is None


def test_errors_before_the_session_are_history() -> None:
    line = Uart()
    line.make_parity_errors(7)
    access = begun(line)
    idle = LineState.HOLDING_EMPTY | LineState.SHIFT_EMPTY
    answers = ask(access, line, (Command.NOTIFY_LINESTATE, 0))
    assert answers == [encode_answer(Command.NOTIFY_LINESTATE, idle)]


@pytest.mark.parametrize("mask", range(256))
def test_errors_are_counted_only_while_the_mask_asks_for_one(mask: int) -> None:
    assert noticing(Uart(), mask).wants_errors == bool(mask & 0b0001_1110)


def test_a_poll_tells_the_errors_since_the_last_one() -> None:
    line = Uart()
    access = begun(line)
    line.make_parity_errors(2)
    idle = LineState.HOLDING_EMPTY | LineState.SHIFT_EMPTY
    poll = (Command.NOTIFY_LINESTATE, 0)
    parity = encode_answer(Command.NOTIFY_LINESTATE, idle | LineState.PARITY)
    assert ask(access, line, poll) == [parity]
    assert ask(access, line, poll) == [encode_answer(Command.NOTIFY_LINESTATE, idle)]


def test_a_poll_tells_whether_the_transmitter_is_empty() -> None:
    line = Uart()
    line.write(b"x")
    answers = ask(begun(line), line, (Command.NOTIFY_LINESTATE, 0))
    assert answers == [encode_answer(Command.NOTIFY_LINESTATE, 0)]
