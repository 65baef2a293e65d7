"""pyserial's `rfc2217://` and `socket://`: what miniterm, esptool, mpremote and PyMeasure use."""

from __future__ import annotations

import hashlib
import random
import termios
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import pytest
import serial
import serial.rfc2217

from tests.interop.gateway import CLOSED
from tests.interop.served import Served
from tests.same import same

# pyserial 3.5 calls deprecated methods of threads
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:serial.rfc2217")

EVERY_BYTE = bytes(range(256))
MEGABYTE = 1 << 20
UART_SIZES = [(5, 1), (5, 1.5), (6, 1), (6, 2), (7, 1), (7, 2), (8, 1), (8, 2)]


@contextmanager
def connected(served: Served, query: str = "", **settings: Any) -> Iterator[serial.rfc2217.Serial]:
    """pyserial on the Telnet face."""
    url = f"rfc2217://127.0.0.1:{served.rfc2217}{query}"
    with serial.serial_for_url(url, timeout=10, **settings) as port:
        yield cast("serial.rfc2217.Serial", port)


def exchange(port: serial.rfc2217.Serial, served: Served) -> None:
    """Pass every byte value in both directions."""
    port.write(EVERY_BYTE)
    assert served.instrument.read(256) == EVERY_BYTE
    served.instrument.write(EVERY_BYTE[::-1])
    assert port.read(256) == EVERY_BYTE[::-1]


@pytest.mark.parametrize("query", ["", "?ign_set_control&timeout=3.0", "?poll_modem"])
def test_every_byte_value_passes_with_each_form_of_the_url(served: Served, query: str) -> None:
    with connected(served, query) as port:
        exchange(port, served)


@pytest.mark.parametrize("baudrate", [50, 1200, 9600, 12345, 115200, 250000, 921600, 4000000])
def test_baudrate_is_set_in_the_kernel(served_pty: Served, baudrate: int) -> None:
    with connected(served_pty) as port:
        port.baudrate = baudrate
        assert served_pty.instrument.baudrate() == baudrate
        exchange(port, served_pty)


@pytest.mark.parametrize(
    ("bytesize", "parity", "stopbits"),
    [(size, "N", stop) for size, stop in UART_SIZES]
    + [(8, parity, 1) for parity in "EOMS"]
    + [(7, "E", 1), (7, "O", 2), (5, "M", 1.5)],
)
def test_every_framing_that_a_uart_has_can_be_opened(
    served_pty: Served, bytesize: int, parity: str, stopbits: float
) -> None:
    with connected(served_pty, bytesize=bytesize, parity=parity, stopbits=stopbits) as port:
        flags = served_pty.instrument.termios()[2]
        assert isinstance(flags, int)
        assert bool(flags & termios.CSTOPB) == (stopbits > 1)
        port.write(b"data")
        assert served_pty.instrument.read(4) == b"data"


def test_framings_follow_each_other_in_one_session(served: Served) -> None:
    with connected(served) as port:
        for parity in "MENSOEMON":
            port.parity = parity
        for bytesize in (7, 5, 6, 8):
            port.bytesize = bytesize
        for stopbits in (2, 1):
            port.stopbits = stopbits
        exchange(port, served)


@pytest.mark.parametrize(("bytesize", "stopbits"), [(8, 1.5), (7, 1.5), (5, 2)])
def test_framings_that_no_uart_has_are_refused_at_once(
    served: Served, bytesize: int, stopbits: float
) -> None:
    with connected(served, bytesize=bytesize) as port:
        with pytest.raises(ValueError, match="rejected"):
            port.stopbits = stopbits
        port.stopbits = 1
        port.bytesize = 8
        exchange(port, served)


