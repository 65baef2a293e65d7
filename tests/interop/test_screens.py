"""What a person sees who types at a Telnet client: each letter once, and no password."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.interop.served import Served, program
from tests.interop.terminal import Terminal


def inetutils(served: Served) -> list[str]:
    return [program("inetutils-telnet"), "127.0.0.1", str(served.rfc2217)]


def plink(served: Served) -> list[str]:
    return [program("plink"), "-telnet", "-P", str(served.rfc2217), "127.0.0.1"]


def busybox(served: Served) -> list[str]:
    return [program("busybox"), "telnet", "127.0.0.1", str(served.rfc2217)]


class Person:
    """Who sits at a terminal with a client on it."""

    def __init__(self, served: Served, terminal: Terminal) -> None:
        self.terminal = terminal
        self._device = served.instrument

    def reads(self, text: bytes) -> None:
        """The device says something, and it is on the screen."""
        self._device.write(text)
        self.terminal.expect(re.escape(text.strip()))

    def types(self, line: bytes, answer: bytes, *, echoes: bool) -> str:
        """Type a line, each letter when the one before is with the device; what is on the screen
        then of it, up to the end of the answer."""
        for at in range(len(line)):
            self.terminal.type(line[at : at + 1])
            assert self._device.read_until(line[at : at + 1])[-1:] == line[at : at + 1]
            if echoes:
                self._device.write(line[at : at + 1])
        self.terminal.type(b"\r")
        self._device.read_until(b"\r")
        self._device.write(answer)
        end = answer.strip()
        seen = self.terminal.expect(rb"(.*)" + re.escape(end))[1]
        return re.sub(r"[\r\n\0 ]", "", seen.decode())


@pytest.fixture(params=[inetutils, plink, busybox])
def person(served: Served, request: pytest.FixtureRequest) -> Iterator[Person]:
    with Terminal(*request.param(served)) as terminal:
        person = Person(served, terminal)
        terminal.type(b"\r")
        # Before the client has heard our offers Return may be another character.
        served.instrument.read(1)
        person.reads(b"power up\r\n")
        yield person


def test_at_a_device_that_echoes_each_letter_is_seen_once(person: Person) -> None:
    for _ in range(3):
        assert person.types(b"ls", b"\r\nfile\r\n", echoes=True) == "ls"


@pytest.mark.parametrize("person", [inetutils, plink], indirect=True)
def test_at_one_that_does_not_the_second_line_is_seen_once(person: Person) -> None:
    assert person.types(b"MEAS?", b"4.2\r\n", echoes=False) == ""
    # Behind what says that the client shows what is typed.
    person.reads(b"settled\r\n")
    for _ in range(2):
        # inetutils shows Return as it is.
        assert person.types(b"CURV?", b"1,2\r\n", echoes=False).removesuffix("^M") == "CURV?"


@pytest.mark.parametrize("person", [busybox], indirect=True)
def test_there_busybox_sends_whole_lines(served: Served, person: Person) -> None:
    person.types(b"MEAS?", b"4.2\r\n", echoes=False)
    person.reads(b"settled\r\n")
    person.terminal.type(b"CURV?\r")
    served.instrument.read_until(b"CURV?\r")
    served.instrument.write(b"1,2\r\n")
    seen = person.terminal.expect(rb"(.*)1,2")[1]
    assert seen.split() == [b"CURV?"]


def test_a_password_is_not_seen(person: Person) -> None:
    person.reads(b"Password: ")
    assert person.types(b"secret", b"\r\nwelcome\r\n", echoes=False) == ""
    assert person.types(b"ls", b"\r\nfile\r\n", echoes=True) == "ls"


def test_a_password_behind_a_name_is_not_seen(person: Person) -> None:
    person.reads(b"login: ")
    assert person.types(b"root", b"\r\nPassword: ", echoes=True) == "root"
    assert person.types(b"secret", b"\r\nwelcome\r\n", echoes=False) == ""
