"""A tap: counts the lines that a device says, whoever is connected.

A tap looks on at one port, from `Hub.add` on. It is called in the loop and returns at once; it can
neither slow nor fail the client that holds the port.
"""

from __future__ import annotations

from gatewayd.config.schema import Face
from gatewayd.port.event import PortEvent
from tests.net.stand import run, standing
from tests.until import turning


class LineCounter:
    """Counts, and fails if a line is too long for it."""

    def __init__(self, longest: int) -> None:
        self.lines = 0
        self._longest = longest
        self._length = 0

    def from_line(self, data: bytes) -> None:
        *lines, rest = data.split(b"\n")
        self.lines += len(lines)
        self._length = len(rest) if lines else self._length + len(rest)
        if self._length > self._longest:
            raise ValueError("a line without an end")

    def to_line(self, data: bytes) -> None:
        """What clients send is not counted."""

    def happened(self, event: PortEvent) -> None:
        """Nor is what else happens."""


def test_lines_are_counted_beside_a_client() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            counter = LineCounter(longest=100)
            stand.port.hub.add(counter)
            await stand.device_sends(b"nobody is\nthere\n")
            await turning(lambda: counter.lines == 2)
            client = await stand.let_in()
            await stand.device_sends(b"login: \nlast")
            assert await client.gets(12) == b"login: \nlast"
            assert counter.lines == 3
            # It fails, and is called no more; the client gets everything.
            await stand.device_sends(b"x" * 200)
            assert await client.gets(200) == b"x" * 200
            assert counter.lines == 3
            assert stand.port.hub.taps == ()

    run(scenario())
