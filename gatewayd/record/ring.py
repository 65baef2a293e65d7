"""What a device said last, in memory, for who begins to look at its port."""

from __future__ import annotations

from typing import Final

from gatewayd.port.event import PortEvent

_SLACK: Final = 8192
"""Bytes by which a ring outgrows its size before it is cut: not at each chunk."""


class Ring:
    """A tap that keeps the last `size` bytes from the line. It takes memory as it fills."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.data = bytearray()
        """What is kept; a little more than `size`, so that not all is moved each time."""

    def from_line(self, data: bytes) -> None:
        """See `Tap`."""
        self.data += data
        if len(self.data) > self.size + _SLACK:
            del self.data[: -self.size]

    def to_line(self, data: bytes) -> None:
        """See `Tap`; what clients send is not kept."""

    def happened(self, event: PortEvent) -> None:
        """See `Tap`."""

    def last(self) -> bytes:
        """What was kept, oldest first."""
        return bytes(self.data[-self.size :])

    def resize(self, size: int) -> None:
        """Keep so many bytes from now on."""
        self.size = size
        del self.data[:-size]
