"""gensiot, the tool of ser2net's library, as a client."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.interop.served import Served, program
from tests.interop.terminal import Terminal

ESCAPE = b"\x1c"


@pytest.fixture
def gensiot(served: Served) -> Iterator[Terminal]:
    """gensiot on the Telnet face."""
    stack = f"telnet(rfc2217),tcp,127.0.0.1,{served.rfc2217}"
    with Terminal(program("gensiot"), stack) as terminal:
        yield terminal


def test_data_goes_both_ways(served: Served, gensiot: Terminal) -> None:
    gensiot.type(b"hello")
    assert served.instrument.read(5) == b"hello"
    served.instrument.write(b"\xff\xff\x00world")
    gensiot.expect(rb"\xff\xff\x00world")


def test_settings_take_effect_and_are_reported_back(served: Served, gensiot: Terminal) -> None:
    gensiot.type(b"ready")
    assert served.instrument.read(5) == b"ready"
    for keys in (b"s19200\r", b"e", b"7", b"2"):
        gensiot.type(ESCAPE + keys)
    gensiot.type(ESCAPE + b"d")
    gensiot.expect(rb"19200")
    gensiot.type(b"still")
    assert served.instrument.read(5) == b"still"


def test_break_leaves_nothing_in_the_data(served: Served, gensiot: Terminal) -> None:
    gensiot.type(b"a")
    assert served.instrument.read(1) == b"a"
    gensiot.type(ESCAPE + b"b")
    gensiot.type(b"z")
    assert served.instrument.read_until(b"z").strip(b"\0") == b"z"


def test_quit_ends_the_session(served: Served, gensiot: Terminal) -> None:
    gensiot.type(b"a")
    assert served.instrument.read(1) == b"a"
    gensiot.type(ESCAPE + b"q")
    assert gensiot.wait() == 0
