"""What a person at a port's own address is called, by its own word (NEW-ENVIRON, RFC 1572).

It is asked of who has refused Com Port Control and agreed to something else: so of a Telnet client
with somebody behind it. A program that speaks Com Port Control, and one that answers no offer,
never meet the option. The name is for people; nothing is decided by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewayd.port.telnet_face import TelnetFace
from gatewayd.telnet import environ
from gatewayd.telnet.constants import Option, Side

MOST_NAMES: Final = 5
"""So often a client may call itself something else."""
_AGREED: Final = (Option.ECHO, Option.SUPPRESS_GO_AHEAD)


class Introduction:
    """Asks once, if `asks`. `called(name)` is told each name that is another one than before."""

    def __init__(
        self, face: TelnetFace, called: Callable[[str], None], *, asks: bool = True
    ) -> None:
        self._face = face
        self._called = called
        self._asked = False
        self.over = not asks
        """There is nothing more to ask for."""
        self._names = 0
        self.name = ""
        """What the client calls itself, for a terminal and a log."""
        if asks:
            face.welcome(Side.REMOTE, Option.NEW_ENVIRON, self._told)

    def look(self) -> None:
        """The client has said something: it may be plain by now what it is, unless it is `over`."""
        face = self._face
        if face.is_asked(Side.REMOTE, Option.COM_PORT):
            return
        if face.is_enabled(Side.REMOTE, Option.COM_PORT):
            self.over = True
        elif face.is_enabled(Side.REMOTE, Option.NEW_ENVIRON):
            self.over = True
            face.send_subnegotiation(Option.NEW_ENVIRON, environ.ask("USER"))
        elif not self._asked and any(face.is_enabled(Side.LOCAL, one) for one in _AGREED):
            self._asked = True
            face.ask(Side.REMOTE, Option.NEW_ENVIRON)

    def _told(self, payload: bytes) -> str:
        name = environ.told(payload)
        if name is None:
            return "NEW-ENVIRON as no client may send it"
        if name and name != self.name and self._names < MOST_NAMES:
            self._names += 1
            self.name = name
            self._called(name)
        return ""

    def restore(self, name: str) -> None:
        """Go on in another process with what was told; nothing is asked again."""
        self._asked = self.over = True
        self.name = name
