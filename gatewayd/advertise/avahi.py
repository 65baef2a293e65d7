"""Services published by Avahi over D-Bus, as they are wanted, again whenever it restarts.

The interfaces are those of Avahi's own introspection files (avahi-daemon/org.freedesktop.Avahi.*).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from jeepney import DBusAddress, MatchRule, message_bus, new_method_call

from gatewayd.advertise.bus import Bus, BusError
from gatewayd.advertise.links import interface_of
from gatewayd.advertise.services import LONGEST_NAME, Service

NAME: Final = "org.freedesktop.Avahi"
SERVER: Final = DBusAddress("/", NAME, f"{NAME}.Server")
BUS_NAME: Final = "org.freedesktop.DBus"
COLLISION: Final = f"{NAME}.CollisionError"
MOST_NAMES: Final = 20
"""How many names are tried when others have them already."""
_SERVER_RUNNING: Final = 2
_ADD: Final = "iiussssqaay"


class Family(enum.IntEnum):
    """AVAHI_PROTO_*."""

    ANY = -1
    INET = 0
    INET6 = 1


class GroupState(enum.IntEnum):
    """AVAHI_ENTRY_GROUP_*."""

    UNCOMMITTED = 0
    REGISTERING = 1
    ESTABLISHED = 2
    COLLISION = 3
    FAILURE = 4


class Group:
    """The services of one port, published together."""

    def __init__(self) -> None:
        self.path: str | None = None
        """Avahi's object; None until it is there."""
        self.told: tuple[Service, ...] = ()
        """What is published, or about to be."""
        self.attempt = 1
        """Which name is tried: the first, or one with a number behind it."""

    def name(self, service: Service) -> str:
        """The name on the network; another one has the first if this has a number."""
        if self.attempt == 1:
            return service.name
        tail = f" #{self.attempt}"
        return service.name.encode()[: LONGEST_NAME - len(tail)].decode(errors="ignore") + tail


