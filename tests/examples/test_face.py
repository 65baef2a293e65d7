"""A face that speaks another protocol: bytes of the line as hexadecimal digits, one read a line.

A face is a `Session`; `gatewayd.net.entrance.FACES` lists them.
"""

from __future__ import annotations

from typing import Final

import pytest

from gatewayd.config.schema import Face
from gatewayd.net.entrance import FACES
from gatewayd.port.session import Session
from tests.net.stand import run, standing

LONGEST: Final = 1024


class HexSession(Session):
    """`2a 49 44` from the client is `*ID` on the line, and so back."""

    face = "hex"
    _line = b""

    def receive(self, data: bytes) -> None:
        *lines, self._line = (self._line + data).split(b"\n")
        for line in lines:
            try:
                super().receive(bytes.fromhex(line.decode("ascii", "replace")))
            except ValueError:
                self.tell("no hexadecimal digits")
        if len(self._line) > LONGEST:
            self.end("a line without an end")

    def line_data(self, data: bytes) -> None:
        super().line_data(data.hex(" ").encode() + b"\n")

    def tell(self, text: str) -> None:
        self._peer.write(f"# {text}\n".encode())


def test_a_line_in_hexadecimal_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            await client.sends(b"2a 4944\n4e")
            await stand.device_gets(b"*ID")
            await client.sends(b"\nzz\n")
            await stand.device_gets(b"*IDN")
            await stand.device_sends(b"ok\r\n")
            want = b"# no hexadecimal digits\n6f 6b 0d 0a\n"
            assert await client.gets(len(want)) == want

    monkeypatch.setitem(FACES, Face.RAW, HexSession)
    run(scenario())
