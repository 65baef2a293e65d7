"""What is told of a port and of the gateway: names, types and TXT records of DNS-SD (RFC 6763).

`_iostream._tcp` has the keys of ser2net, so that what looks for its ports finds these. Nothing says
who holds a port: whoever is on the link reads it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gatewayd.config.schema import Address, Advertise, Config, Face, PortConfig
from gatewayd.device.scan import SerialDevice

IOSTREAM: Final = "_iostream._tcp"
SCPI_RAW: Final = "_scpi-raw._tcp"
GATEWAYD: Final = "_gatewayd._tcp"
TELNET: Final = "_telnet._tcp"
LONGEST_NAME: Final = 63
"""Bytes of the name of a service (RFC 6763, 4.1.1)."""
LONGEST_TEXT: Final = 255
"""Bytes of one `key=value` (RFC 6763, 6.1)."""
STACKS: Final = {Face.RFC2217: "telnet(rfc2217),tcp", Face.RAW: "tcp"}
"""What is spoken, in gensio's words."""


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the host that it is published from."""

    name: str
    type: str
    port: int
    txt: tuple[str, ...]
    """`key=value`, each at most 255 bytes in UTF-8."""
    host: str = "::"
    """The address that it listens at: it is told on the links that have it."""


def wanted(config: Config, port: PortConfig) -> bool:
    """Whether the configuration wants `port` advertised."""
    if port.advertise is Advertise.GATEWAY:
        return config.advertise
    return port.advertise is Advertise.YES


def of_port(
    port: PortConfig,
    listeners: Iterable[tuple[Face, Address]],
    host: str,
    *,
    device: SerialDevice | None = None,
    held: bool | None = None,
) -> tuple[Service, ...]:
    """The services of a port that listens at `listeners`; none when that is loopback only.

    `host` is the name of the machine on the link. Without `held` nothing is said about that.
    """
    listeners = tuple(listeners)
    rfc2217 = reachable(at for face, at in listeners if face is Face.RFC2217)
    raw = reachable(at for face, at in listeners if face is Face.RAW)
    name = f"{port.name} on {host}"
    ours = [f"port={port.name}"] + ([] if held is None else [f"held={held:d}"])
    stack = STACKS[Face.RFC2217 if rfc2217 else Face.RAW]
    txt = ["provider=gatewayd", f"gensiostack={stack}", *_attributes(device)]
    txt += [f"baud={port.line.baudrate}", *ours]
    services = _services(name, IOSTREAM, rfc2217 or raw, txt)
    if port.scpi:
        services += _services(name, SCPI_RAW, raw, ["txtvers=1", "provider=gatewayd", *ours])
    return tuple(services)


def of_gateway(host: str, txt: Iterable[str]) -> Service:
    """What says that a gateway is there: it has no port of its own, so the number is 0."""
    return Service(_cut(host, LONGEST_NAME), GATEWAYD, 0, tuple(txt))


def of_desk(desk: Iterable[Address], host: str) -> tuple[Service, ...]:
    """The front desk, where other machines reach it."""
    return tuple(_services(host, TELNET, reachable(desk), ["provider=gatewayd"]))


def reachable(addresses: Iterable[Address]) -> list[Address]:
    """Those of `addresses` that other machines can reach."""
    return [at for at in addresses if not _on_loopback(at)]


def _services(
    name: str, kind: str, addresses: Iterable[Address], txt: Iterable[str]
) -> list[Service]:
    """One service an address; a second TCP port has it in its name."""
    texts = tuple(_cut(text, LONGEST_TEXT) for text in txt)
    addresses = tuple(addresses)
    names = {at.port: f"{name}, {at.port}" for at in addresses}
    names |= {at.port: name for at in addresses[:1]}
    return [
        Service(_cut(names[at.port], LONGEST_NAME), kind, at.port, texts, at.host)
        for at in addresses
    ]


def _attributes(device: SerialDevice | None) -> list[str]:
    """What ser2net tells of a device, in its words."""
    if device is None or device.vid is None:
        return ["devicetype=serial"]
    interface = None if device.interface is None else f"{device.interface:02x}"
    told = {
        "bInterfaceNumber": interface,
        "idProduct": device.pid,
        "idVendor": device.vid,
        "serial": device.serial,
        "manufacturer": device.manufacturer,
        "product": device.product,
    }
    return ["devicetype=serialusb", *(f"{key}={text}" for key, text in told.items() if text)]


def _on_loopback(address: Address) -> bool:
    return ipaddress.ip_address(address.host).is_loopback


def _cut(text: str, limit: int) -> str:
    """`text` in at most `limit` bytes of UTF-8."""
    return text.encode()[:limit].decode(errors="ignore")
