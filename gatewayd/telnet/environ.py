"""NEW-ENVIRON (RFC 1572): what a client says of itself, such as a user's name.

Nothing of it is proven, and all of it is bounded.
"""

from __future__ import annotations

import re
from typing import Final

from gatewayd.value import Value

IS, SEND, INFO = 0, 1, 2
VAR, VALUE, ESC, USERVAR = 0, 1, 2, 3

MOST_VARIABLES: Final = 16
LONGEST_NAME: Final = 64
LONGEST_VALUE: Final = 256
"""Bytes. What is longer is left out, and so are variables behind the last that counts."""
LONGEST_CALLED: Final = 32

_VARIABLE: Final = re.compile(
    rb"([\x00\x03])((?:[^\x00-\x03]|\x02[\s\S])*)(\x01(?:[^\x00-\x03]|\x02[\s\S])*)?"
)
_QUOTED: Final = re.compile(rb"\x02([\s\S])")
_TO_QUOTE: Final = re.compile(rb"[\x00-\x03]")


class Variable(Value):
    """One of them. `value` is None for one that is not defined, `user` marks a USERVAR."""

    name: bytes
    value: bytes | None
    user: bool = False


def ask(*names: str) -> bytes:
    """The payload that asks for these well-known variables, and for nothing else: an empty list
    would ask for all that a client has."""
    return bytes((SEND,)) + b"".join(
        bytes((VAR,)) + _TO_QUOTE.sub(lambda byte: b"\x02" + byte[0], name.encode())
        for name in names
    )


def decode(payload: bytes) -> list[Variable] | None:
    """What a client tells, by IS or INFO; None for what it may not say, or is malformed."""
    if payload[:1] not in (bytes((IS,)), bytes((INFO,))):
        return None
    variables: list[Variable] = []
    position = 1
    while position < len(payload):
        match = _VARIABLE.match(payload, position)
        if match is None:
            return None
        position = match.end()
        kind, name, value = match.groups()
        name = _QUOTED.sub(rb"\1", name)
        if value is not None:
            value = _QUOTED.sub(rb"\1", value[1:])
        if len(name) > LONGEST_NAME or len(value or b"") > LONGEST_VALUE:
            continue
        if len(variables) < MOST_VARIABLES:
            variables.append(Variable(name, value, kind[0] == USERVAR))
    return variables


def user_name(variables: list[Variable]) -> str:
    """The value of USER, as it may stand in a log and on a terminal; a VAR before a USERVAR."""
    for variable in sorted(variables, key=lambda one: one.user):
        if variable.name == b"USER" and variable.value:
            return plain(variable.value)
    return ""


def told(payload: bytes) -> str | None:
    """What a client calls itself by IS or INFO, as `called` has it; None as `decode` has it."""
    variables = decode(payload)
    return None if variables is None else called(user_name(variables))


def plain(value: bytes) -> str:
    """What of a value is printable ASCII."""
    return "".join(chr(byte) for byte in value if 0x20 <= byte < 0x7F)


def called(name: str) -> str:
    """What somebody is called who says so: as it may stand in quotes beside an address."""
    shown = "".join(one if one.isascii() and one.isprintable() else "?" for one in name)
    return shown.replace('"', "").replace(":", "").strip()[:LONGEST_CALLED]
