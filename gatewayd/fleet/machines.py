"""What was found on the network, machine by machine, for people who look on: pure, and all of it
bounded, since anybody on the link can tell anything."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final

from gatewayd.advertise.services import GATEWAYD, IOSTREAM, TELNET
from gatewayd.config.values import is_page_url
from gatewayd.fleet.listing import PROVIDER, Found, best, clean, host_name, listed, place_of

KINDS: Final = (GATEWAYD, IOSTREAM, TELNET)
LONGEST: Final = 64
"""Characters of any name that is shown."""
MOST_AWAY: Final = 256
"""Ports of a gateway, as many as one has."""


@dataclass(frozen=True, slots=True)
class Reached:
    """A port of a machine."""

    name: str
    provider: str
    state: str
    """`free`, `held`, `away`, or nothing where that is not told."""
    device: str
    places: tuple[str, ...]
    """Where it is reached, and what is spoken there: `rfc2217 10.0.4.17:7001`."""


@dataclass(frozen=True, slots=True)
class Machine:
    """Who serves ports."""

    name: str
    """Its host's, without `.local`."""
    version: str = ""
    """Of gatewayd; empty where that is not told of."""
    ports: tuple[Reached, ...] = ()
    away: int = 0
    """How many of its ports are not told of, since their devices are away."""
    desk: str = ""
    """Where its front desk is, as 10.0.4.17:2323."""
    page: str = ""
    """Where its page is: a URL of http or https."""
    local: bool = False
    """Whether it is this machine."""

    def as_json(self) -> dict[str, Any]:
        """All of it."""
        return asdict(self)


@dataclass(slots=True)
class _Parts:
    gateway: Found | None = None
    desk: str = ""
    ports: dict[tuple[str, str], Reached] = field(default_factory=dict)
    local: bool = False


def machines(found: Iterable[Found]) -> dict[str, Machine]:
    """By name, this machine first and the others by the alphabet."""
    parts: dict[str, _Parts] = {}
    for one in sorted(best(found), key=lambda one: (one.name, one.port)):
        ours = one.txt.get("provider") == PROVIDER
        if one.type == TELNET and not ours:
            # A switch, a printer: whatever else speaks Telnet.
            continue
        of = parts.setdefault(_short(host_name(one)) or "?", _Parts())
        of.local |= one.local
        if one.type == GATEWAYD:
            of.gateway = one
        elif one.type == TELNET:
            of.desk = of.desk or place_of(one.address, one.port)
        else:
            _add(of.ports, one)
    made = (_machine(name, of) for name, of in parts.items())
    order = sorted(made, key=lambda one: (not one.local, one.name))
    return {one.name: one for one in order}


def remembered(now: Mapping[str, Machine], before: Mapping[str, Machine]) -> dict[str, Machine]:
    """`now`, where ports that were there `before` are named of those that are away."""
    return {name: _with_away(one, before.get(name)) for name, one in now.items()}


def _with_away(machine: Machine, before: Machine | None) -> Machine:
    if not machine.away or before is None:
        return machine
    there = {port.name for port in machine.ports}
    lost = [one for one in before.ports if one.name not in there and one.provider == PROVIDER]
    # Who went just now is more surely one of them than who went before.
    lost.sort(key=lambda one: one.state == "away")
    away = [replace(one, state="away", places=()) for one in lost[: machine.away]]
    ports = sorted((*machine.ports, *away), key=lambda one: one.name)
    return replace(machine, ports=tuple(ports), away=machine.away - len(away))


def _machine(name: str, of: _Parts) -> Machine:
    ports = tuple(sorted(of.ports.values(), key=lambda one: (one.name, one.provider)))
    if of.gateway is None:
        return Machine(name, ports=ports, desk=of.desk, local=of.local)
    txt = of.gateway.txt
    page = txt.get("page", "")
    told = sum(one.provider == PROVIDER for one in ports)
    return Machine(
        name,
        _short(clean(txt.get("version", ""))) or "?",
        ports,
        min(max(_number(txt.get("ports", "")) - told, 0), MOST_AWAY),
        of.desk,
        page if is_page_url(page) else "",
        of.local,
    )


def _add(ports: dict[tuple[str, str], Reached], found: Found) -> None:
    """A port has a service for each of its addresses."""
    one = listed(found, "")
    name, provider = _short(one.name), _short(one.provider)
    place = f"{_speaks(one.stack)} {one.address}".strip()
    key = name, provider
    if key in ports:
        ports[key] = replace(ports[key], places=(*ports[key].places, place))
    else:
        state = {"in use": "held"}.get(one.state, one.state)
        ports[key] = Reached(name, provider, state, _short(one.device), (place,))


def _speaks(stack: str) -> str:
    """What is spoken, by gensio's word for it."""
    for word, said in (("rfc2217", "rfc2217"), ("telnet", "telnet"), ("ssl", "TLS")):
        if word in stack:
            return said
    return "raw" if stack == "tcp" else ""


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else 0
