"""Each Com Port Control command with each of its values: what is answered, what the line does.

The one table that the tests run, on a UART's registers and on a real PTY, and that
docs/rfc2217.md prints; see `published`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import pytest

from gatewayd.comport.wire import (
    Command,
    Control,
    LineState,
    ModemState,
    Request,
    encode_answer,
    encode_signature,
)

SIGNATURE: Final = "gatewayd VERSION PORT"

Answers = tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Row:
    """One request on a fresh session of a line at 9600 8N1, and what must come of it."""

    request: Request
    meaning: str
    answers: Answers
    effect: str = ""
    """As the tests' `describe` tells it; empty where the line stays as it was."""
    ser2net: Answers | None = None
    """The answers of ser2net 4.3.11 on a PTY; None for the same."""
    after: tuple[Request, ...] = ()
    """Requests before this one, in the same session."""
    remark: str = ""
    """On the effect, where the line's state does not show it."""
    ser2net_remark: str = ""


def _one(command: Command, value: int) -> Answers:
    return (encode_answer(command, value),)


NONE: Final[Answers] = ()
_SER2NET_SIGNATURE: Final = (encode_signature(b"ser2net"),)
_BAUD, _SIZE, _PARITY, _STOP, _CONTROL = (
    Command.SET_BAUDRATE,
    Command.SET_DATASIZE,
    Command.SET_PARITY,
    Command.SET_STOPSIZE,
    Command.SET_CONTROL,
)
_PLUGGED: Final = ModemState.CTS | ModemState.DSR | ModemState.CD
_EMPTY: Final = LineState.HOLDING_EMPTY | LineState.SHIFT_EMPTY
_LINESTATE_0: Final = _one(Command.NOTIFY_LINESTATE, 0)
_MODEMSTATE_0: Final = _one(Command.NOTIFY_MODEMSTATE, 0)


def _baud(
    value: int,
    meaning: str,
    answer: int,
    effect: str = "",
    *,
    ser2net: int | None = None,
) -> Row:
    theirs = None if ser2net is None else _one(_BAUD, ser2net)
    answers = _one(_BAUD, answer)
    return Row(Request(_BAUD, value), meaning, answers, effect, theirs)


def _set(
    command: Command,
    value: int,
    meaning: str,
    answer: int,
    effect: str = "",
    *,
    ser2net: int | Answers | None = None,
    after: tuple[Request, ...] = (),
    remark: str = "",
    ser2net_remark: str = "",
) -> Row:
    theirs = _one(command, ser2net) if isinstance(ser2net, int) else ser2net
    return Row(
        Request(command, value),
        meaning,
        _one(command, answer),
        effect,
        theirs,
        after,
        remark=remark,
        ser2net_remark=ser2net_remark,
    )


def _control(
    value: int,
    answer: int,
    effect: str = "",
    *,
    meaning: str | None = None,
    ser2net: int | Answers | None = None,
    after: tuple[int, ...] = (),
    ser2net_remark: str = "",
) -> Row:
    return _set(
        _CONTROL,
        value,
        meaning or _CONTROLS[Control(value)],
        answer,
        effect,
        ser2net=ser2net,
        after=tuple(Request(_CONTROL, earlier) for earlier in after),
        ser2net_remark=ser2net_remark,
    )


_CONTROLS: Final = {
    Control.FLOW_QUERY: "which flow control?",
    Control.FLOW_NONE: "no flow control",
    Control.FLOW_XONXOFF: "XON/XOFF, both ways",
    Control.FLOW_HARDWARE: "RTS/CTS, both ways",
    Control.BREAK_QUERY: "is break on?",
    Control.BREAK_ON: "break on",
    Control.BREAK_OFF: "break off",
    Control.DTR_QUERY: "is DTR on?",
    Control.DTR_ON: "DTR on",
    Control.DTR_OFF: "DTR off",
    Control.RTS_QUERY: "is RTS on?",
    Control.RTS_ON: "RTS on",
    Control.RTS_OFF: "RTS off",
    Control.INBOUND_QUERY: "which inbound flow control?",
    Control.INBOUND_NONE: "no inbound flow control",
    Control.INBOUND_XONXOFF: "XON/XOFF inbound",
    Control.INBOUND_HARDWARE: "RTS inbound",
    Control.FLOW_DCD: "DCD flow control: Linux has none",
    Control.INBOUND_DTR: "DTR inbound: Linux has none",
    Control.FLOW_DSR: "DSR flow control: Linux has none",
}

