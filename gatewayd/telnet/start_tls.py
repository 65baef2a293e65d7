"""START_TLS (option 46): what is said before TLS begins in the middle of a connection.

We say DO; a client that agrees says WILL and FOLLOWS, we say FOLLOWS, and what it sends behind its
own belongs to TLS. Inside, Telnet begins anew, so that nothing that was said in clear counts. The
option was never more than a draft; `openssl s_client`, C-Kermit and s3270 have it.
"""

from __future__ import annotations

import enum
from typing import Final

from gatewayd.telnet.constants import Command, Option

OFFER: Final = bytes((Command.IAC, Command.DO, Option.START_TLS))
"""To be sent alone: `openssl s_client` reads it and nothing else."""
FOLLOWS: Final = bytes((Command.IAC, Command.SB, Option.START_TLS, 1, Command.IAC, Command.SE))

_IAC, _SB, _SE = Command.IAC, Command.SB, Command.SE
_VERBS: Final = (Command.WILL, Command.WONT, Command.DO, Command.DONT)


class Outcome(enum.Enum):
    """How it comes out."""

    OPEN = "open"
    FOLLOWS = "follows"
    """TLS begins with `rest`."""
    REFUSED = "refused"
    """The client says that it does not do it."""
    WRONG = "wrong"
    """It breaks the rules: there is no telling where TLS would begin."""


class Offered:
    """What a client sends once START_TLS was offered to it, a byte at a time: in that time there is
    no engine, since what it makes of the bytes would have to be forgotten, or must not be."""

    def __init__(self) -> None:
        self.agreed = False
        """It said WILL."""
        self.aside = bytearray()
        """All that it said of something else."""
        self.rest = b""
        """What came behind its FOLLOWS, or behind what settled it otherwise."""
        self._command = bytearray()
        """What has begun with an IAC."""
        self._half = False
        """In a subnegotiation: the last byte was an IAC."""

    def receive(self, data: bytes) -> Outcome:
        """Bytes from the client. Once it is settled there are to be no more."""
        for at, byte in enumerate(data):
            outcome = self._byte(byte)
            if outcome is not Outcome.OPEN:
                self.rest = data[at + 1 :]
                return outcome
        return Outcome.OPEN

    def all(self) -> bytes:
        """Everything that is not of START_TLS, for who goes on without it."""
        return bytes(self.aside) + bytes(self._command) + self.rest

    def _byte(self, byte: int) -> Outcome:
        command = self._command
        if not command and byte != _IAC:
            self.aside.append(byte)
            return Outcome.OPEN
        if len(command) > 2 and command[1] == _SB:
            return self._in_subnegotiation(byte)
        command.append(byte)
        if len(command) == 1 or (len(command) == 2 and (byte == _SB or byte in _VERBS)):
            return Outcome.OPEN
        if len(command) == 3 and command[1] == _SB:
            return Outcome.OPEN
        done, self._command = bytes(command), bytearray()
        if len(done) == 3 and done[2] == Option.START_TLS:
            return self._verb(done[1])
        self.aside += done
        return Outcome.OPEN

    def _verb(self, verb: int) -> Outcome:
        if verb == Command.WILL:
            self.agreed = True
        elif verb == Command.WONT:
            return Outcome.REFUSED
        return Outcome.OPEN

    def _in_subnegotiation(self, byte: int) -> Outcome:
        if not self._half:
            self._command.append(byte)
            self._half = byte == _IAC
            return Outcome.OPEN
        self._half = False
        if byte not in (_IAC, _SE):
            # It was never ended, and another command has begun.
            self._command = bytearray((_IAC,))
            return self._byte(byte)
        self._command.append(byte)
        if byte == _IAC:
            return Outcome.OPEN
        done, self._command = bytes(self._command), bytearray()
        if done[2] != Option.START_TLS:
            self.aside += done
            return Outcome.OPEN
        return Outcome.FOLLOWS if self.agreed and done == FOLLOWS else Outcome.WRONG
