"""What the access server does beyond one request: batches, order, masks, notifications, policies.

Each request by itself is in `table`.
"""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.comport.access import AccessServer
from gatewayd.comport.wire import (
    Command,
    Control,
    Request,
    encode_answer,
    encode_signature,
)
from gatewayd.line.model import LineSettings, Parity, Signal, StopBits
from tests.comport.table import TABLE, Row
from tests.comport.uart import LEVELS, TOO_FAST, Uart, ask, begun, notified, perform

BAUD = Command.SET_BAUDRATE
SIZE = Command.SET_DATASIZE
PARITY = Command.SET_PARITY
STOP = Command.SET_STOPSIZE
CONTROL = Command.SET_CONTROL


# ---- the start


def test_the_first_notification_needs_no_mask() -> None:
    line = Uart()
    assert AccessServer("gatewayd").begin(line) == notified(LEVELS)


def test_a_new_session_wants_all_modem_lines_and_no_errors() -> None:
    access = AccessServer("gatewayd")
    assert access.wants_signals
    assert not access.wants_errors


@pytest.mark.parametrize("outputs", [Signal.NONE, Signal.DTR, Signal.RTS, Signal.DTR | Signal.RTS])
def test_a_query_before_any_setting_tells_the_outputs_of_the_line(outputs: Signal) -> None:
    line = Uart()
    line.set_signals(on=outputs, off=~outputs)
    access = begun(line)
    answers = ask(access, line, (CONTROL, Control.DTR_QUERY), (CONTROL, Control.RTS_QUERY))
    assert answers == [
        encode_answer(CONTROL, Control.DTR_ON if outputs & Signal.DTR else Control.DTR_OFF),
        encode_answer(CONTROL, Control.RTS_ON if outputs & Signal.RTS else Control.RTS_OFF),
    ]


# ---- batches


def test_neighbouring_settings_are_one_configuration() -> None:
    line = Uart()
    answers = ask(begun(line), line, (BAUD, 19200), (SIZE, 7), (PARITY, 3), (STOP, 2))
    assert line.asked == [LineSettings(19200, 7, Parity.EVEN, StopBits.TWO)]
    assert answers == [
        encode_answer(BAUD, 19200),
        encode_answer(SIZE, 7),
        encode_answer(PARITY, 3),
        encode_answer(STOP, 2),
    ]


def test_a_query_among_settings_does_not_part_them() -> None:
    line = Uart()
    ask(begun(line), line, (BAUD, 19200), (SIZE, 0), (PARITY, 3))
    assert line.asked == [LineSettings(19200, 8, Parity.EVEN)]


def test_a_setting_asked_for_twice_acts_twice() -> None:
    line = Uart()
    answers = ask(begun(line), line, (BAUD, 19200), (BAUD, 0), (BAUD, 4800))
    assert [wanted.baudrate for wanted in line.asked] == [19200, 4800]
    assert answers == [
        encode_answer(BAUD, 19200),
        encode_answer(BAUD, 19200),
        encode_answer(BAUD, 4800),
    ]


def test_what_stands_between_settings_parts_them() -> None:
    line = Uart()
    answers = ask(begun(line), line, (BAUD, 19200), (CONTROL, Control.BREAK_ON), (SIZE, 7))
    assert [(wanted.baudrate, wanted.bytesize) for wanted in line.asked] == [(19200, 8), (19200, 7)]
    assert answers == [
        encode_answer(BAUD, 19200),
        encode_answer(CONTROL, Control.BREAK_ON),
        encode_answer(SIZE, 7),
    ]


def test_queries_configure_nothing() -> None:
    line = Uart()
    queries = [(BAUD, 0), (SIZE, 0), (PARITY, 0), (STOP, 0), (CONTROL, 0), (CONTROL, 13)]
    ask(begun(line), line, *queries)
    assert line.asked == []


