"""The settings that ser2net gives to a serial device: `9600n81,local`, `19200 EVEN 7DATABITS`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from gatewayd.config.values import parse_line
from gatewayd.line.model import LineSettings, SignalPolicies, SignalPolicy
from gatewayd.ser2net.gensio import Stack, split
from gatewayd.ser2net.model import Connection, LeftOutError, Option, Remark
from gatewayd.value import replace

SPEED = re.compile(r"(\d{1,8})([NEOMS]?)([5-8]?)([12]?)", re.IGNORECASE)
WORD = re.compile(r"EVEN|ODD|NONE|MARK|SPACE|[5-8]DATABITS|[12]STOPBITS?", re.IGNORECASE)
"""How ser2net 3 says in several words what version 4 says in one."""

GIVEN = frozenset({"local", "nobreak", "custspeed", "nouucplock"})
"""Options that ask for what gatewayd does anyway."""
LOST = {
    "hangup-when-done": "DTR is not dropped when a client goes; see signals",
    "rs485": "RS-485 is not supported",
}
SPEED_WORDS = {"databits": "{}DATABITS", "stopbits": "{}STOPBITS", "parity": "{}"}
"""Options that say a part of a speed, and how it is said in a word."""
DEFAULTS = GIVEN | LOST.keys() | {"speed", *SPEED_WORDS, "xonxoff", "rtscts", "dtr", "rts"}
"""Options that may also be set for all devices."""


def line_of(
    connector: Stack, connection: Connection, remarks: list[Remark]
) -> tuple[LineSettings, SignalPolicies]:
    """How the line and its outputs are set; what is lost is added to `remarks`.

    Raises ValueError for settings that no line can have, LeftOutError for no tty at all.
    """
    line, signals = LineSettings(), SignalPolicies()
    defaults = connection.in_force("serialdev", DEFAULTS)
    # A speed may say all of it, and so comes first.
    in_order = sorted(defaults.values(), key=lambda option: option.name != "speed")
    for option in (*in_order, *_given(connector, connection)):
        match option.name.lower():
            case "speed":
                line = _with_speed(option.value, line)
            case "databits" | "stopbits" | "parity" as name:
                line = _with_speed(SPEED_WORDS[name].format(option.value), line)
            case "xonxoff":
                line = line._replace(ixon=option.true, ixoff=option.true)
            case "rtscts":
                line = line._replace(rtscts=option.true)
            case "dtr" | "rts" as name:
                policy = SignalPolicy.ON if option.true else SignalPolicy.OFF
                signals = replace(signals, **{name: policy})
            case "wronly" if option.true:
                raise LeftOutError("since gatewayd serves ttys only, and no printers")
            case "local" if not option.true:
                text = "local=false: the carrier is told to clients, and not obeyed"
                remarks.append(Remark(option.line, text))
            case name if name not in GIVEN and not option.idle:
                reason = LOST.get(name, "has no counterpart")
                remarks.append(Remark(option.line, f"{option.name}: {reason}"))
    return line, signals


def _given(connector: Stack, connection: Connection) -> Iterator[Option]:
    """The options behind the device and in parentheses."""
    words = [word for words in connector.words[1:] for word in split(words, " \t\n")]
    for word in (*connector.bottom.options, *words):
        name, equals, value = word.partition("=")
        if SPEED.fullmatch(word) or WORD.fullmatch(word):
            name, value = "speed", word
        if word:
            at = connection.connector.line
            yield Option(name, value if equals or value else "true", at)


def _with_speed(text: str, line: LineSettings) -> LineSettings:
    """`line` with what `text` says: `9600n81`, `19200`, `EVEN`, `7DATABITS`. Raises ValueError."""
    form = SPEED.fullmatch(text)
    word = text.upper()
    if form is not None:
        rate, parity, size, stop = form.groups()
    elif WORD.fullmatch(word):
        rate, parity, size, stop = "", "", "", ""
        if word.endswith("DATABITS"):
            size = word[0]
        elif "STOPBIT" in word:
            stop = word[0]
        else:
            parity = word[0]
    else:
        raise ValueError(f"{text!r} is no speed")
    said = parse_line(
        f"{int(rate or line.baudrate)} {size or line.bytesize}{parity or line.parity.value}"
        f"{stop or format(line.stopbits.value, 'g')}"
    )
    return said._replace(ixon=line.ixon, ixoff=line.ixoff, rtscts=line.rtscts)
