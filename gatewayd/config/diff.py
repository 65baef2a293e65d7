"""What a new configuration changes: the least that must be done to get from the old one to it."""

from __future__ import annotations

from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.value import Value

Listening = tuple[Face, Address]


class Change(Value):
    """A port that is in both configurations and differs: in device, in addresses, or in what is put
    in force under its sessions."""

    old: PortConfig
    new: PortConfig
    restart: bool
    """It has another device: its line is opened anew, and its sessions end."""
    closed: tuple[Listening, ...]
    """Where it no longer listens."""
    opened: tuple[Listening, ...]
    """Where it listens from now on."""


class Plan(Value):
    """The steps, each part by the order of its file.

    An address may move from one port to another, and so may a device: whatever is removed or closed
    goes first, what is added or opened comes after.
    """

    removed: tuple[PortConfig, ...]
    changed: tuple[Change, ...]
    added: tuple[PortConfig, ...]
    unchanged: tuple[PortConfig, ...]
    """As they are in the new file: only the line that they stand on may differ."""


def plan(old: Config, new: Config) -> Plan:
    """What to do to get from `old` to `new`; ports are the same when their names are."""
    before = {port.name: port for port in old.ports}
    after = {port.name: port for port in new.ports}
    kept = [(before[port.name], port) for port in new.ports if port.name in before]
    return Plan(
        removed=tuple(port for port in old.ports if port.name not in after),
        changed=tuple(_change(one, other) for one, other in kept if _differ(one, other)),
        added=tuple(port for port in new.ports if port.name not in before),
        unchanged=tuple(other for one, other in kept if not _differ(one, other)),
    )


def _differ(old: PortConfig, new: PortConfig) -> bool:
    return old != new or old.doors != new.doors


def _change(old: PortConfig, new: PortConfig) -> Change:
    return Change(
        old=old,
        new=new,
        restart=old.device != new.device,
        closed=tuple(spot for spot in old.listeners if spot not in new.listeners),
        opened=tuple(spot for spot in new.listeners if spot not in old.listeners),
    )
