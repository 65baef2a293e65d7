"""What the desk knows of the gateway behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from gatewayd.desk.listing import Entry
from gatewayd.net.arrival import Arrival, Newcomer
from gatewayd.net.stage import Stage
from gatewayd.port.peer import Peer
from gatewayd.port.proof import Proof
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.typed import Protocol


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody at the desk has chosen."""

    port: str
    watch: bool = False
    insists: bool = False
    """Take the port over from whoever has it."""
    program: bool = False
    """One line of answer, and then nothing but what the device says."""
    straight: bool = False
    """Chosen without the menu."""
    after_cr: bool = False
    """The last key was CR: an LF or NUL that follows belongs to it."""


@dataclass(frozen=True, slots=True)
class Guest:
    """Somebody who leaves a port, and stays at the desk."""

    peer: Peer
    telnet: TelnetFace
    address: str
    name: str
    """What it says of itself."""
    proof: Proof


class Front(Protocol):
    """The gateway, as the desk sees it."""

    title: str

    @property
    def escape(self) -> bytes:
        """The keys that come before a command; empty for none."""

    def entries(self) -> list[Entry]:
        """All ports, in the order of the configuration."""

    def forbids(self, port: str, newcomer: Newcomer) -> str:
        """Why somebody may not go to a port; empty if he may."""

    def who(self, port: str = "") -> list[str]:
        """Who is at a port, or at any: lines for a person."""

    def replay(self, port: str) -> bytes:
        """What the device said last, if that is kept."""

    def seat(self, wish: Wish) -> Callable[[Arrival], Stage]:
        """Makes the session of one who has chosen."""

    def back(self, guest: Guest, rest: bytes) -> None:
        """Take somebody to the menu who has sent `rest` already."""
