"""What a port has counted."""

from __future__ import annotations


class Counters:
    """What a port has seen since it began. Bytes as the line has them, without Telnet's escapes."""

    def __init__(self) -> None:
        self.from_device = 0
        self.discarded_from_device = 0
        """Came while nobody was there to take them."""
        self.sessions = 0
        self.refused = 0
        self.takeovers = 0
        """How often a client lost the port to another one."""
        self.missed = 0
        """Bytes that those who watched, and do so no more, did not get."""
        self.losses = 0
        """How often the device went away."""
