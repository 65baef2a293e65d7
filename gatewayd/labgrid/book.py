"""What the coordinator is told of each port: pure, from what gatewayd tells of it and from who has
acquired it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

RESOURCE: Final = "NetworkSerialPort"
"""The class and the name of each resource; its group is called as the port."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A port as labgrid knows it."""

    available: bool = False
    """Whether its device is there."""
    speed: int = 115200
    """What the line is set to."""
    place: str = ""
    """The place that has acquired it."""
    port: int = 0
    """The TCP port at which that place reaches it; 0 while nobody has acquired it."""


class Book:
    """The resources by the names of their ports."""

    def __init__(self) -> None:
        self.resources: dict[str, Resource] = {}

    def told(self, names: Iterable[str] | None, ports: Iterable[Mapping[str, Any]]) -> set[str]:
        """Take an answer of `Changes`; the names of the resources that changed by it.

        A port that is no longer served stays, not available: a place may have it.
        """
        before = dict(self.resources)
        if names is not None:
            gone = self.resources.keys() - set(names)
            for name in gone:
                self._change(name, available=False)
        for port in ports:
            speed = _speed(port["line"]) or self.of(port["name"]).speed
            self._change(port["name"], available=port["state"] == "ready", speed=speed)
        return {name for name, one in self.resources.items() if before.get(name) != one}

    def silent(self) -> set[str]:
        """gatewayd does not answer: nothing is available. The names of those that were."""
        changed = {name for name, one in self.resources.items() if one.available}
        for name in changed:
            self._change(name, available=False)
        return changed

    def acquired(self, name: str, place: str, port: int) -> None:
        """`place` has the port `name`, and reaches it at the TCP port `port`."""
        self._change(name, place=place, port=port)

    def released(self, name: str) -> None:
        """Nobody has acquired it any more."""
        self._change(name, place="", port=0)

    def of(self, name: str) -> Resource:
        """The resource; one that is not available where there is none."""
        return self.resources.get(name, Resource())

    def _change(self, name: str, **what: Any) -> None:
        self.resources[name] = replace(self.of(name), **what)


def _speed(line: str) -> int | None:
    """The baud rate of `9600 8N1`."""
    first = line.partition(" ")[0]
    return int(first) if first.isascii() and first.isdecimal() else None