TABLE: Final = (
    # ---- SIGNATURE
    Row(
        Request(Command.SIGNATURE),
        "who are you?",
        (encode_signature(SIGNATURE.encode()),),
        ser2net=_SER2NET_SIGNATURE,
    ),
    Row(
        Request(Command.SIGNATURE, text=b"me"),
        "who I am",
        NONE,
        ser2net=_SER2NET_SIGNATURE,
    ),
    # ---- SET-BAUDRATE
    _baud(0, "which rate?", 9600),
    _baud(9600, "as it is", 9600),
    _baud(115200, "", 115200, "115200 Bd"),
    _baud(12345, "no standard rate", 12345, "12345 Bd"),
    _baud(31250, "MIDI", 31250, "31250 Bd"),
    _baud(4_000_000, "", 4_000_000, "4000000 Bd"),
    _baud(4_294_967_295, "beyond all hardware", 9600, ser2net=4_294_967_295),
    # ---- SET-DATASIZE
    _set(_SIZE, 0, "how many?", 8),
    _set(_SIZE, 4, "undefined", 8, ser2net=NONE),
    _set(_SIZE, 5, "", 5, "5 data bits"),
    _set(_SIZE, 6, "", 6, "6 data bits"),
    _set(_SIZE, 7, "", 7, "7 data bits"),
    _set(_SIZE, 8, "as it is", 8),
    _set(_SIZE, 9, "undefined", 8, ser2net=NONE),
    _set(_SIZE, 255, "undefined", 8, ser2net=NONE),
    # ---- SET-PARITY
    _set(_PARITY, 0, "which?", 1),
    _set(_PARITY, 1, "none: as it is", 1),
    _set(_PARITY, 2, "odd", 2, "parity odd"),
    _set(_PARITY, 3, "even", 3, "parity even"),
    _set(_PARITY, 4, "mark", 4, "parity mark"),
    _set(_PARITY, 5, "space", 5, "parity space"),
    _set(_PARITY, 3, "even, after mark", 3, "parity even", ser2net=5, after=(Request(_PARITY, 4),)),
    _set(_PARITY, 2, "odd, after space", 2, "parity odd", ser2net=4, after=(Request(_PARITY, 5),)),
    _set(_PARITY, 6, "undefined", 1, ser2net=NONE),
    _set(_PARITY, 255, "undefined", 1, ser2net=NONE),
    # ---- SET-STOPSIZE
    _set(_STOP, 0, "how many?", 1),
    _set(_STOP, 1, "1: as it is", 1),
    _set(_STOP, 2, "2", 2, "2 stop bits"),
    _set(_STOP, 3, "1.5 with 8 data bits: a UART has none", 1, ser2net=NONE),
    _set(
        _STOP,
        3,
        "1.5 with 5 data bits",
        3,
        "1.5 stop bits",
        ser2net=NONE,
        after=(Request(_SIZE, 5),),
    ),
    _set(
        _STOP,
        2,
        "2 with 5 data bits: a UART sends 1.5",
        3,
        "1.5 stop bits",
        ser2net=2,
        after=(Request(_SIZE, 5),),
    ),
    _set(_STOP, 4, "undefined", 1, ser2net=NONE),
    _set(_STOP, 255, "undefined", 1, ser2net=NONE),
    # ---- SET-CONTROL
    _control(0, 1),
    _control(0, 2, meaning="which, after 2", after=(2,)),
    _control(0, 3, meaning="which, after 3", after=(3,)),
    _control(1, 1),
    _control(1, 1, "ixon off, ixoff off", meaning="no flow control, after 2", after=(2,)),
    _control(2, 2, "ixon on, ixoff on"),
    _control(3, 3, "rtscts on"),
    _control(4, 6, ser2net=5),
    _control(4, 5, meaning="is break on, after 5", after=(5,)),
    _control(5, 5, "break on"),
    _control(6, 6, ser2net=5, ser2net_remark="done all the same"),
    _control(6, 6, "break off", meaning="break off, after 5", ser2net=5, after=(5,)),
    _control(7, 8, ser2net=7),
    _control(7, 9, meaning="is DTR on, after 9", after=(9,), ser2net=7),
    _control(8, 8, ser2net=NONE),
    _control(9, 9, "DTR off", ser2net=NONE),
    _control(8, 8, "DTR on", meaning="DTR on, after 9", after=(9,), ser2net=NONE),
    _control(10, 11, ser2net=10),
    _control(10, 12, meaning="is RTS on, after 12", after=(12,), ser2net=10),
    _control(11, 11, ser2net=NONE),
    _control(12, 12, "RTS off", ser2net=NONE),
    _control(11, 11, "RTS on", meaning="RTS on, after 12", after=(12,), ser2net=NONE),
    _control(13, 14),
    _control(13, 15, meaning="which inbound, after 2", after=(2,), ser2net=16),
    _control(13, 16, meaning="which inbound, after 3", after=(3,), ser2net=14),
    _control(14, 14),
    _control(14, 14, "ixoff off", meaning="no inbound, after 2", after=(2,), ser2net=16),
    _control(14, 16, meaning="no inbound, after 3", after=(3,), ser2net=14),
    _control(15, 15, "ixoff on", ser2net=14),
    _control(15, 16, meaning="XON/XOFF inbound, after 3", after=(3,), ser2net=14),
    _control(0, 1, meaning="which flow control, after 15", after=(15,)),
    _control(16, 14, ser2net=14),
    _control(16, 16, meaning="RTS inbound, after 3", after=(3,), ser2net=14),
    _control(17, 1, ser2net=14),
    _control(18, 14),
    _control(19, 1, ser2net=14),
    _control(20, 1, meaning="undefined", ser2net=NONE),
    _control(255, 1, meaning="undefined", ser2net=NONE),
    # ---- NOTIFY-LINESTATE, NOTIFY-MODEMSTATE: a client polls
    Row(
        Request(Command.NOTIFY_LINESTATE),
        "poll",
        _one(Command.NOTIFY_LINESTATE, _EMPTY),
        ser2net=NONE,
    ),
    Row(
        Request(Command.NOTIFY_MODEMSTATE),
        "poll",
        _one(Command.NOTIFY_MODEMSTATE, _PLUGGED),
        ser2net=NONE,
    ),
    # ---- FLOWCONTROL-SUSPEND, FLOWCONTROL-RESUME
    Row(
        Request(Command.FLOWCONTROL_SUSPEND),
        "send me nothing",
        NONE,
        ser2net=_one(_CONTROL, 1),
        remark="acts when it is read",
    ),
    Row(
        Request(Command.FLOWCONTROL_RESUME),
        "go on",
        NONE,
        ser2net=_one(_CONTROL, 1),
        remark="acts when it is read",
    ),
    # ---- the masks
    _set(Command.SET_LINESTATE_MASK, 0, "tell nothing", 0, ser2net=_LINESTATE_0),
    _set(Command.SET_LINESTATE_MASK, 16, "tell of breaks", 16, ser2net=_LINESTATE_0),
    _set(Command.SET_LINESTATE_MASK, 255, "tell all", 255, ser2net=_LINESTATE_0),
    _set(Command.SET_MODEMSTATE_MASK, 0, "tell nothing", 0, ser2net=_MODEMSTATE_0),
    Row(
        Request(Command.SET_MODEMSTATE_MASK, 128),
        "tell of CD",
        (
            encode_answer(Command.SET_MODEMSTATE_MASK, 128),
            encode_answer(Command.NOTIFY_MODEMSTATE, ModemState.CD),
        ),
        ser2net=_MODEMSTATE_0,
    ),
    Row(
        Request(Command.SET_MODEMSTATE_MASK, 255),
        "tell all",
        (
            encode_answer(Command.SET_MODEMSTATE_MASK, 255),
            encode_answer(Command.NOTIFY_MODEMSTATE, _PLUGGED),
        ),
        ser2net=_MODEMSTATE_0,
    ),
    # ---- PURGE-DATA
    _set(Command.PURGE_DATA, 0, "undefined", 0),
    _set(Command.PURGE_DATA, 1, "receive buffer", 1, remark="acts when it is read"),
    _set(Command.PURGE_DATA, 2, "transmit buffer", 2, remark="acts when it is read"),
    _set(Command.PURGE_DATA, 3, "both", 3, remark="acts when it is read"),
    _set(Command.PURGE_DATA, 4, "undefined", 0, ser2net=4),
    _set(Command.PURGE_DATA, 255, "undefined", 0, ser2net=255),
)


def named(rows: Iterable[Row]) -> list[object]:
    """The rows as parameters that a failing test can be told by."""
    return [
        pytest.param(row, id=f"{row.request.command.name}-{row.request.value}-{row.meaning}")
        for row in rows
    ]
