"""What two ports cannot share: a device, or an address to listen on."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import itemgetter
from typing import Final, Generic, TypeVar

from gatewayd.config.model import Address
from gatewayd.config.problem import Place, Problem
from gatewayd.device.match import DeviceMatch
from gatewayd.value import as_dict

T = TypeVar("T")
ANY: Final = {4: ipaddress.ip_address("0.0.0.0"), 6: ipaddress.ip_address("::")}


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A port's claim on a device."""

    port: str
    place: Place
    device: str | DeviceMatch


@dataclass(frozen=True, slots=True)
class AddressUse:
    """A claim on an address by a port, or by the gateway itself where `port` is empty; `key` is
    `rfc2217`, `metrics` and so on."""

    port: str
    place: Place
    key: str
    address: Address


def device_clashes(uses: Sequence[DeviceUse]) -> list[Problem]:
    """Ports on one device, told at the later one. Looks at the nodes that are there now, so that
    two links to one tty are found out."""
    problems = []
    paths: dict[Hashable, DeviceUse] = {}
    matches = _Matches()
    for use in uses:
        if isinstance(use.device, str):
            first = paths.setdefault(_node(use.device), use)
        else:
            first = matches.first(use.device, use)
        if first is not use:
            same = "" if first.device == use.device else f", as {first.device}"
            text = (
                f"ports.{use.port}.device: {use.device} is the device of {first.port} on line "
                f"{first.place.line} already{same}; one device is one port, which may have several "
                "addresses"
            )
            problems.append(Problem(use.place, text))
    return problems


def _node(path: str) -> Hashable:
    """What two paths of one device have in common."""
    try:
        status = os.stat(path)
    except OSError:
        return os.path.realpath(path)
    return status.st_rdev if stat.S_ISCHR(status.st_mode) else os.path.realpath(path)


Properties = frozenset[tuple[str, object]]


class _Matches:
    """The matches so far. Two of them overlap when one has all the properties of the other: a
    device that fits the narrower always fits the wider as well."""

    def __init__(self) -> None:
        self._same: dict[Properties, tuple[int, DeviceUse]] = {}
        self._wider: dict[Properties, tuple[int, DeviceUse]] = {}
        """By each choice of the properties of a match: the first that has them."""
        self._count = 0

    def first(self, match: DeviceMatch, use: DeviceUse) -> DeviceUse:
        """The earliest one that overlaps `match`, which is that of `use`; `use` if there is none.

        A match has at most five properties, and so 31 choices of them.
        """
        has = [*as_dict(match).items()]
        has = [(name, value) for name, value in has if value is not None]
        choices = [
            frozenset(some)
            for number in range(1, len(has) + 1)
            for some in combinations(has, number)
        ]
        this = (self._count, use)
        self._count += 1
        found = [self._same[some] for some in choices if some in self._same]
        found.append(self._wider.get(choices[-1], this))
        self._same.setdefault(choices[-1], this)
        for some in choices:
            self._wider.setdefault(some, this)
        return min(found, key=itemgetter(0))[1]


def address_clashes(uses: Sequence[AddressUse]) -> list[Problem]:
    """Addresses that cannot be bound beside each other, told at the later one."""
    problems = []
    claims = AddressClaims[AddressUse]()
    for use in uses:
        if not use.address.port:
            continue
        first = claims.claim(use.address, use)
        if first is not use:
            text = f"{use.address} cannot be beside {first.address}, {_origin(first, use)}"
            key = f"ports.{use.port}.{use.key}" if use.port else use.key
            label = f"{key}: " if use.place.line else ""
            problems.append(Problem(use.place, f"{label}{text}; take another number"))
    return problems


class AddressClaims(Generic[T]):
    """Who has which address, and who was first where two cannot be beside each other."""

    def __init__(self) -> None:
        self._first: dict[Hashable, tuple[int, T]] = {}
        """By number and host; also, for any host of IPv4 or IPv6, by number and version."""
        self._count = 0

    def claim(self, address: Address, who: T) -> T:
        """The first who has an address that is also named by `address`; `who` if nobody has."""
        number, host = address.port, ipaddress.ip_address(address.host)
        this = (self._count, who)
        self._count += 1
        # What it collides with. `::` is bound for IPv4 as well.
        others: list[Hashable] = [host, ANY[host.version], ANY[6]]
        if host.is_unspecified:
            others += [host.version] if host.version == 4 else [4, 6]
        keys = [(number, other) for other in others]
        found = [self._first[key] for key in keys if key in self._first]
        for one in (host, host.version):
            self._first.setdefault((number, one), this)
        return min(found, key=itemgetter(0))[1] if found else who


def _origin(first: AddressUse, use: AddressUse) -> str:
    """Where the earlier of two addresses comes from, for a message at the later one."""
    if not first.place.line:
        return f"which {first.place} has"
    if not first.port:
        return f"which {first.key} on line {first.place.line} has"
    whose = "this port" if first.port == use.port else first.port
    return f"the {first.key} of {whose} on line {first.place.line}"
