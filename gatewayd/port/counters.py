"""What a port has counted."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Counters:
    """What a port has seen since it began. Bytes as the line has them, without Telnet's escapes."""

    from_device: int = 0
    discarded_from_device: int = 0
    """Came while nobody was there to take them."""
    sessions: int = 0
    refused: int = 0
    takeovers: int = 0
    """How often a client lost the port to another one."""
    missed: int = 0
    """Bytes that those who watched, and do so no more, did not get."""
    losses: int = 0
    """How often the device went away."""
