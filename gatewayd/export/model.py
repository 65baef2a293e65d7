"""What an export is made from beside the configuration, and what comes of it."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from gatewayd.config.schema import Address, Tls
from gatewayd.device.scan import SerialDevice


@dataclass(frozen=True, slots=True)
class Here:
    """This machine."""

    host: str
    """The name or address by which others reach it."""
    devices: tuple[SerialDevice, ...] = ()
    """What is plugged in, for programs that know devices by path only."""


@dataclass(frozen=True, slots=True)
class Export:
    """Files by name, and what could not be said in them, each one a line for people."""

    files: tuple[tuple[str, str], ...]
    remarks: tuple[str, ...] = ()


def first(addresses: tuple[Address, ...]) -> Address | None:
    """The address to tell others: the first that other machines can reach, else the first. These
    programs do not speak TLS."""
    addresses = tuple(one for one in addresses if one.door.tls in (Tls.NONE, Tls.OPTIONAL))
    return next((one for one in addresses if not on_loopback(one)), next(iter(addresses), None))


def on_loopback(address: Address) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(address.host).is_loopback


def host_of(address: Address, here: Here) -> str:
    """What a client writes to reach `address`: a listener on every address has the host's name."""
    return here.host if ipaddress.ip_address(address.host).is_unspecified else address.host


def loopback_only(name: str, program: str) -> str:
    """The remark on a port that listens on loopback."""
    return f"{name}: listens on loopback only; {program} on another machine does not reach it"
