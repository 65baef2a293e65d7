"""Services of DNS-SD that are on the network now, as the machine's Avahi sees them.

The interfaces are those of Avahi's own introspection files (avahi-daemon/org.freedesktop.Avahi.*).
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from jeepney import (
    DBusAddress,
    HeaderFields,
    MatchRule,
    Message,
    MessageFlag,
    MessageType,
    message_bus,
)
from jeepney import new_method_call as new_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from gatewayd.advertise.bus import MOST_CALLS
from gatewayd.errors import GatewayError
from gatewayd.fleet.listing import Found

NAME: Final = "org.freedesktop.Avahi"
SERVER: Final = DBusAddress("/", NAME, f"{NAME}.Server")
QUIET_S: Final = 2.5
"""After so long without news the rest has no answer: it is of a machine that was switched off."""
MOST_S: Final = 10.0
"""On a link with hundreds of services news may go on for as long."""
MOST: Final = 10_000
"""Services that are taken: anybody on the link can tell of more."""
MOST_LOOKED_UP: Final = 512
"""Names that are looked up at once: Avahi gives a client no more than 1024 objects. What is of a
machine that was switched off is looked for until it is time, so this is no small number."""
_ANY: Final = -1


class BrowseError(GatewayError):
    """The machine has nobody who could look."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is told of."""

    found: list[Found]
    silent: list[str]
    """Names of services that nobody gave an address for in time."""


def browse(kinds: Iterable[str]) -> Seen:
    """What is told of as one of `kinds` (such as `_iostream._tcp`) on any link, with its address.

    Takes `MOST_S` at most. Raises BrowseError.
    """
    try:
        connection = open_dbus_connection("SYSTEM")
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BrowseError(f"no system bus to ask Avahi over: {error}") from None
    with connection:
        search = _Search(connection)
        try:
            search.begin(kinds)
            search.run()
        except OSError as error:
            raise BrowseError(f"the system bus: {error.strerror or error}") from None
        return Seen(search.found, search.silent())


class _Search:
    """One search: browsers tell of names, each of which is then looked up."""

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection
        self._browsing: set[int] = set()
        """The numbers of the calls for browsers that are not there yet."""
        self._unfinished = 0
        """Browsers that have not told all."""
        self._asked: set[tuple[Any, ...]] = set()
        self._waiting: deque[tuple[Any, ...]] = deque()
        """Names that are still to be looked up."""
        self._calls: set[int] = set()
        """Those of a look-up that are not answered."""
        self._looking = 0
        """Look-ups that have not ended."""
        self._ended: set[str] = set()
        self._news = time.monotonic()
        self.found: list[Found] = []

    def begin(self, kinds: Iterable[str]) -> None:
        for kind in ("ServiceBrowser", "ServiceResolver"):
            rule = MatchRule(type="signal", sender=NAME, interface=f"{NAME}.{kind}")
            self._call(message_bus.AddMatch(rule))
        for kind in kinds:
            body = (_ANY, _ANY, kind, "", 0)
            self._browsing.add(self._call(new_call(SERVER, "ServiceBrowserNew", "iissu", body)))
            self._unfinished += 1

    def run(self) -> None:
        """Until all is told, or nothing is any more, or it is time."""
        most = self._news + MOST_S
        while self._unfinished or self._looking:
            until = min(self._news + QUIET_S, most)
            try:
                message = self._connection.receive(timeout=max(until - time.monotonic(), 0))
            except TimeoutError:
                return
            self._take(message)
            self._look_up()

    def silent(self) -> list[str]:
        """The names of what was told of and not found."""
        found = {(one.name, one.type) for one in self.found}
        return sorted({asked[2] for asked in self._asked if asked[2:4] not in found})

    def _call(self, message: Message) -> int:
        number: int = next(self._connection.outgoing_serial)
        self._connection.send(message, serial=number)
        return number

    def _take(self, message: Message) -> None:
        fields, body = message.header.fields, message.body
        number = fields.get(HeaderFields.reply_serial, 0)
        match message.header.message_type:
            case MessageType.signal:
                path, member = fields.get(HeaderFields.path, ""), fields.get(HeaderFields.member)
                if fields.get(HeaderFields.interface) == f"{NAME}.ServiceResolver":
                    self._looked_up(path, member, body)
                else:
                    self._browsed(member, body)
            case MessageType.error if number in self._browsing:
                raise BrowseError(f"Avahi does not answer: {body[0] if body else 'no reason'}")
            case MessageType.error if number in self._calls:
                # The name was withdrawn meanwhile.
                self._looking -= 1
            case _:
                # What was asked for is there, and tells by signals.
                pass
        self._browsing.discard(number)
        self._calls.discard(number)

    def _browsed(self, member: str | None, body: tuple[Any, ...]) -> None:
        if member in ("AllForNow", "Failure"):
            self._unfinished -= 1
        elif member == "ItemNew" and len(self._asked) < MOST and body[:5] not in self._asked:
            self._news = time.monotonic()
            self._asked.add(body[:5])
            self._waiting.append(body[:5])

    def _look_up(self) -> None:
        while self._waiting and len(self._calls) < MOST_CALLS and self._looking < MOST_LOOKED_UP:
            interface, protocol, name, kind, domain = self._waiting.popleft()
            # The address in the family by which it was seen.
            asked = (interface, protocol, name, kind, domain, protocol, 0)
            self._calls.add(self._call(new_call(SERVER, "ServiceResolverNew", "iisssiu", asked)))
            self._looking += 1

    def _looked_up(self, path: str, member: str | None, body: tuple[Any, ...]) -> None:
        if path in self._ended:
            return
        self._ended.add(path)
        self._looking -= 1
        if member == "Found":
            self._news = time.monotonic()
            _, _, name, kind, _, host, _, address, port, txt, _ = body
            self.found.append(Found(name, kind, host, address, port, texts(txt)))
        resolver = DBusAddress(path, NAME, f"{NAME}.ServiceResolver")
        free = new_call(resolver, "Free")
        free.header.flags |= MessageFlag.no_reply_expected
        self._call(free)


def texts(txt: Iterable[bytes]) -> dict[str, str]:
    """A TXT record as keys and values (RFC 6763, 6.4); the first of a key counts."""
    pairs: dict[str, str] = {}
    for one in txt:
        key, _, value = bytes(one).decode(errors="replace").partition("=")
        pairs.setdefault(key.lower(), value)
    return pairs
