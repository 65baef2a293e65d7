"""PyVISA-py's `TCPIP::...::SOCKET` on the raw face: what lab scripts use."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import cast

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from tests.interop.served import Served

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pyvisa_py")


@pytest.fixture
def resource(served: Served) -> Iterator[MessageBasedResource]:
    """The raw face as a VISA resource."""
    manager = pyvisa.ResourceManager("@py")
    name = f"TCPIP::127.0.0.1::{served.raw}::SOCKET"
    opened = cast("MessageBasedResource", manager.open_resource(name, timeout=10_000))
    opened.read_termination = opened.write_termination = "\n"
    yield opened
    opened.close()
    manager.close()


def test_query_gets_its_answer(served: Served, resource: MessageBasedResource) -> None:
    for number in range(20):
        resource.write(f"MEAS{number}?")
        assert served.instrument.read_until(b"\n") == b"MEAS%d?\n" % number
        served.instrument.write(b"%d.5\n" % number)
        assert resource.read() == f"{number}.5"


def test_waveform_of_every_byte_value_arrives(
    served: Served, resource: MessageBasedResource
) -> None:
    values = list(range(256)) * 40

    def answer() -> None:
        assert served.instrument.read_until(b"\n") == b"CURV?\n"
        served.instrument.write(b"#510240" + bytes(values) + b"\n")

    with ThreadPoolExecutor(1) as pool:
        answered = pool.submit(answer)
        assert resource.query_binary_values("CURV?", datatype="B") == values
        answered.result()


def test_resource_can_be_closed_and_opened_again(served: Served) -> None:
    manager = pyvisa.ResourceManager("@py")
    for _ in range(10):
        name = f"TCPIP::127.0.0.1::{served.raw}::SOCKET"
        opened = cast("MessageBasedResource", manager.open_resource(name, timeout=10_000))
        opened.write("*RST", "\n")
        assert served.instrument.read_until(b"\n") == b"*RST\n"
        opened.close()
    manager.close()
