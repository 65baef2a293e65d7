"""What is said before TLS begins in the middle of a connection: START_TLS (option 46), or SSL of
AUTHENTICATION (option 37) for clients that do not know that.

We say DO START_TLS; a client that agrees says WILL and FOLLOWS, we say FOLLOWS, and what it sends
behind its own belongs to TLS. To one that refuses we say DO AUTHENTICATION and SEND SSL; it says IS
SSL START, and TLS follows what accepts that. Inside, Telnet begins anew, so that nothing that was
said in clear counts. START_TLS was never more than a draft; `openssl s_client`, C-Kermit and s3270
have it, telnet-ssl has the other.
"""

from __future__ import annotations

import enum
from typing import Final

from gatewayd.telnet import authentication
from gatewayd.telnet.authentication import SSL, Called, Is, Nothing, Ssl
from gatewayd.telnet.constants import Command, Option

_IAC, _SB, _SE = Command.IAC, Command.SB, Command.SE
_DO, _DONT = Command.DO, Command.DONT
_VERBS: Final = (Command.WILL, Command.WONT, _DO, _DONT)
_REFUSAL: Final = {int(Command.WILL): int(_DONT), int(_DO): int(Command.WONT)}
_SAYS: Final = (Command.WILL, Command.WONT)
"""Said of an option of the client's side. Nobody here does START_TLS or AUTHENTICATION: who says DO
of one gets the same answer as of any other option."""
_OURS: Final = (Option.START_TLS, Option.AUTHENTICATION)

OFFER: Final = bytes((_IAC, _DO, Option.START_TLS))
"""To be sent alone: `openssl s_client` reads it and nothing else."""
FOLLOWS: Final = bytes((_IAC, _SB, Option.START_TLS, 1, _IAC, _SE))


class Outcome(enum.Enum):
    """How it comes out."""

    OPEN = "open"
    FOLLOWS = "follows"
    """TLS begins with `rest`."""
    REFUSED = "refused"
    """The client says that it does neither."""
    WRONG = "wrong"
    """It breaks the rules: there is no telling where TLS would begin."""


class Offered:
    """What a client sends once TLS was offered to it, a byte at a time: in that time there is no
    engine, since what it makes of the bytes would have to be forgotten, or must not be."""

    def __init__(self) -> None:
        self.agreed = False
        """It said WILL."""
        self.aside = bytearray()
        """All that it said of something else."""
        self.rest = b""
        """What came behind its FOLLOWS, or behind what settled it otherwise."""
        self.refusals = b""
        """What is to be said first inside: once it has authenticated, a client does not ask anew
        for the options that it asked for in clear, and may wait for the answers."""
        self.name = b""
        """What it calls itself."""
        self.violation = ""
        """What it said last that no RFC allows; it was skipped."""
        self._asked: dict[bytes, None] = {}
        """Options that it has asked for, as WILL or DO."""
        self._by = Option.START_TLS
        self._knows_authentication = False
        """It has said WILL AUTHENTICATION by itself."""
        self._out = bytearray(OFFER)
        self._command = bytearray()
        """What has begun with an IAC."""
        self._half = False
        """In a subnegotiation: the last byte was an IAC."""

    def data_to_send(self) -> bytes:
        """What is to be said now; nothing else until it is settled."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def receive(self, data: bytes) -> Outcome:
        """Bytes from the client. Once it is settled there are to be no more."""
        for at, byte in enumerate(data):
            outcome = self._byte(byte)
            if outcome is not Outcome.OPEN:
                self.rest = data[at + 1 :]
                return outcome
        return Outcome.OPEN

    def all(self) -> bytes:
        """Everything that is not of TLS, for who goes on without it."""
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
        if len(done) == 3 and done[2] in _OURS and done[1] in _SAYS:
            return self._verb(done)
        if len(done) == 3 and done[1] in _REFUSAL:
            self._asked[done[1:]] = None
        self.aside += done
        return Outcome.OPEN

    def _verb(self, done: bytes) -> Outcome:
        _, verb, option = done
        if option != self._by:
            if option == Option.AUTHENTICATION:
                # Should it come to nothing, it is the session's to answer.
                self._knows_authentication = verb == Command.WILL
                self.aside += done
            elif verb == Command.WILL:
                # It has refused before.
                self._out += bytes((_IAC, _DONT, option))
            return Outcome.OPEN
        if verb == Command.WILL:
            self._agree()
            return Outcome.OPEN
        if self.agreed:
            self._out += bytes((_IAC, _DONT, option))
        if option == Option.AUTHENTICATION:
            return Outcome.REFUSED
        self.agreed = False
        self._by = Option.AUTHENTICATION
        self._out += bytes((_IAC, _DO, self._by))
        if self._knows_authentication:
            self._agree()
        return Outcome.OPEN

    def _agree(self) -> None:
        if self._by == Option.AUTHENTICATION and not self.agreed:
            self._say(authentication.ask((SSL,)))
        self.agreed = True

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
        if done[2] == Option.START_TLS:
            return self._follows(done)
        if done[2] == self._by:
            return self._authenticates(done[3:-2].replace(b"\xff\xff", b"\xff"))
        self.aside += done
        return Outcome.OPEN

    def _follows(self, done: bytes) -> Outcome:
        if not self.agreed or self._by != Option.START_TLS or done != FOLLOWS:
            return Outcome.WRONG
        self._out += FOLLOWS
        return Outcome.FOLLOWS

    def _authenticates(self, payload: bytes) -> Outcome:
        if not self.agreed:
            return Outcome.WRONG
        match authentication.decode(payload):
            case Is(pair=pair, kind=Ssl.START) if pair == SSL:
                self._say(authentication.reply(SSL, Ssl.ACCEPT))
                self.refusals = b"".join(
                    bytes((_IAC, _REFUSAL[verb], option)) for verb, option in self._asked
                )
                return Outcome.FOLLOWS
            case Is():
                return Outcome.WRONG
            case Nothing():
                self._out += bytes((_IAC, _DONT, Option.AUTHENTICATION))
                return Outcome.REFUSED
            case Called(name=name):
                self.name = name
            case str(wrong):
                self.violation = wrong
        return Outcome.OPEN

    def _say(self, payload: bytes) -> None:
        # There is no IAC in what we say.
        self._out += bytes((_IAC, _SB, Option.AUTHENTICATION)) + payload + bytes((_IAC, _SE))
