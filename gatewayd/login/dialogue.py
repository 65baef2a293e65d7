"""What a person types at `login:` and `password:`, and what the screen shows. No I/O, no clock."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

TRIES: Final = 3
LONGEST_NAME: Final = 64
LONGEST_PASSWORD: Final = 256
"""Bytes of UTF-8."""
_ERASE: Final = b"\x08\x7f"
_KILL: Final = 0x15
_ENDS: Final = b"\x03\x04"


class Asks(enum.Enum):
    """What is being asked for."""

    NAME = "login: "
    PASSWORD = "password: "
    NOTHING = ""
    """The answer is being judged: what is typed meanwhile is dropped."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """Show `text`, and let the client show what is typed from now on, or not."""

    text: str
    shown: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Judge a name and its password, and say how it was by `Dialogue.judged`."""

    name: str
    password: bytes


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The person does not log in."""

    why: str


@dataclass(frozen=True, slots=True)
class Anonymous:
    """The person goes on without a name, where that may be."""


Said = Prompt | Judge | GaveUp | Anonymous


class Dialogue:
    """One attempt to log in. With `optional` an empty name goes on without one; else it stands for
    `offered`, which is what the client calls itself."""

    def __init__(self, *, optional: bool = False, offered: str = "") -> None:
        self._optional = optional
        self._offered = offered
        self._asks = Asks.NOTHING
        self._typed = bytearray()
        self._after_cr = False
        self._name = ""
        self._wrong = 0

    def begin(self) -> list[Said]:
        """The first question."""
        return self._ask_name()

    def typed(self, data: bytes) -> list[Said]:
        """Bytes from the client, Enter being CR LF, CR NUL, CR or LF."""
        said: list[Said] = []
        for byte in data:
            if self._after_cr and byte in b"\n\0":
                self._after_cr = False
                continue
            self._after_cr = byte == 0x0D
            if self._asks is Asks.NOTHING:
                continue
            if byte in b"\r\n":
                said += self._line()
            elif byte in _ERASE:
                del self._typed[-1:]
            elif byte == _KILL:
                self._typed.clear()
            elif byte in _ENDS and (byte == _ENDS[0] or not self._typed):
                self._asks = Asks.NOTHING
                said.append(GaveUp("the client gave up"))
            elif byte >= 0x20:
                self._typed.append(byte)
        limit = LONGEST_NAME if self._asks is Asks.NAME else LONGEST_PASSWORD
        if len(self._typed) > limit:
            self._asks = Asks.NOTHING
            said.append(GaveUp("what was typed is too long"))
        return said

    def judged(self, good: bool) -> list[Said]:
        """How the last `Judge` came out; nothing more is said when it was good."""
        if good:
            return []
        self._wrong += 1
        if self._wrong >= TRIES:
            return [GaveUp(f"{TRIES} wrong passwords")]
        return self._ask_name("login incorrect\r\n")

    def _line(self) -> list[Said]:
        typed = bytes(self._typed)
        self._typed.clear()
        if self._asks is Asks.PASSWORD:
            self._asks = Asks.NOTHING
            return [Prompt("\r\n", shown=True), Judge(self._name, typed)]
        self._name = typed.decode("utf-8", "replace").strip() or self._offered
        if self._name:
            return self._ask_password()
        if self._optional:
            self._asks = Asks.NOTHING
            return [Anonymous()]
        return self._ask_name()

    def _ask_name(self, before: str = "") -> list[Said]:
        self._asks = Asks.NAME
        # Scripts wait for `login: ` at the end.
        offered = f"[{self._offered}] " if self._offered else ""
        return [Prompt(f"{before}{offered}{Asks.NAME.value}", shown=True)]

    def _ask_password(self) -> list[Said]:
        self._asks = Asks.PASSWORD
        return [Prompt(Asks.PASSWORD.value, shown=False)]
