"""C-Kermit, which waits for the answer to each of its questions."""

from __future__ import annotations

from tests.interop.served import Served, program
from tests.interop.terminal import Terminal


def test_kermit_sets_shows_sends_and_receives(served: Served) -> None:
    commands = ", ".join(
        (
            f"set host 127.0.0.1 {served.rfc2217}",
            "set speed 19200",
            "set parity none",
            "show communications",
            r"output *IDN?\{10}",
            "input 10 ACME",
            "if success echo [answered]",
            "close",
            "exit 0",
        )
    )
    with Terminal(program("kermit"), "-Y", "-C", commands) as kermit:
        kermit.expect(rb"Speed +: 19200")
        assert served.instrument.read_until(b"\n") == b"*IDN?\n"
        served.instrument.write(b"ACME,PSU\n")
        kermit.expect(rb"\[answered\]")
        assert kermit.wait() == 0
