"""What was found on the network, as gateways with ports: pure, and nothing of it is believed.

Whoever is on the link tells of services; what they say is shown, cleaned, and no command is made
of it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gatewayd.advertise.services import GATEWAYD, IOSTREAM

GATEWAYS: Final = (GATEWAYD,)
"""By what gateways are found."""
KINDS: Final = (GATEWAYD, IOSTREAM)
"""By what their ports are found, too."""
PROVIDER: Final = "gatewayd"


@dataclass(frozen=True, slots=True)
class Found:
    """A service that is on the network now."""

    name: str
    type: str
    host: str
    """The host's name, as pi1.local."""
    address: str
    port: int
    txt: Mapping[str, str]
    local: bool = False
    """Whether it is told of by this machine, as far as that was asked."""


@dataclass(slots=True)
class Listed:
    """A port that can be reached."""

    gateway: str
    """The machine's name, without `.local`."""
    name: str
    provider: str
    """`gatewayd`, `ser2net`, or what else serves it."""
    address: str
    """Numeric, as 10.0.4.17:7001."""
    stack: str
    """What is spoken, in gensio's words: `telnet(rfc2217),tcp`."""
    state: str
    """`free`, `in use`, or nothing where that is not told."""
    device: str = ""
    who: str = ""
    """Who has it, where the gateway was asked."""


@dataclass(slots=True)
class Fleet:
    """All that was found."""

    ports: list[Listed] = field(default_factory=list)
    metrics: dict[str, str] = field(default_factory=dict)
    """By gateway, where Prometheus finds what it counts."""
    gateways: list[str] = field(default_factory=list)
    """The names of those that run gatewayd."""

    def as_json(self) -> list[dict[str, Any]]:
        """The ports, as `gatewayd ls --json` prints them."""
        keys = ("gateway", "name", "provider", "address", "stack", "state", "device", "who")
        return [{key: getattr(port, key) for key in keys} for port in self.ports]

    def targets(self) -> list[dict[str, Any]]:
        """What file_sd_configs of Prometheus reads."""
        return [
            {"targets": [target], "labels": {"gateway": gateway}}
            for gateway, target in sorted(self.metrics.items())
        ]


def fleet(found: Iterable[Found]) -> Fleet:
    """Each port once, however many links and families it is seen on: IPv4 comes first."""
    result = Fleet()
    for one in best(found):
        gateway = host_name(one)
        if one.type == GATEWAYD:
            result.gateways.append(gateway)
            metrics = one.txt.get("metrics", "")
            if metrics.isascii() and metrics.isdecimal():
                result.metrics[gateway] = place_of(one.address, int(metrics))
        else:
            result.ports.append(listed(one, gateway))
    result.gateways.sort()
    result.ports.sort(key=lambda port: (port.gateway, port.name, port.address))
    return result


def table(ports: Iterable[Listed]) -> list[str]:
    """The ports as lines of text, a heading first."""
    rows = [("GATEWAY", "PORT", "ADDRESS", "SPEAKS", "STATE", "WHO", "DEVICE")]
    for port in ports:
        speaks = port.provider if port.provider != PROVIDER else _speaks(port.stack)
        row = (port.gateway, port.name, port.address, speaks, port.state, port.who, port.device)
        rows.append(row)
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def clean(text: str) -> str:
    """What a terminal can be given of a stranger's text."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def best(found: Iterable[Found]) -> Iterable[Found]:
    """Each service once, at the best of its addresses."""
    chosen: dict[tuple[str, str], Found] = {}
    for one in found:
        key = one.type, one.name
        if key not in chosen or _rank(one) < _rank(chosen[key]):
            chosen[key] = one
    return chosen.values()


def host_name(one: Found) -> str:
    """The machine that has a service, without `.local`."""
    return clean(one.host.removesuffix(".local"))


def listed(one: Found, gateway: str) -> Listed:
    """A service as the port that it is."""
    txt = {key: clean(value) for key, value in one.txt.items()}
    held = {"0": "free", "1": "in use"}.get(txt.get("held", ""), "")
    device = " ".join(txt[key] for key in ("manufacturer", "product") if txt.get(key))
    return Listed(
        gateway,
        txt.get("port") or clean(one.name),
        txt.get("provider") or "?",
        place_of(one.address, one.port),
        txt.get("gensiostack", ""),
        held,
        device,
    )


def _speaks(stack: str) -> str:
    return "rfc2217" if "rfc2217" in stack else "raw"


def place_of(address: str, port: int) -> str:
    """A numeric address and a TCP port as one text."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def _rank(one: Found) -> tuple[int, int]:
    """What other machines can use comes first, then IPv4."""
    try:
        address = ipaddress.ip_address(one.address)
    except ValueError:
        return 2, 0
    return int(address.is_loopback or address.is_link_local), address.version
