"""AUTHENTICATION (RFC 2941): what is said by it of the types SSL (7) and KERBEROS_V5 (2, RFC 2942).

We ask and the client proves who it is. A pair, two octets, is a type and how it is used. Nothing
that only seems to protect is ever offered: no type with ENCRYPT, no SRP, NTLM or KERBEROS_V4.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

IS, SEND, REPLY, NAME = 0, 1, 2, 3

SSL: Final = b"\x07\x00"
"""TLS begins once it is accepted, as by START_TLS; known to clients that do not know that."""
KERBEROS: Final = b"\x02\x00"
"""The client proves who it is."""
KERBEROS_MUTUAL: Final = b"\x02\x02"
"""And so do we."""
LONGEST_NAME: Final = 64

_NULL: Final = 0


class Ssl(enum.IntEnum):
    """What is said of SSL behind the pair."""

    START = 1
    ACCEPT = 2
    REJECT = 3


class Kerberos(enum.IntEnum):
    """What is said of KERBEROS_V5 behind the pair (RFC 2942 section 3)."""

    AUTH = 0
    """With an AP-REQ."""
    REJECT = 1
    ACCEPT = 2
    """With the principal."""
    RESPONSE = 3
    """With an AP-REP."""


@dataclass(frozen=True, slots=True)
class Is:
    """The client proves itself by `pair`; `kind` is the octet behind it, `data` the rest."""

    pair: bytes
    kind: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Nothing:
    """The client can do nothing of what was asked for."""


@dataclass(frozen=True, slots=True)
class Called:
    """By which name the client wants to be let in; it proves nothing."""

    name: bytes


def ask(pairs: Iterable[bytes]) -> bytes:
    """The payload that asks for one of these pairs, the best one first."""
    return bytes((SEND,)) + b"".join(pairs)


def reply(pair: bytes, kind: int, data: bytes = b"") -> bytes:
    """The payload that answers an `Is`."""
    return bytes((REPLY,)) + pair + bytes((kind,)) + data


def decode(payload: bytes) -> Is | Nothing | Called | str:
    """What a client says; the text of what is wrong with that which it may not say."""
    command, rest = payload[:1], payload[1:]
    if command == bytes((NAME,)):
        return Called(rest[:LONGEST_NAME])
    if command != bytes((IS,)):
        return "AUTHENTICATION as no client may send it"
    if rest[:1] == bytes((_NULL,)) and len(rest) <= 3 and not any(rest):
        return Nothing()
    if len(rest) < 3:
        return "AUTHENTICATION IS without an end"
    return Is(rest[:2], rest[2], rest[3:])
