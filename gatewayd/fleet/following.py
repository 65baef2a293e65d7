"""Services of DNS-SD as they come, change and go: the machine's Avahi, followed on the event loop.

`browse` looks once and is done; this is for who goes on looking. A browser of Avahi's tells of
names only, so each of them has a resolver that tells what it is, and what it becomes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

from jeepney import DBusAddress, MatchRule, message_bus, new_method_call

from gatewayd.advertise.bus import Bus, BusError
from gatewayd.fleet.browse import NAME, SERVER, texts
from gatewayd.fleet.listing import Found

MOST: Final = 900
"""Services that are followed: Avahi has 1024 objects for a client, and anybody on the link can tell
of more."""
RETRY_S: Final = 3.0
"""Between two tries to reach a bus that is not there."""
_ANY: Final = -1
_LOCAL: Final = 8
"""AVAHI_LOOKUP_RESULT_LOCAL: of this machine."""

_ABSENT: Final = ("ServiceUnknown", "NameHasNoOwner")
NO_AVAHI: Final = "Avahi does not run on this machine; Debian's package is avahi-daemon"

Key = tuple[int, int, str, str, str]
"""Interface, protocol, name, type, domain."""


class Following:
    """Follows all services of `kinds`, from `start` until `stop`.

    `changed` is called when `found` or `why` may be another; nothing here waits.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, kinds: Iterable[str], changed: Callable[[], None]
    ) -> None:
        self.found: dict[Key, Found] = {}
        self.why = ""
        """Why nothing can be seen; empty while there is somebody who looks."""
        self.complete = False
        """Whether all that is there by now has been told."""
        self.left_out = False
        """Whether there are more services than are followed."""
        self._loop = loop
        self._kinds = tuple(kinds)
        self._changed = changed
        self._bus = Bus(loop, self)
        self._resolvers: dict[Key, str | None] = {}
        """Paths of Avahi's objects; None until one is there."""
        self._untold = 0
        """Browsers that have not told all."""
        self._retry: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Look for the bus, now and until it is there."""
        self._retry = None
        try:
            self._bus.open()
        except OSError as error:
            self.bus_lost(error.strerror or str(error))

    def stop(self) -> None:
        """End it. Avahi drops what was asked of it when the connection closes."""
        if self._retry is not None:
            self._retry.cancel()
        self._bus.close()

    # ---- what the bus tells

    def bus_ready(self) -> None:
        """See `BusUser`."""
        owner = MatchRule(type="signal", sender="org.freedesktop.DBus", member="NameOwnerChanged")
        owner.add_arg_condition(0, NAME)
        self._bus.call(message_bus.Hello())
        for rule in (owner, MatchRule(type="signal", sender=NAME)):
            self._bus.call(message_bus.AddMatch(rule))
        self._look()

    def bus_signal(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> None:
        """See `BusUser`."""
        match interface.rpartition(".")[2], member:
            case _, "NameOwnerChanged":
                if body[2]:
                    self._look()
                else:
                    self._blind(NO_AVAHI)
            case "ServiceBrowser", "ItemNew":
                self._appeared(body[:5])
            case "ServiceBrowser", "ItemRemove":
                self._gone(body[:5])
            case "ServiceBrowser", "AllForNow" | "Failure":
                self._untold -= 1
                if self._untold == 0:
                    self.complete = True
                    self._changed()
            case "ServiceResolver", "Found":
                self._told(body)
            case _:
                # A resolver that has no answer yet goes on.
                return

    def bus_lost(self, why: str) -> None:
        """See `BusUser`."""
        self._blind(f"no system bus to ask Avahi over: {why}")
        self._retry = self._loop.call_later(RETRY_S, self.start)

    # ---- inside

    def _look(self) -> None:
        """Ask Avahi, which the bus starts if need be."""
        self._forget()
        self._untold = len(self._kinds)
        for kind in self._kinds:
            new = new_method_call(SERVER, "ServiceBrowserNew", "iissu", (_ANY, _ANY, kind, "", 0))
            self._bus.call(new, self._browsing)

    def _browsing(self, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            # Its coming is a signal.
            absent = answer.name.rpartition(".")[2] in _ABSENT
            self._blind(NO_AVAHI if absent else f"Avahi does not answer ({answer})")

    def _blind(self, why: str) -> None:
        self._forget()
        self.why = why
        self._changed()

    def _forget(self) -> None:
        self.found.clear()
        self._resolvers.clear()
        self.why, self.complete, self.left_out = "", False, False

    def _appeared(self, key: Key) -> None:
        if key in self._resolvers or key[3] not in self._kinds:
            return
        if len(self._resolvers) >= MOST:
            if not self.left_out:
                self.left_out = True
                self._changed()
            return
        self._resolvers[key] = None
        interface, protocol, name, kind, domain = key
        # The address in the family by which it was seen.
        body = (interface, protocol, name, kind, domain, protocol, 0)
        new = new_method_call(SERVER, "ServiceResolverNew", "iisssiu", body)
        self._bus.call(new, partial(self._resolving, key))

    def _resolving(self, key: Key, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            # Withdrawn meanwhile, or Avahi has enough of us.
            self._resolvers.pop(key, None)
        elif key in self._resolvers and self._resolvers[key] is None:
            self._resolvers[key] = answer[0]
        else:
            self._free(answer[0])

    def _gone(self, key: Key) -> None:
        path = self._resolvers.pop(key, None)
        if path is not None:
            self._free(path)
        if self.found.pop(key, None) is not None:
            self._changed()

    def _free(self, path: str) -> None:
        self._bus.call(new_method_call(DBusAddress(path, NAME, f"{NAME}.ServiceResolver"), "Free"))

    def _told(self, body: tuple[Any, ...]) -> None:
        interface, protocol, name, kind, domain, host, _, address, port, txt, flags = body
        key = (interface, protocol, name, kind, domain)
        if key in self._resolvers:
            local = bool(flags & _LOCAL)
            self.found[key] = Found(name, kind, host, address, port, texts(txt), local)
            self._changed()
