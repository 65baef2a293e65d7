"""ser2net as a client: a gateway behind a gateway, with pyserial at the far end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
import serial
import serial.rfc2217

from tests.interop.instrument import Instrument
from tests.interop.served import FETCHED, Served, program
from tests.ports import free_ports

# pyserial 3.5 calls deprecated methods of threads
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217")

CONFIGURATION = """%YAML 1.1
---
connection: &chained
  accepter: telnet(rfc2217),tcp,127.0.0.1,{accepter}
  connector: telnet(rfc2217),tcp,127.0.0.1,{connector}
"""


@contextmanager
def ser2net(directory: Path, connector: int) -> Iterator[int]:
    """Run ser2net in front of a gateway's port; the port where it listens."""
    (accepter,) = free_ports(1)
    configuration, started = directory / "ser2net.yaml", directory / "started"
    configuration.write_text(CONFIGURATION.format(accepter=accepter, connector=connector))
    os.mkfifo(started)  # it writes its process id there once it listens
    with subprocess.Popen(
        [program("ser2net", FETCHED / "ser2net/usr/sbin"), "-n", "-c", configuration, "-P", started]
    ) as process:
        try:
            assert int(started.read_text()) == process.pid
            yield accepter
        finally:
            process.terminate()


@pytest.fixture
def chained(served_pty: Served, tmp_path: Path) -> Iterator[tuple[str, Instrument]]:
    """The URL of ser2net in front of a gateway, and the instrument behind both."""
    with ser2net(tmp_path, served_pty.rfc2217) as port:
        yield f"rfc2217://127.0.0.1:{port}", served_pty.instrument


def test_data_settings_and_lines_pass_through_ser2net(chained: tuple[str, Instrument]) -> None:
    url, instrument = chained
    with serial.serial_for_url(url, timeout=10, baudrate=38400) as opened:
        port = cast("serial.rfc2217.Serial", opened)
        assert instrument.baudrate() == 38400
        port.dtr = False
        port.rts = False
        port.dtr = True
        port.reset_input_buffer()
        port.write(bytes(range(256)))
        assert instrument.read(256) == bytes(range(256))
        instrument.write(bytes(range(256)))
        assert port.read(256) == bytes(range(256))
        port.baudrate = 57600
        port.write(b"x")
        assert instrument.read(1) == b"x"
        assert instrument.baudrate() == 57600
