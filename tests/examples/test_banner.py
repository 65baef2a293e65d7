"""A stage: shows a banner, and lets in whoever presses Enter.

A step of the way in is a `Step`; an entrance is given those that its clients pass. What they share
is the connection's Telnet, so the session goes on with what was agreed here.
"""

from __future__ import annotations

from typing import Final

from gatewayd.config.schema import Face
from gatewayd.net.arrival import Step
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.events import Event, OptionChanged
from tests.net.stand import run, standing
from tests.until import turning

BANNER: Final = "Bench 4. Mind the fan. Press Enter."


class Banner(Step):
    """Shows a text until Enter is pressed; for a minute."""

    patience = 60.0
    most_bytes = 256

    def start(self) -> None:
        assert self.arrival.telnet is not None
        self.size = ""
        self.arrival.telnet.welcome(Side.REMOTE, Option.NAWS, self.resized)
        self.arrival.telnet.ask(Side.REMOTE, Option.NAWS)
        self.arrival.telnet.send_text(BANNER)

    def receive(self, data: bytes) -> None:
        if data in b"\r\n":
            self.arrival.passed()

    def event(self, event: Event) -> None:
        if event == OptionChanged(Side.REMOTE, Option.NAWS, enabled=True):
            self.size = "?"

    def resized(self, payload: bytes) -> str:
        self.size = payload.hex()
        return "" if len(payload) == 4 else "a window has four bytes"


def test_a_banner_is_shown_before_the_line() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [Banner]
            client = stand.connects()
            shown = b"\xff\xfd\x1f\r\n" + BANNER.encode() + b"\r\n"
            assert await client.gets(len(shown)) == shown
            await client.sends(b"\xff\xfb\x1fno\xff\xfa\x1f\x00\x50\x00\x18\xff\xf0\ryes")
            await stand.device_gets(b"yes")
            await turning(lambda: stand.port.counters.sessions == 1)

    run(scenario())
