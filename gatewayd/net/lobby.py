"""How many connections may be on their way in at once, in all and from one host."""

from __future__ import annotations

from collections import Counter
from typing import Final

MOST: Final = 128
MOST_OF_ONE: Final = 8
"""A newcomer that is slow, or says nothing, costs a descriptor and a timer; a crowd of them must
not cost the descriptors that ports need."""


class Lobby:
    """Those who have connected and have no session yet."""

    def __init__(self, *, most: int = MOST, most_of_one: int = MOST_OF_ONE) -> None:
        self._most = most
        self._most_of_one = most_of_one
        self._hosts: Counter[str] = Counter()

    def __len__(self) -> int:
        return self._hosts.total()

    def enter(self, host: str) -> str:
        """One more from `host`; return why not, if it cannot be."""
        if self._hosts[host] >= self._most_of_one:
            return f"{self._most_of_one} connections of {host} are on their way in already"
        if len(self) >= self._most:
            return f"{self._most} connections are on their way in already"
        self._hosts[host] += 1
        return ""

    def leave(self, host: str) -> None:
        """One of those is through, or gone."""
        self._hosts[host] -= 1
        if not self._hosts[host]:
            del self._hosts[host]