class Avahi:
    """What is to be published, by keys, and Avahi's side of it.

    `running` is called with the host's name when Avahi begins to serve; what was published before
    is gone then, and `publish` is to be called for all. `complain` gets what went wrong, in words.
    """

    def __init__(
        self, bus: Bus, running: Callable[[str], None], complain: Callable[[str], None]
    ) -> None:
        self._bus = bus
        self._running = running
        self._complain = complain
        self._groups: dict[str, Group] = {}
        self._serving = False

    # ---- the connection's side

    def begin(self) -> None:
        """The bus can be called: say what to hear of, and ask Avahi, which starts it if need be."""
        owner = MatchRule(type="signal", sender=BUS_NAME, member="NameOwnerChanged")
        owner.add_arg_condition(0, NAME)
        self._bus.call(message_bus.Hello(), self._hello)
        for rule in (owner, MatchRule(type="signal", sender=NAME)):
            self._bus.call(message_bus.AddMatch(rule))
        self._ask_state()

    def end(self) -> None:
        """The bus is gone, and with it all that was published."""
        self._serving = False
        self._groups.clear()

    def signal(self, path: str, interface: str, member: str, body: tuple[Any, ...]) -> None:
        """A signal of Avahi's, or of the bus about it."""
        match interface, member:
            case _, "NameOwnerChanged":
                self.end()
                if body[2]:
                    self._ask_state()
            case "org.freedesktop.Avahi.Server", "StateChanged":
                self._state(body)
            case "org.freedesktop.Avahi.EntryGroup", "StateChanged":
                self._group_state(path, body)
            case _:
                # Records that were found, of which we look for none.
                return

    # ---- the user's side

    def publish(self, key: str, services: tuple[Service, ...]) -> None:
        """Have `services` published under `key`, in place of what was; none withdraws."""
        group = self._groups.get(key)
        if not self._serving or (group.told if group else ()) == services:
            return
        if group is None:
            group = self._groups[key] = Group()
            group.told = services
            new = new_method_call(SERVER, "EntryGroupNew")
            self._bus.call(new, partial(self._made, key, group))
        elif not services:
            del self._groups[key]
            if group.path is not None:
                self._bus.call(self._to(group.path, "Free"))
        elif group.path is None:
            group.told = services
        elif [_place(one) for one in group.told] == [_place(one) for one in services]:
            group.told = services
            for service in services:
                self._update(group, service)
        else:
            group.told = services
            group.attempt = 1
            self._fill(group, again=True)

    # ---- inside

    def _hello(self, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            self._complain(f"the bus refuses us ({answer})")

    def _ask_state(self) -> None:
        self._bus.call(new_method_call(SERVER, "GetState"), self._state)

    def _state(self, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            # Not installed, or not to be started; its coming is a signal.
            self._complain(f"Avahi does not answer ({answer})")
        elif answer[0] == _SERVER_RUNNING:
            self._bus.call(new_method_call(SERVER, "GetHostName"), self._host_name)
        else:
            # It looks for a name that nobody else has, and drops what was published.
            self._drop_groups()

    def _host_name(self, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            self._complain(f"Avahi does not tell its name ({answer})")
            return
        self._drop_groups()
        self._serving = True
        self._running(str(answer[0]))

    def _drop_groups(self) -> None:
        self._serving = False
        for group in self._groups.values():
            if group.path is not None:
                self._bus.call(self._to(group.path, "Free"))
        self._groups.clear()

    def _made(self, key: str, group: Group, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            if self._groups.get(key) is group:
                del self._groups[key]
            self._complain(f"Avahi publishes no more ({answer})")
        elif self._groups.get(key) is not group:
            # It was withdrawn meanwhile.
            self._bus.call(self._to(answer[0], "Free"))
        else:
            group.path = answer[0]
            self._fill(group)

    def _fill(self, group: Group, *, again: bool = False) -> None:
        assert group.path is not None
        if again:
            self._bus.call(self._to(group.path, "Reset"))
        told = False
        for service in group.told:
            interface = interface_of(service.host)
            if interface is None:
                # The address is not there yet; the port listens all the same.
                continue
            told = True
            body = (
                *(interface, _family(service.host), 0),
                *(group.name(service), service.type, "", "", service.port),
                [text.encode() for text in service.txt],
            )
            message = self._to(group.path, "AddService", _ADD, body)
            self._bus.call(message, partial(self._added, group, group.attempt))
        if told:
            self._bus.call(self._to(group.path, "Commit"))

    def _update(self, group: Group, service: Service) -> None:
        assert group.path is not None
        interface = interface_of(service.host)
        if interface is not None:
            body = (
                *(interface, _family(service.host), 0),
                *(group.name(service), service.type, ""),
                [text.encode() for text in service.txt],
            )
            self._bus.call(self._to(group.path, "UpdateServiceTxt", "iiusssaay", body))

    def _added(self, group: Group, attempt: int, answer: tuple[Any, ...] | BusError) -> None:
        if isinstance(answer, BusError):
            if answer.name == COLLISION:
                self._rename(group, attempt)
            else:
                self._complain(f"Avahi does not publish {group.told[0].name} ({answer})")

    def _group_state(self, path: str, body: tuple[Any, ...]) -> None:
        group = next((one for one in self._groups.values() if one.path == path), None)
        if group is not None and body[0] == GroupState.COLLISION:
            self._rename(group, group.attempt)
        elif group is not None and body[0] == GroupState.FAILURE:
            self._complain(f"Avahi could not publish {group.told[0].name} ({body[1]})")

    def _rename(self, group: Group, attempt: int) -> None:
        """Somebody has that name: try another, unless that is being done."""
        if attempt == group.attempt and group in self._groups.values():
            if group.attempt == MOST_NAMES:
                self._complain(f"{MOST_NAMES} others are called {group.told[0].name}")
                return
            group.attempt += 1
            self._fill(group, again=True)

    def _to(self, path: str, member: str, signature: str = "", body: tuple[Any, ...] = ()) -> Any:
        group = DBusAddress(path, NAME, f"{NAME}.EntryGroup")
        return new_method_call(group, member, signature or None, body)


def _place(service: Service) -> tuple[object, ...]:
    """All of it but the TXT record, which alone can be changed where it is."""
    return service.name, service.type, service.port, service.host


def _family(host: str) -> Family:
    """`::` listens for both families."""
    if host == "::":
        return Family.ANY
    return Family.INET6 if ":" in host else Family.INET