def test_one_refused_setting_does_not_spoil_its_neighbours() -> None:
    line = Uart(Parity.MARK)
    answers = ask(begun(line), line, (BAUD, 19200), (PARITY, 4), (SIZE, 7))
    assert line.settings() == LineSettings(19200, 7)
    assert answers == [
        encode_answer(BAUD, 19200),
        encode_answer(PARITY, 1),
        encode_answer(SIZE, 7),
    ]


def test_a_later_setting_makes_an_earlier_one_of_the_batch_possible() -> None:
    line = Uart()
    answers = ask(begun(line), line, (STOP, 3), (SIZE, 5))
    assert answers == [encode_answer(STOP, 3), encode_answer(SIZE, 5)]


ROWS = st.lists(st.sampled_from(TABLE), max_size=12)


@given(ROWS, st.integers(0, 12))
def test_a_boundary_between_segments_matters_only_to_what_is_configured_at_once(
    rows: list[Row], at: int
) -> None:
    requests = [row.request for row in rows]
    one_line, two_line = Uart(), Uart()
    one, two = begun(one_line), begun(two_line)
    answers = perform(one, requests, one_line)
    parts = perform(two, requests[:at], two_line) + perform(two, requests[at:], two_line)
    assert [answer[0] for answer in parts] == [answer[0] for answer in answers]
    assert two.snapshot() == one.snapshot()
    assert (two_line.signals(), two_line.breaking) == (one_line.signals(), one_line.breaking)


@given(ROWS)
def test_answers_keep_the_order_of_the_requests(rows: list[Row]) -> None:
    line = Uart()
    answers = perform(begun(line), [row.request for row in rows], line)
    assert [answer[0] for answer in answers] == [due[0] for row in rows for due in row.answers]


@pytest.mark.parametrize(
    ("command", "value", "wanted"),
    [
        (BAUD, 19200, LineSettings(19200)),
        (CONTROL, 3, LineSettings(rtscts=True)),
        (CONTROL, 15, LineSettings(ixoff=True)),
    ],
)
def test_a_device_that_goes_is_answered_for_by_what_will_be_set_when_it_comes_back(
    command: Command, value: int, wanted: LineSettings
) -> None:
    line = Uart()
    access = begun(line)
    line.unplug()
    assert ask(access, line, (command, value)) == [encode_answer(command, value)]
    assert line.settings() == wanted


# ---- faults that clients meet elsewhere


def test_break_off_is_answered_as_break_off() -> None:
    line = Uart()
    access = begun(line)
    assert ask(access, line, (CONTROL, 5), (CONTROL, 4)) == [encode_answer(CONTROL, 5)] * 2
    assert line.breaking
    assert ask(access, line, (CONTROL, 6), (CONTROL, 4)) == [encode_answer(CONTROL, 6)] * 2
    assert not line.breaking


@pytest.mark.parametrize("fixed", [4, 5])
@pytest.mark.parametrize("wanted", [2, 3])
def test_odd_and_even_can_be_set_after_mark_and_space(fixed: int, wanted: int) -> None:
    line = Uart()
    access = begun(line)
    ask(access, line, (PARITY, fixed))
    assert ask(access, line, (PARITY, wanted)) == [encode_answer(PARITY, wanted)]


def test_one_and_a_half_stop_bits_are_refused_with_an_answer() -> None:
    line = Uart()
    assert ask(begun(line), line, (STOP, 2), (STOP, 3))[-1] == encode_answer(STOP, 2)


def test_masks_are_acknowledged_as_masks() -> None:
    line = Uart()
    answers = ask(
        begun(line), line, (Command.SET_LINESTATE_MASK, 16), (Command.SET_MODEMSTATE_MASK, 255)
    )
    assert answers == [b"\x6e\x10", b"\x6f\xff", notified(LEVELS)]


def test_a_poll_without_a_value_is_answered() -> None:
    line = Uart()
    assert ask(begun(line), line, (Command.NOTIFY_MODEMSTATE, 0)) == [notified(LEVELS)]


