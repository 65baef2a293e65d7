"""What a connection is to the session that it serves."""

from __future__ import annotations

from typing import Final

from gatewayd.line.api import Gathering
from gatewayd.typed import Protocol

HIGH_BYTES: Final = 65536
LOW_BYTES: Final = 16384
"""What waits for a client: above the first the line is not read, below the second it is again."""


class Peer(Protocol):
    """A connection, as its session uses it."""

    def write(self, data: bytes) -> None:
        """Send; what the socket does not take is kept."""

    def write_urgent(self, data: bytes) -> None:
        """Send with the last byte as TCP urgent data."""

    def backlog(self) -> int:
        """Bytes kept because the socket did not take them."""

    def ended(self) -> bool:
        """Whether the client has closed its side, though not all that it sent may be read."""

    def unread(self) -> bool:
        """Whether something that the client sent waits to be read."""

    def put_back(self, data: bytes) -> None:
        """Have it received again, before anything else, when others have had their turn."""

    def limit_kernel(self) -> None:
        """Have the system keep little of what the client does not take."""

    def gather(self, place: Gathering | None) -> None:
        """Read the client there, together with others, for as long as it streams; None is as soon
        as it sends something."""

    def pause_reading(self) -> None:
        """Read nothing from the client."""

    def resume_reading(self) -> None:
        """Read again."""

    def close(self) -> None:
        """Send what is kept, then close."""

    def abort(self) -> None:
        """Close at once."""