def test_flow_control_can_be_chosen(served_pty: Served) -> None:
    def input_and_control_flags() -> tuple[int, int]:
        input_flags, _, control_flags = served_pty.instrument.termios()[:3]
        assert isinstance(input_flags, int)
        assert isinstance(control_flags, int)
        return input_flags, control_flags

    with connected(served_pty) as port:
        port.xonxoff = True
        assert input_and_control_flags()[0] & termios.IXON
        port.xonxoff = False
        assert not input_and_control_flags()[0] & (termios.IXON | termios.IXOFF)
        port.rtscts = True
        assert input_and_control_flags()[1] & termios.CRTSCTS
        port.rtscts = False
        assert not input_and_control_flags()[1] & termios.CRTSCTS
        exchange(port, served_pty)


def test_every_control_is_acknowledged(served: Served) -> None:
    with connected(served) as port:
        for level in (False, True, False, True):
            port.dtr = level
            port.rts = level
            port.break_condition = not level
        port.send_break(0.01)
        port.reset_input_buffer()
        port.reset_output_buffer()
        exchange(port, served)


@pytest.mark.parametrize("query", ["", "?poll_modem"])
def test_modem_lines_can_be_read_from_the_start(served: Served, query: str) -> None:
    with connected(served, query) as port:
        assert (port.cts, port.dsr, port.cd, port.ri) == (True, True, True, False)


def test_esptool_resets_a_chip_and_changes_speed_in_mid_session(served: Served) -> None:
    with connected(served) as port:
        for _ in range(12):
            for dtr, rts in ((False, True), (True, False), (False, False)):
                port.rts = rts
                port.dtr = dtr
                port.dtr = port.dtr
        for number in range(59):
            # each assignment sends all settings again, which must neither flush nor reorder
            port.write(b"%04d" % number)
            port.timeout = 3 + number % 2
            served.instrument.write(b"%04d" % number)
            assert port.read(4) == b"%04d" % number
        assert served.instrument.read(4 * 59) == b"".join(b"%04d" % n for n in range(59))
        port.baudrate = 921600
        exchange(port, served)


def test_a_megabyte_goes_both_ways_at_once(served: Served) -> None:
    up, down = (random.Random(seed).randbytes(MEGABYTE) for seed in (1, 2))
    with connected(served, baudrate=4000000) as port, ThreadPoolExecutor(3) as pool:
        written = pool.submit(port.write, up)
        sent = pool.submit(served.instrument.write, down)
        arrived = pool.submit(served.instrument.read, MEGABYTE)
        port.timeout = None
        received = port.read(MEGABYTE)
        written.result()
        sent.result()
        assert hashlib.sha256(arrived.result()).digest() == hashlib.sha256(up).digest()
    assert hashlib.sha256(received).digest() == hashlib.sha256(down).digest()


def test_fifty_opens_one_right_after_the_other(served: Served) -> None:
    for number in range(50):
        with connected(served) as port:
            port.write(b"%02d" % number)
            assert served.instrument.read(2) == b"%02d" % number
            served.instrument.write(b"ok")
            assert port.read(2) == b"ok"


def test_a_second_client_is_told_who_holds_the_port(served: Served) -> None:
    with connected(served) as port:
        with pytest.raises(serial.SerialException), connected(served):
            pass
        exchange(port, served)


def test_settings_are_as_configured_again_in_the_next_session(served_pty: Served) -> None:
    with connected(served_pty, baudrate=2400, stopbits=2):
        assert served_pty.instrument.baudrate() == 2400
    served_pty.gateway.wait_for(CLOSED)
    with serial.serial_for_url(f"socket://127.0.0.1:{served_pty.raw}") as port:
        port.write(b"next")
        assert served_pty.instrument.read(4) == b"next"
        assert served_pty.instrument.baudrate() == 9600


def test_raw_face_passes_a_megabyte_of_every_byte_value(served: Served) -> None:
    up, down = EVERY_BYTE * 4096, EVERY_BYTE[::-1] * 4096
    url = f"socket://127.0.0.1:{served.raw}"
    with serial.serial_for_url(url, timeout=10) as port, ThreadPoolExecutor(3) as pool:
        written = pool.submit(port.write, up)
        sent = pool.submit(served.instrument.write, down)
        arrived = pool.submit(served.instrument.read, len(up))
        same(port.read(len(down)), down)
        same(arrived.result(), up)
        written.result()
        sent.result()
