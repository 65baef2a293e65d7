"""The codec of Com Port Control."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gatewayd.comport.wire import (
    ANSWER,
    PARITIES,
    PARITY_CODES,
    STOPSIZE_CODES,
    STOPSIZES,
    Command,
    LineState,
    Malformed,
    ModemState,
    Request,
    decode_request,
    encode_answer,
    encode_request,
    encode_signature,
    line_state,
    modem_state,
)
from gatewayd.line.model import LineErrors, Parity, Signal, StopBits

BYTE = st.integers(0, 255)
BYTE_COMMANDS = (
    Command.SET_DATASIZE,
    Command.SET_PARITY,
    Command.SET_STOPSIZE,
    Command.SET_CONTROL,
    Command.SET_LINESTATE_MASK,
    Command.SET_MODEMSTATE_MASK,
    Command.PURGE_DATA,
)
BARE_COMMANDS = (
    Command.NOTIFY_LINESTATE,
    Command.NOTIFY_MODEMSTATE,
    Command.FLOWCONTROL_SUSPEND,
    Command.FLOWCONTROL_RESUME,
)
REQUESTS = st.one_of(
    st.builds(Request, st.just(Command.SIGNATURE), text=st.binary()),
    st.builds(Request, st.just(Command.SET_BAUDRATE), st.integers(0, 2**32 - 1)),
    st.builds(Request, st.sampled_from(BYTE_COMMANDS), BYTE),
    st.builds(Request, st.sampled_from(BARE_COMMANDS)),
)
INPUTS = st.integers(0, 63).map(Signal)
COUNTS = st.builds(LineErrors, *[st.integers(0, 5)] * 5)


def test_every_command_is_among_the_requests() -> None:
    drawn = {Command.SIGNATURE, Command.SET_BAUDRATE, *BYTE_COMMANDS, *BARE_COMMANDS}
    assert drawn == set(Command)


@given(REQUESTS)
def test_what_is_encoded_decodes(request: Request) -> None:
    assert decode_request(encode_request(request)) == request


@given(st.binary(max_size=8))
@example(b"")
@example(b"\x01\x00\x00")
def test_every_payload_is_a_request_or_malformed(payload: bytes) -> None:
    decoded = decode_request(payload)
    if isinstance(decoded, Malformed):
        assert decoded.reason
    elif decoded.command not in (Command.NOTIFY_LINESTATE, Command.NOTIFY_MODEMSTATE):
        assert encode_request(decoded) == payload


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "empty"),
        (b"\x0d", "unknown Com Port Control command 13"),
        (b"\x6b\x00", "unknown Com Port Control command 107"),
        (b"\x01\x00\x00\x25", "SET_BAUDRATE with 3 bytes, 4 are due"),
        (b"\x01\x00\x00\x25\x80\x00", "SET_BAUDRATE with 5 bytes, 4 are due"),
        (b"\x05", "SET_CONTROL with 0 bytes, 1 are due"),
        (b"\x08\x00", "FLOWCONTROL_SUSPEND with 1 bytes, 0 are due"),
    ],
)
def test_a_malformed_payload_says_what_is_wrong(payload: bytes, reason: str) -> None:
    decoded = decode_request(payload)
    assert isinstance(decoded, Malformed)
    assert reason in decoded.reason


@pytest.mark.parametrize("command", [Command.NOTIFY_LINESTATE, Command.NOTIFY_MODEMSTATE])
@given(value=st.binary(max_size=3))
def test_a_poll_may_carry_anything(command: Command, value: bytes) -> None:
    assert decode_request(bytes((command,)) + value) == Request(command)


def test_a_baud_rate_is_four_bytes_with_the_highest_first() -> None:
    assert encode_answer(Command.SET_BAUDRATE, 115200) == b"\x65\x00\x01\xc2\x00"
    assert encode_request(Request(Command.SET_BAUDRATE, 255)) == b"\x01\x00\x00\x00\xff"


@given(st.sampled_from(BYTE_COMMANDS), BYTE)
def test_an_answer_is_the_command_plus_100(command: Command, value: int) -> None:
    assert encode_answer(command, value) == bytes((command + ANSWER, value))


def test_a_signature_is_bare_text() -> None:
    assert encode_signature(b"gatewayd") == b"\x64gatewayd"


def test_each_parity_and_stop_size_has_one_code() -> None:
    assert set(PARITY_CODES) == set(Parity)
    assert set(STOPSIZE_CODES) == set(StopBits)
    assert all(PARITIES[code] is parity for parity, code in PARITY_CODES.items())
    assert all(STOPSIZES[code] is size for size, code in STOPSIZE_CODES.items())


# ---- modem state

LEVELS = [
    (Signal.CTS, ModemState.CTS),
    (Signal.DSR, ModemState.DSR),
    (Signal.RI, ModemState.RI),
    (Signal.CD, ModemState.CD),
]


@pytest.mark.parametrize(("signal", "level"), LEVELS)
def test_a_line_that_rises(signal: Signal, level: ModemState) -> None:
    delta = ModemState(0) if signal is Signal.RI else ModemState(level >> 4)
    assert modem_state(Signal.NONE, signal) == level | delta


@pytest.mark.parametrize(("signal", "level"), LEVELS)
def test_a_line_that_falls(signal: Signal, level: ModemState) -> None:
    assert modem_state(signal, Signal.NONE) == ModemState(level >> 4)


@given(INPUTS, INPUTS)
def test_lines_do_not_disturb_each_other(before: Signal, now: Signal) -> None:
    alone = ModemState(0)
    for signal, _ in LEVELS:
        alone |= modem_state(before & signal, now & signal)
    assert modem_state(before, now) == alone


@given(INPUTS)
def test_what_does_not_change_has_no_delta(signals: Signal) -> None:
    assert not modem_state(signals, signals) & 0x0F


def test_our_own_outputs_are_no_modem_state() -> None:
    assert modem_state(Signal.NONE, Signal.DTR | Signal.RTS) == ModemState(0)


# ---- line state

ERRORS = [
    (LineErrors(break_=1), LineState.BREAK),
    (LineErrors(framing=1), LineState.FRAMING),
    (LineErrors(parity=1), LineState.PARITY),
    (LineErrors(overrun=1), LineState.OVERRUN),
    (LineErrors(buffer_overrun=1), LineState.OVERRUN),
]


@pytest.mark.parametrize(("now", "bit"), ERRORS)
def test_each_error_has_its_bit(now: LineErrors, bit: LineState) -> None:
    assert line_state(LineErrors(), now) == bit
    assert line_state(now, now) == LineState(0)


@given(COUNTS, COUNTS)
def test_only_a_count_that_grew_is_an_error(before: LineErrors, now: LineErrors) -> None:
    grew = {
        LineState.BREAK: now.break_ > before.break_,
        LineState.FRAMING: now.framing > before.framing,
        LineState.PARITY: now.parity > before.parity,
        LineState.OVERRUN: now.overrun > before.overrun
        or now.buffer_overrun > before.buffer_overrun,
    }
    state = line_state(before, now)
    assert {bit: bool(state & bit) for bit in grew} == grew
