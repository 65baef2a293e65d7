"""What clients of the RFC 2217 face say and get, and what comes to the line, on any layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gatewayd.comport.wire import Command
from gatewayd.telnet.constants import Command as Telnet
from gatewayd.telnet.constants import Option
from tests.port.wire import (
    IAC,
    LEVELS,
    OPENING,
    answer,
    ask,
    command,
    do,
    dont,
    notify,
    sub,
    will,
    wont,
)


@dataclass(frozen=True)
class Step:
    """One exchange."""

    sends: bytes = b""
    gets: bytes = b""
    reaches: bytes = b""
    """What comes to the line by it."""
    device: bytes = b""
    """What the device sends once that has come."""
    told: bytes = b""
    """What the client gets of that."""


BEGIN: Final = Step(gets=OPENING)
AGREE: Final = Step(
    do(0) + will(0) + do(3) + will(3) + will(Option.COM_PORT),
    notify(LEVELS),
)
EVERY: Final = bytes(range(256))
DOUBLED: Final = EVERY.replace(IAC, IAC + IAC)

DIALOGUES: Final[dict[str, tuple[Step, ...]]] = {
    "refusals": (
        BEGIN,
        Step(dont(0) + wont(0) + dont(3) + wont(3) + wont(Option.COM_PORT) + b"x", b"", b"x"),
        Step(device=b"a\rb\xff", told=b"a\r\0b\xff\xff"),
    ),
    "unknown options": (
        BEGIN,
        Step(will(24) + do(31) + will(36) + do(255), dont(24) + wont(31) + dont(36) + wont(255)),
    ),
    "binary both ways": (BEGIN, AGREE, Step(DOUBLED * 8, b"", EVERY * 8, EVERY, DOUBLED)),
    "lines of a network virtual terminal": (
        BEGIN,
        Step(b"a\r\nb\r\0c\r", b"", b"a\r\nb\rc\r", b"a\r\nb\rc", b"a\r\nb\r\0c"),
        Step(b"\0d", b"", b"d"),
    ),
    "settings in the order of the bytes": (
        BEGIN,
        AGREE,
        Step(
            b"before"
            + ask(Command.SET_BAUDRATE, 19200)
            + ask(Command.SET_DATASIZE, 7)
            + ask(Command.SET_PARITY, 3)
            + ask(Command.SET_STOPSIZE, 2)
            + b"after",
            answer(Command.SET_BAUDRATE, 19200)
            + answer(Command.SET_DATASIZE, 7)
            + answer(Command.SET_PARITY, 3)
            + answer(Command.SET_STOPSIZE, 2),
            b"beforeafter",
        ),
    ),
    "masks and a purge": (
        BEGIN,
        AGREE,
        Step(
            ask(Command.SET_LINESTATE_MASK, 255)
            + ask(Command.PURGE_DATA, 3)
            + ask(Command.SET_MODEMSTATE_MASK, 0),
            answer(Command.SET_LINESTATE_MASK, 255)
            + answer(Command.PURGE_DATA, 3)
            + answer(Command.SET_MODEMSTATE_MASK, 0),
        ),
    ),
    "signals": (
        BEGIN,
        AGREE,
        Step(
            b"".join(ask(Command.SET_CONTROL, value) for value in (9, 7, 12, 10, 8, 11)),
            b"".join(answer(Command.SET_CONTROL, value) for value in (9, 9, 12, 12, 8, 11)),
        ),
    ),
    "suspended": (
        BEGIN,
        AGREE,
        Step(
            ask(Command.FLOWCONTROL_SUSPEND)
            + ask(Command.SET_PARITY)
            + ask(Command.FLOWCONTROL_RESUME),
            answer(Command.SET_PARITY, 1),
        ),
    ),
    "functions": (
        BEGIN,
        AGREE,
        Step(
            b"a" + command(Telnet.IP) + command(Telnet.EC) + command(Telnet.NOP) + b"b",
            b"",
            b"a\x03\x7fb",
        ),
        Step(command(Telnet.AYT), b"\r\n[psu1: yes]\r\n"),
        Step(do(Option.TIMING_MARK), will(Option.TIMING_MARK)),
    ),
    "status": (
        BEGIN,
        AGREE,
        Step(do(Option.STATUS), will(Option.STATUS)),
        Step(
            sub(Option.STATUS, b"\x01"),
            sub(Option.STATUS, bytes.fromhex("00 fb00 fd00 fb03 fd03 fd2c fb05")),
        ),
    ),
    "what no RFC allows": (
        BEGIN,
        AGREE,
        Step(
            b"a"
            + sub(Option.BINARY, b"\x0c\x03")
            + sub(77, b"x" * 2000)
            + command(Telnet.SE)
            + sub(Option.COM_PORT, b"\x63")
            + b"b"
            + ask(Command.SET_DATASIZE),
            answer(Command.SET_DATASIZE, 8),
            b"ab",
        ),
    ),
}
