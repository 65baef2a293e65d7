"""A port that is kept for somebody for a time: a courtesy among people, no protection."""

from __future__ import annotations

from datetime import datetime

from gatewayd.typed import Protocol
from gatewayd.value import Value

TIME_FORMAT = "%Y-%m-%d %H:%M:%S %Z"


class Named(Protocol):
    """A client, as far as it matters here."""

    peername: str
    name: str


class Lease(Value):
    """While it holds, a port is given only to clients that come from `host`, an address without a
    port, or call themselves as the holder."""

    holder: str
    until: datetime
    note: str = ""
    host: str = ""

    def admits(self, client: Named) -> bool:
        """Whether a client may have the port."""
        if client.name and client.name == self.holder:
            return True
        return bool(self.host) and host_of(client.peername) == self.host

    def __str__(self) -> str:
        note = f" ({self.note})" if self.note else ""
        return f"leased to {self.holder} until {self.until.strftime(TIME_FORMAT).rstrip()}{note}"


def host_of(peername: str) -> str:
    """The address of a client, without its port."""
    return peername.rpartition(":")[0].rpartition(" ")[2].strip("[]")
