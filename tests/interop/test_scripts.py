"""Scripts that open the port for each command, send it, and close at once."""

from __future__ import annotations

from typing import cast

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from tests.interop.served import Served, program
from tests.interop.terminal import run

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pyvisa_py")

FACES = pytest.mark.parametrize("face", ["raw", "rfc2217"])


def number_of(served: Served, face: str) -> int:
    return served.raw if face == "raw" else served.rfc2217


def commands(count: int) -> bytes:
    return b"".join(b"CMD %d\n" % number for number in range(count))


@FACES
def test_echo_into_bashs_dev_tcp(served: Served, face: str) -> None:
    script = 'for i in 0 1 2 3; do echo "CMD $i" >/dev/tcp/127.0.0.1/$0 || exit; done'
    run([program("bash"), "-c", script, str(number_of(served, face))])
    assert served.instrument.read(len(commands(4))) == commands(4)


@FACES
def test_echo_into_bashs_dev_tcp_from_several_at_once(served: Served, face: str) -> None:
    script = 'for i in 0 1 2 3; do echo "CMD $i" >/dev/tcp/127.0.0.1/$0 & done; wait'
    run([program("bash"), "-c", script, str(number_of(served, face))])
    lines = served.instrument.read(len(commands(4))).splitlines()
    assert sorted(lines) == commands(4).splitlines()


@FACES
def test_a_visa_resource_that_is_opened_for_each_command(served: Served, face: str) -> None:
    manager = pyvisa.ResourceManager("@py")
    name = f"TCPIP::127.0.0.1::{number_of(served, face)}::SOCKET"
    for number in range(6):
        opened = cast("MessageBasedResource", manager.open_resource(name, timeout=10_000))
        opened.write(f"CMD {number}", "\n")
        opened.close()
    manager.close()
    assert served.instrument.read(len(commands(6))) == commands(6)
