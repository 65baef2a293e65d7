"""Services of DNS-SD that are on the network now, as the machine's Avahi sees them.

The interfaces are those of Avahi's own introspection files (avahi-daemon/org.freedesktop.Avahi.*).
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any, Final

from jeepney import DBusAddress, HeaderFields, MatchRule, Message, MessageType, message_bus
from jeepney import new_method_call as new_call
from jeepney.io.blocking import DBusConnection, open_dbus_connection

from gatewayd.errors import GatewayError
from gatewayd.fleet.listing import Found

NAME: Final = "org.freedesktop.Avahi"
SERVER: Final = DBusAddress("/", NAME, f"{NAME}.Server")
PATIENCE_S: Final = 2.5
"""Avahi says after about a second that all there is was told; then addresses are looked up."""
MOST: Final = 10_000
"""Services that are taken: anybody on the link can tell of more."""
_ANY: Final = -1


class BrowseError(GatewayError):
    """The machine has nobody who could look."""


def browse(kinds: Iterable[str], seconds: float = PATIENCE_S) -> list[Found]:
    """What is told of as one of `kinds` (such as `_iostream._tcp`) on any link, with its address.

    Takes `seconds` at most. Raises BrowseError.
    """
    try:
        connection = open_dbus_connection("SYSTEM")
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise BrowseError(f"no system bus to ask Avahi over: {error}") from None
    with connection:
        search = _Search(connection)
        try:
            search.begin(kinds)
            search.run(time.monotonic() + seconds)
        except OSError as error:
            raise BrowseError(f"the system bus: {error.strerror or error}") from None
        return search.found


class _Search:
    """One search: browsers tell of names, each of which is then looked up."""

    def __init__(self, connection: DBusConnection) -> None:
        self._connection = connection
        self._browsing: dict[int, str] = {}
        """By the call's number, the kinds whose browser is not there yet."""
        self._resolving: set[int] = set()
        self._unfinished = 0
        """Browsers that have not told all."""
        self._asked: set[tuple[str, ...]] = set()
        self.found: list[Found] = []

    def begin(self, kinds: Iterable[str]) -> None:
        rule = MatchRule(type="signal", sender=NAME, interface=f"{NAME}.ServiceBrowser")
        self._call(message_bus.AddMatch(rule))
        for kind in kinds:
            body = (_ANY, _ANY, kind, "", 0)
            number = self._call(new_call(SERVER, "ServiceBrowserNew", "iissu", body))
            self._browsing[number] = kind
            self._unfinished += 1

    def run(self, until: float) -> None:
        """Until all is told, or it is time."""
        while self._unfinished or self._resolving:
            try:
                message = self._connection.receive(timeout=max(until - time.monotonic(), 0))
            except TimeoutError:
                return
            self._take(message)

    def _call(self, message: Message) -> int:
        number: int = next(self._connection.outgoing_serial)
        self._connection.send(message, serial=number)
        return number

    def _take(self, message: Message) -> None:
        fields, body = message.header.fields, message.body
        number = fields.get(HeaderFields.reply_serial, 0)
        match message.header.message_type:
            case MessageType.signal:
                self._signal(fields.get(HeaderFields.member, ""), body)
            case MessageType.error if number in self._browsing:
                raise BrowseError(f"Avahi does not answer: {body[0] if body else 'no reason'}")
            case MessageType.method_return if number in self._resolving:
                _, _, name, kind, _, host, _, address, port, txt, _ = body
                self.found.append(Found(name, kind, host, address, port, texts(txt)))
            case _:
                # A browser that is there, or a name that was withdrawn meanwhile.
                pass
        self._browsing.pop(number, None)
        self._resolving.discard(number)

    def _signal(self, member: str, body: tuple[Any, ...]) -> None:
        if member in ("AllForNow", "Failure"):
            self._unfinished -= 1
        elif member == "ItemNew" and len(self._asked) < MOST and body[:5] not in self._asked:
            self._asked.add(body[:5])
            interface, protocol, name, kind, domain, _ = body
            # The address in the family by which it was seen.
            asked = (interface, protocol, name, kind, domain, protocol, 0)
            self._resolving.add(self._call(new_call(SERVER, "ResolveService", "iisssiu", asked)))


def texts(txt: Iterable[bytes]) -> dict[str, str]:
    """A TXT record as keys and values (RFC 6763, 6.4); the first of a key counts."""
    pairs: dict[str, str] = {}
    for one in txt:
        key, _, value = bytes(one).decode(errors="replace").partition("=")
        pairs.setdefault(key.lower(), value)
    return pairs