@pytest.mark.parametrize("inbound", [14, 15])
def test_inbound_flow_control_is_answered_as_it_is(inbound: int) -> None:
    line = Uart()
    answers = ask(begun(line), line, (CONTROL, inbound), (CONTROL, 13))
    assert answers == [encode_answer(CONTROL, inbound)] * 2


def test_a_clients_signature_is_not_answered() -> None:
    line = Uart()
    access = begun(line)
    requests = [Request(Command.SIGNATURE, text=b"me"), Request(Command.SIGNATURE)]
    assert perform(access, requests, line) == [encode_signature(b"gatewayd")]


# ---- lenient


@pytest.mark.parametrize(
    ("command", "value", "after"),
    [
        (BAUD, TOO_FAST, 9600),
        (STOP, 3, 1),
        (PARITY, 4, 1),
        (CONTROL, Control.FLOW_DCD, 1),
        (CONTROL, Control.FLOW_DSR, 1),
        (CONTROL, Control.INBOUND_DTR, 1),
        (CONTROL, Control.INBOUND_HARDWARE, 1),
    ],
)
def test_lenient_repeats_a_refused_value_and_tells_the_truth_when_asked(
    command: Command, value: int, after: int
) -> None:
    line = Uart(Parity.MARK)
    access = begun(line, lenient=True)
    assert ask(access, line, (command, value)) == [encode_answer(command, value)]
    assert line.settings() == LineSettings()
    assert ask(access, line, (command, 0)) == [encode_answer(command, after)]


@pytest.mark.parametrize(
    ("command", "value", "in_force"),
    [(SIZE, 9, 8), (PARITY, 6, 1), (STOP, 4, 1), (CONTROL, 20, 1), (Command.PURGE_DATA, 4, 0)],
)
def test_lenient_does_not_repeat_what_is_not_defined(
    command: Command, value: int, in_force: int
) -> None:
    line = Uart()
    access = begun(line, lenient=True)
    assert ask(access, line, (command, value)) == [encode_answer(command, in_force)]


# ---- signal policies


@pytest.mark.parametrize("free", [Signal.NONE, Signal.DTR, Signal.RTS])
def test_requests_for_an_output_with_a_policy_are_acknowledged_and_not_acted_upon(
    free: Signal,
) -> None:
    line = Uart()
    access = AccessServer("gatewayd", client_signals=free)
    access.begin(line)
    requests = [(CONTROL, 9), (CONTROL, 7), (CONTROL, 12), (CONTROL, 10), (CONTROL, 8)]
    answers = ask(access, line, *requests)
    assert answers == [encode_answer(CONTROL, value) for value in (9, 9, 12, 12, 8)]
    assert line.moved == free


# ---- hand-over


@given(ROWS)
def test_a_successor_goes_on_where_the_server_was(rows: list[Row]) -> None:
    line = Uart()
    before = begun(line)
    perform(before, [row.request for row in rows], line)
    after = AccessServer("gatewayd")
    after.restore(json.loads(json.dumps(before.snapshot())), line)
    queries = [Request(CONTROL, value) for value in (0, 4, 7, 10, 13)]
    assert perform(after, queries, line) == perform(before, queries, line)
    assert after.signals_changed(Signal.NONE) == before.signals_changed(Signal.NONE)
    assert after.snapshot() == before.snapshot()


@pytest.mark.parametrize(
    "damage",
    [
        {},
        {"linestate_mask": "x"},
        {"outputs": "DTR"},
        {"signals": None},
    ],
)
def test_a_damaged_hand_over_is_refused(damage: dict[str, object]) -> None:
    line = Uart()
    snapshot = {**begun(line).snapshot(), **damage} if damage else {}
    with pytest.raises((KeyError, ValueError, TypeError)):
        AccessServer("gatewayd").restore(snapshot, line)
