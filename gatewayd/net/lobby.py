"""How many connections may be on their way in at once: in all, from one host, and at one door."""

from __future__ import annotations

from collections import Counter
from typing import Final

MOST: Final = 128
MOST_OF_ONE: Final = 8
"""Of one host at one door. A newcomer that is slow, or says nothing, costs a descriptor and a
timer; a crowd of them must not cost the descriptors that ports need."""
MOST_OF_HOST: Final = 64
"""At all doors: a program that comes to all ports at once has to get in."""


class Lobby:
    """Those who have connected and have no session yet."""

    def __init__(
        self, *, most: int = MOST, most_of_one: int = MOST_OF_ONE, most_of_host: int = MOST_OF_HOST
    ) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._most_of_host = most_of_host
        self.hosts: dict[str, Counter[str]] = {}
        """How many of each host are at which door; no host that has none."""

    def __len__(self) -> int:
        return sum(doors.total() for doors in self.hosts.values())

    def enter(self, host: str, door: str = "") -> str:
        """One more from `host` at `door`; return why not, if it cannot be."""
        doors = self.hosts.get(host, Counter())
        if doors[door] >= self._most_of_one:
            return f"{self._most_of_one} connections of {host} are on their way in already"
        if doors.total() >= self._most_of_host:
            return f"{self._most_of_host} connections of {host} are on their way in already"
        if len(self) >= self._most:
            return f"{self._most} connections are on their way in already"
        self.hosts.setdefault(host, doors)[door] += 1
        return ""

    def leave(self, host: str, door: str = "") -> None:
        """One of those is through, or gone."""
        doors = self.hosts[host]
        doors[door] -= 1
        if not doors[door]:
            del doors[door]
        if not doors:
            del self.hosts[host]
