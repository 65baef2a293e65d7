"""What two ports cannot share: a device, or an address to listen on."""

from __future__ import annotations

import ipaddress
import os
import stat
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields

from gatewayd.config.model import Address
from gatewayd.config.problem import Place, Problem
from gatewayd.device.match import DeviceMatch


@dataclass(frozen=True, slots=True)
class DeviceUse:
    """A port's claim on a device."""

    port: str
    place: Place
    device: str | DeviceMatch


@dataclass(frozen=True, slots=True)
class AddressUse:
    """A port's claim on an address; `key` is `rfc2217` or `raw`."""

    port: str
    place: Place
    key: str
    address: Address


def device_clashes(uses: Sequence[DeviceUse]) -> list[Problem]:
    """Ports on one device, told at the later one. Looks at the nodes that are there now, so that
    two links to one tty are found out."""
    problems = []
    paths: dict[Hashable, DeviceUse] = {}
    matches: list[tuple[DeviceMatch, DeviceUse]] = []
    for use in uses:
        if isinstance(use.device, str):
            first = paths.setdefault(_node(use.device), use)
        else:
            first = next((other for match, other in matches if _overlap(use.device, match)), use)
            matches.append((use.device, use))
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


def _overlap(one: DeviceMatch, other: DeviceMatch) -> bool:
    """Whether a device that fits the narrower of the two always fits the other as well."""
    pairs = [(getattr(one, f.name), getattr(other, f.name)) for f in fields(DeviceMatch)]
    return all(a in (None, b) for a, b in pairs) or all(b in (None, a) for a, b in pairs)


def address_clashes(uses: Sequence[AddressUse]) -> list[Problem]:
    """Addresses that cannot be bound beside each other, told at the later one."""
    problems = []
    by_number: dict[int, list[AddressUse]] = {}
    for use in uses:
        others = by_number.setdefault(use.address.port, [])
        first = next((other for other in others if _collide(use.address, other.address)), None)
        others.append(use)
        if first is not None and use.address.port:
            text = f"{use.address} cannot be beside {first.address}, {_origin(first, use)}"
            label = f"ports.{use.port}.{use.key}: " if use.place.line else ""
            problems.append(Problem(use.place, f"{label}{text}; take another number"))
    return problems


def _origin(first: AddressUse, use: AddressUse) -> str:
    """Where the earlier of two addresses comes from, for a message at the later one."""
    if not first.place.line:
        return f"which {first.place} has"
    whose = "this port" if first.port == use.port else first.port
    return f"the {first.key} of {whose} on line {first.place.line}"


def _collide(one: Address, other: Address) -> bool:
    """Whether both name a same address of this machine. `::` is bound for IPv4 as well."""
    a, b = ipaddress.ip_address(one.host), ipaddress.ip_address(other.host)
    if a.version == b.version:
        return a == b or a.is_unspecified or b.is_unspecified
    return (a if a.version == 6 else b).is_unspecified
