"""What `devices` and `name` print: an entry for `ports:`, ready to paste."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Set
from dataclasses import dataclass

from gatewayd.device.match import Choice, best_match, yaml_scalar
from gatewayd.device.scan import SerialDevice

LONGEST_NAME = 32
"""Characters of a proposed name; the configuration takes 64."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A port for a device, with what a machine most often needs."""

    name: str
    description: str
    choice: Choice
    rfc2217: int
    """TCP port on loopback, as `raw`."""
    raw: int
    line: str = "9600 8N1"

    def yaml(self, indent: int = 2) -> str:
        """Lines with their ends, `indent` blanks below `ports:`."""
        outer, inner = " " * indent, " " * 2 * indent
        device = self.choice.device
        value = yaml_scalar(device) if isinstance(device, str) else str(device)
        reason = "" if self.choice.reason is None else f"{inner}# {self.choice.reason}\n"
        return (
            f"{outer}{yaml_scalar(self.name)}:\n"
            f"{inner}description: {yaml_scalar(self.description)}\n"
            f"{reason}"
            f"{inner}device: {value}\n"
            f"{inner}line: {self.line}\n"
            f"{inner}rfc2217: 127.0.0.1:{self.rfc2217}\n"
            f"{inner}raw: 127.0.0.1:{self.raw}\n"
        )


def entry_for(
    device: SerialDevice,
    devices: Iterable[SerialDevice],
    *,
    name: str | None = None,
    names: Set[str] = frozenset(),
    ports: Set[int] = frozenset(),
) -> Entry:
    """An entry for `device`, one of `devices`. `names` and `ports` (TCP) are taken already; `name`
    is proposed from the device when it is None."""
    devices = tuple(devices)
    rfc2217, raw = free_ports(ports)
    return Entry(
        name or propose_name(device, devices, names),
        device.description,
        best_match(device, devices),
        rfc2217,
        raw,
    )


def entries_for(
    devices: Iterable[SerialDevice],
    *,
    names: Set[str] = frozenset(),
    ports: Set[int] = frozenset(),
) -> list[Entry]:
    """One entry for each of `devices`, no two with one name or one address."""
    devices = tuple(devices)
    names, ports = set(names), set(ports)
    entries = []
    for device in devices:
        entry = entry_for(device, devices, names=names, ports=ports)
        names.add(entry.name)
        ports |= {entry.rfc2217, entry.raw}
        entries.append(entry)
    return entries


def propose_name(device: SerialDevice, devices: Iterable[SerialDevice], taken: Set[str]) -> str:
    """A name for `device`: its product's, with its serial number where that is not enough, with a
    number where neither is. Compared without regard to case."""
    used = {name.lower() for name in taken}
    kind = _kind(device)
    alike = [other for other in devices if other.path != device.path and _kind(other) == kind]
    base = kind
    if alike and device.serial is not None:
        base = f"{kind}-{_slug(device.serial)}"[:LONGEST_NAME].rstrip("-.")
    number = 1
    name = base
    while name in used:
        number += 1
        name = f"{base}-{number}"
    return name


def free_ports(taken: Set[int]) -> tuple[int, int]:
    """The first free pair of TCP ports of 7001 and 7101, 7002 and 7102, ..., 7201 and 7301, ..."""
    pairs = ((base + n, base + n + 100) for base in range(7000, 65000, 200) for n in range(1, 100))
    return next(pair for pair in pairs if taken.isdisjoint(pair))


def _kind(device: SerialDevice) -> str:
    text = device.product or device.driver or ""
    if device.usb_path is None:
        text = os.path.basename(device.path)
    return _slug(text)[:LONGEST_NAME].rstrip("-.") or "port"


def _slug(text: str) -> str:
    """`text` in the characters that a port's name may have, beginning with a letter or digit."""
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")
