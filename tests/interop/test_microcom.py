"""microcom -t, the terminal of many embedded developers."""

from __future__ import annotations

from tests.interop.served import Served, program
from tests.interop.terminal import Terminal

ESCAPE = b"\x1c"


def test_microcom_sets_the_speed_types_breaks_and_quits(served_pty: Served) -> None:
    address = f"127.0.0.1:{served_pty.rfc2217}"
    with Terminal(program("microcom"), "-t", address, "-s", "19200") as terminal:
        terminal.expect(rb"to get to the prompt")
        terminal.type(b"hello")
        assert served_pty.instrument.read(5) == b"hello"
        served_pty.instrument.write(b"world")
        terminal.expect(rb"world")
        terminal.type(ESCAPE)
        terminal.expect(rb"> ")
        terminal.type(b"break\r")
        terminal.type(b"more")
        assert served_pty.instrument.read_until(b"more").replace(b"\0", b"") == b"more"
