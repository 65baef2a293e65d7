"""inetutils telnet and PuTTY's plink: a person at a terminal."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.served import Served, program
from tests.interop.terminal import Terminal


@pytest.fixture
def telnet(served: Served) -> Iterator[Terminal]:
    """inetutils telnet, connected."""
    with Terminal(program("inetutils-telnet"), "127.0.0.1", str(served.rfc2217)) as terminal:
        terminal.expect(rb"Escape character is[^\n]*\n")
        yield terminal


def command(telnet: Terminal, text: bytes) -> None:
    """Give telnet a command behind its escape character."""
    telnet.type(b"\x1d")
    telnet.expect(rb"telnet> ")
    telnet.type(text + b"\r")
    telnet.expect(text + rb"\r\n")


def test_each_key_goes_to_the_line_and_answers_are_shown(served: Served, telnet: Terminal) -> None:
    for key in (b"v", b"e", b"r"):
        telnet.type(key)
        assert served.instrument.read(1) == key
    served.instrument.write(b"\x1b[2J\xff\x00>\r\n")
    telnet.expect(rb"\x1b\[2J\xff\x00>\r\n")


def test_are_you_there_is_answered(served: Served, telnet: Terminal) -> None:
    command(telnet, b"send ayt")
    telnet.expect(rb"\S+")
    served.instrument.write(b"on it goes")
    telnet.expect(rb"on it goes")


@pytest.mark.parametrize("what", [b"brk", b"synch", b"nop", b"ip", b"ao", b"ec", b"el", b"ga"])
def test_special_functions_leave_nothing_in_the_data(
    served: Served, telnet: Terminal, what: bytes
) -> None:
    telnet.type(b"a")
    assert served.instrument.read(1) == b"a"
    command(telnet, b"send " + what)
    telnet.type(b"z")
    seen = served.instrument.read_until(b"z")
    assert b"\xff" not in seen
    assert b"\xf2" not in seen
    served.instrument.write(b"on it goes")
    telnet.expect(rb"on it goes")


def test_without_binary_return_arrives_as_cr_alone(served: Served, telnet: Terminal) -> None:
    telnet.type(b"a")
    assert served.instrument.read(1) == b"a"
    command(telnet, b"unset binary")
    telnet.type(b"b")  # once it arrives the terminal is in raw mode again
    assert served.instrument.read(1) == b"b"
    telnet.type(b"\rc")
    assert served.instrument.read(2) == b"\rc"
    served.instrument.write(b"1\r\n2\r3")
    telnet.expect(rb"1\r\n2\r\0?3")


def test_quit_ends_the_session(served: Served, telnet: Terminal) -> None:
    command(telnet, b"quit")
    telnet.expect(rb"Connection closed")
    assert telnet.wait() == 0


def test_plink_types_and_shows(served: Served) -> None:
    plink = program("plink")
    with Terminal(plink, "-telnet", "-P", str(served.rfc2217), "127.0.0.1") as terminal:
        for key in (b"*", b"I", b"?"):
            terminal.type(key)
            assert served.instrument.read(1) == key
        terminal.type(b"\r")
        assert served.instrument.read(1) == b"\r"
        served.instrument.write(b"ACME\xff\r\n")
        terminal.expect(rb"ACME\xff\r\n")
