"""Com Port Control on the wire (RFC 2217): numbers, and what a subnegotiation's payload means.

A pure codec; what to do about a request is decided in `access`.
"""

from __future__ import annotations

import enum
from functools import cache
from typing import Final

from gatewayd.line.model import INPUT_SIGNALS, LineErrors, Parity, Signal, StopBits
from gatewayd.value import Value


class Command(enum.IntEnum):
    """Client to server; the server's answer has `ANSWER` added (RFC 2217, section 2)."""

    SIGNATURE = 0
    SET_BAUDRATE = 1
    SET_DATASIZE = 2
    SET_PARITY = 3
    SET_STOPSIZE = 4
    SET_CONTROL = 5
    NOTIFY_LINESTATE = 6
    NOTIFY_MODEMSTATE = 7
    FLOWCONTROL_SUSPEND = 8
    FLOWCONTROL_RESUME = 9
    SET_LINESTATE_MASK = 10
    SET_MODEMSTATE_MASK = 11
    PURGE_DATA = 12


ANSWER: Final = 100


class Control(enum.IntEnum):
    """The values of SET-CONTROL (RFC 2217, section 3)."""

    FLOW_QUERY = 0
    FLOW_NONE = 1
    FLOW_XONXOFF = 2
    FLOW_HARDWARE = 3
    BREAK_QUERY = 4
    BREAK_ON = 5
    BREAK_OFF = 6
    DTR_QUERY = 7
    DTR_ON = 8
    DTR_OFF = 9
    RTS_QUERY = 10
    RTS_ON = 11
    RTS_OFF = 12
    INBOUND_QUERY = 13
    INBOUND_NONE = 14
    INBOUND_XONXOFF = 15
    INBOUND_HARDWARE = 16
    FLOW_DCD = 17
    INBOUND_DTR = 18
    FLOW_DSR = 19


class LineState(enum.IntFlag):
    """The bits of NOTIFY-LINESTATE (RFC 2217, section 4)."""

    DATA_READY = 1
    OVERRUN = 2
    PARITY = 4
    FRAMING = 8
    BREAK = 16
    HOLDING_EMPTY = 32
    SHIFT_EMPTY = 64
    TIMEOUT = 128


class ModemState(enum.IntFlag):
    """The bits of NOTIFY-MODEMSTATE (RFC 2217, section 4)."""

    DELTA_CTS = 1
    DELTA_DSR = 2
    TRAILING_RI = 4
    DELTA_CD = 8
    CTS = 16
    DSR = 32
    RI = 64
    CD = 128


PARITIES: Final = {
    1: Parity.NONE,
    2: Parity.ODD,
    3: Parity.EVEN,
    4: Parity.MARK,
    5: Parity.SPACE,
}
PARITY_CODES: Final = {parity: code for code, parity in PARITIES.items()}
STOPSIZES: Final = {1: StopBits.ONE, 2: StopBits.TWO, 3: StopBits.ONE_POINT_FIVE}
STOPSIZE_CODES: Final = {stopbits: code for code, stopbits in STOPSIZES.items()}

_COMMANDS: Final = {int(command): command for command in Command}
_SIZES: Final = {
    Command.SET_BAUDRATE: 4,
    Command.SET_DATASIZE: 1,
    Command.SET_PARITY: 1,
    Command.SET_STOPSIZE: 1,
    Command.SET_CONTROL: 1,
    Command.FLOWCONTROL_SUSPEND: 0,
    Command.FLOWCONTROL_RESUME: 0,
    Command.SET_LINESTATE_MASK: 1,
    Command.SET_MODEMSTATE_MASK: 1,
    Command.PURGE_DATA: 1,
}


class Request(Value):
    """One command of a client. `value` is its number, 0 where it has none; `text` a signature."""

    command: Command
    value: int = 0
    text: bytes = b""


class Malformed(Value):
    """A payload that is no request."""

    reason: str


def decode_request(payload: bytes) -> Request | Malformed:
    """Read the payload of a client's IAC SB COM-PORT. Total: what is wrong becomes `Malformed`."""
    if not payload:
        return Malformed("empty Com Port Control subnegotiation")
    command = _COMMANDS.get(payload[0])
    if command is None:
        return Malformed(f"unknown Com Port Control command {payload[0]}")
    value = payload[1:]
    if command is Command.SIGNATURE:
        return Request(command, text=value)
    if command in (Command.NOTIFY_LINESTATE, Command.NOTIFY_MODEMSTATE):
        # Clients poll by sending the notification back, with a value or without.
        return Request(command)
    if len(value) != _SIZES[command]:
        return Malformed(f"{command.name} with {len(value)} bytes, {_SIZES[command]} are due")
    return Request(command, int.from_bytes(value, "big"))


def encode_request(request: Request) -> bytes:
    """The payload that `decode_request` reads: what a client sends."""
    if request.command is Command.SIGNATURE:
        return bytes((request.command,)) + request.text
    size = _SIZES.get(request.command, 0)
    return bytes((request.command,)) + request.value.to_bytes(size, "big")


def encode_answer(command: Command, value: int) -> bytes:
    """The server's answer or notification: command + 100, and a value of the command's size."""
    size = _SIZES.get(command, 1)
    return bytes((command + ANSWER,)) + value.to_bytes(size, "big")


def encode_signature(text: bytes) -> bytes:
    """The server's SIGNATURE."""
    return bytes((Command.SIGNATURE + ANSWER,)) + text


_LEVELS: Final = {
    Signal.CTS: ModemState.CTS,
    Signal.DSR: ModemState.DSR,
    Signal.RI: ModemState.RI,
    Signal.CD: ModemState.CD,
}
_DELTAS: Final = {
    Signal.CTS: ModemState.DELTA_CTS,
    Signal.DSR: ModemState.DELTA_DSR,
    Signal.CD: ModemState.DELTA_CD,
}


@cache
def modem_state(before: Signal, now: Signal) -> ModemState:
    """The levels of `now`, with the delta bits of what differs from `before`.

    RI counts where it ends only: the bit is TRAILING-EDGE RI, as in a 16550.
    """
    state = ModemState(0)
    for signal, bit in _LEVELS.items():
        if now & signal:
            state |= bit
    for signal in (before ^ now) & INPUT_SIGNALS:
        if signal in _DELTAS:
            state |= _DELTAS[signal]
        elif before & signal:
            state |= ModemState.TRAILING_RI
    return state


def line_state(before: LineErrors, now: LineErrors) -> LineState:
    """The error bits for the counts that grew from `before` to `now`."""
    state = LineState(0)
    if now.break_ > before.break_:
        state |= LineState.BREAK
    if now.framing > before.framing:
        state |= LineState.FRAMING
    if now.parity > before.parity:
        state |= LineState.PARITY
    if now.overrun > before.overrun or now.buffer_overrun > before.buffer_overrun:
        state |= LineState.OVERRUN
    return state
