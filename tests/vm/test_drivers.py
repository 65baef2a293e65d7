"""Settings, modem lines, breaks and errors on the kernel's own drivers: 8250 and ftdi_sio.

Two lines are compared with what their far ends saw. Where the emulated hardware shows less than the
adapter does (wire.py, lineshim.py), a test has the adapter only.
"""

from __future__ import annotations

import hashlib
import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from serial import rfc2217

from tests.same import same
from tests.vm.client import Client
from tests.vm.ftdi import FtdiDevice, FtdiWire
from tests.vm.gateway import GUEST, Gateway
from tests.vm.lineshim import LineShim, UartWire
from tests.vm.machine import Machine
from tests.vm.wire import LineError

pytestmark = pytest.mark.vm

TTYS = ("/dev/ttyS4", "/dev/serial/by-id/usb-FTDI_FT232R_USB_UART_GW0001-if00-port0")
PORTS = (7001, 7002)
RAW = 7101
CONFIGURATION = f"""\
  uart:
    device: {TTYS[0]}
    line: 115200 8N1 rtscts
    rfc2217: {GUEST}:{PORTS[0]}
    raw: {GUEST}:{RAW}
  ftdi:
    device: {TTYS[1]}
    rfc2217: {GUEST}:{PORTS[1]}
"""
SLOW_READER = """
import hashlib, socket, sys
host, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
sock.connect((host, port))
open("/run/connected", "w").close()
open("/run/read").read()
digest = hashlib.sha256()
while count and (data := sock.recv(count)):
    count -= len(data)
    digest.update(data)
print(digest.hexdigest())
"""
# Notifications' bits (RFC 2217, sections 3 and 4).
OVERRUN, PARITY, FRAMING, BREAK = 2, 4, 8, 16
CTS, DSR, RI, CD = 16, 32, 64, 128
CTS_CHANGED, DSR_CHANGED, RI_ENDED, CD_CHANGED = 1, 2, 4, 8


@pytest.fixture(scope="module")
def shim(image: Path, cache: Path) -> Iterator[LineShim]:
    shim = LineShim(cache, 1)
    yield shim
    shim.close()


@pytest.fixture(scope="module")
def adapter() -> FtdiDevice:
    return FtdiDevice("GW0001")


@pytest.fixture(scope="module")
def gateway(image: Path, package: Path, shim: LineShim, adapter: FtdiDevice) -> Iterator[Gateway]:
    """gatewayd with a port on a 16550A and one on an FT232R."""
    with Machine(image, shim=shim, ports=PORTS) as vm:
        vm.plug("adapter", adapter, socket_number=1)
        gateway = Gateway(vm)
        gateway.install(package)
        vm.run(["udevadm", "wait", "--timeout=20", TTYS[1]])
        gateway.start(CONFIGURATION, "uart", "ftdi")
        yield gateway


@pytest.fixture
def uart(gateway: Gateway, shim: LineShim) -> Iterator[tuple[Client, UartWire]]:
    """A client of the 16550A, and the wire."""
    (wire,) = shim.wires
    wire.set_inputs(cts=True, dsr=True, dcd=True, ri=False)
    with gateway.connect(PORTS[0]) as client:
        wire.take()
        yield client, wire


@pytest.fixture
def ftdi(gateway: Gateway, adapter: FtdiDevice) -> Iterator[tuple[Client, FtdiWire]]:
    """A client of the FT232R, and the wire."""
    wire = adapter.wire
    wire.set_inputs(cts=True, dsr=True, dcd=True, ri=False)
    with gateway.connect(PORTS[1]) as client:
        wire.take()
        yield client, wire


@pytest.fixture(params=["uart", "ftdi"])
def line(request: pytest.FixtureRequest, suite: str) -> tuple[Client, UartWire | FtdiWire]:
    """Each of the two in turn; `suite` is named since what they stand on is there once for each."""
    pair: tuple[Client, UartWire | FtdiWire] = request.getfixturevalue(request.param)
    return pair


@pytest.mark.parametrize(
    ("baudrate", "frame"),
    [(1200, "7E2"), (300, "8N2"), (57600, "8O1"), (19200, "7O1"), (115200, "8N1")],
)
def test_settings_reach_the_wire_and_are_read_back(
    line: tuple[Client, UartWire | FtdiWire], baudrate: int, frame: str
) -> None:
    client, wire = line
    assert client.set(baudrate, frame) == (baudrate, frame)
    assert wire.framing.near(baudrate, frame), wire.framing


@pytest.mark.parametrize("frame", ["8M1", "8S1", "7M2"])
def test_mark_and_space_parity(ftdi: tuple[Client, FtdiWire], frame: str) -> None:
    client, wire = ftdi
    assert client.set(9600, frame) == (9600, frame)
    assert wire.framing.near(9600, frame), wire.framing


@pytest.mark.parametrize("baudrate", [12345, 250000, 1_000_000])
def test_baud_rates_that_have_no_name(ftdi: tuple[Client, FtdiWire], baudrate: int) -> None:
    client, wire = ftdi
    assert client.set(baudrate, "8N1") == (baudrate, "8N1")
    assert wire.framing.near(baudrate, "8N1"), wire.framing


def test_a_rate_that_the_hardware_refuses_is_answered_with_the_one_in_force(
    uart: tuple[Client, UartWire],
) -> None:
    client, wire = uart
    client.set(19200, "8N1")
    assert client.request(rfc2217.SET_BAUDRATE, (250_000).to_bytes(4)) == (19200).to_bytes(4)
    assert wire.framing.near(19200, "8N1"), wire.framing


def test_every_byte_value_both_ways(line: tuple[Client, UartWire | FtdiWire]) -> None:
    client, wire = line
    client.set(115200, "8N1")
    down, up = random.Random(1).randbytes(16_000), random.Random(2).randbytes(16_000)
    sending = threading.Thread(target=wire.send, args=(up,))
    sending.start()
    client.send(down + b"END")
    same(client.collect(len(up)), up)
    assert wire.expect(b"END", 60) == down + b"END"
    sending.join()


def test_dtr_and_rts_follow_the_client(line: tuple[Client, UartWire | FtdiWire]) -> None:
    client, wire = line
    for control, dtr, rts in (
        (rfc2217.SET_CONTROL_DTR_OFF, False, True),
        (rfc2217.SET_CONTROL_RTS_OFF, False, False),
        (rfc2217.SET_CONTROL_DTR_ON, True, False),
        (rfc2217.SET_CONTROL_RTS_ON, True, True),
    ):
        assert client.request(rfc2217.SET_CONTROL, control) == control
        assert (wire.dtr, wire.rts) == (dtr, rts)


def test_modem_lines_are_told_as_they_change(line: tuple[Client, UartWire | FtdiWire]) -> None:
    client, wire = line
    client.request(rfc2217.SET_MODEMSTATE_MASK, b"\xff")
    told = rfc2217.SERVER_NOTIFY_MODEMSTATE
    assert client.told_bits(told, CTS | DSR | CD) & 0xF0 == CTS | DSR | CD
    wire.set_inputs(cts=False)
    assert client.told_bits(told, CTS_CHANGED) & 0xF0 == DSR | CD
    wire.set_inputs(dsr=False)
    assert client.told_bits(told, DSR_CHANGED) & 0xF0 == CD
    wire.set_inputs(dcd=False)
    assert client.told_bits(told, CD_CHANGED) & 0xF0 == 0
    # A 16550A tells of RI only when it ends: CD goes along to show that RI was seen.
    wire.set_inputs(ri=True, dcd=True)
    assert client.told_bits(told, CD_CHANGED) & 0xF0 == RI | CD
    wire.set_inputs(ri=False)
    assert client.told_bits(told, RI_ENDED) & 0xF0 == CD
    wire.set_inputs(cts=True, dsr=True)
    assert client.told_bits(told, CTS | DSR | CD)


def test_cts_holds_output_with_hardware_flow_control(
    line: tuple[Client, UartWire | FtdiWire],
) -> None:
    client, wire = line
    hardware = rfc2217.SET_CONTROL_USE_HW_FLOW_CONTROL
    assert client.request(rfc2217.SET_CONTROL, hardware) == hardware
    client.request(rfc2217.SET_MODEMSTATE_MASK, b"\xff")
    wire.set_inputs(cts=False)
    client.told_bits(rfc2217.SERVER_NOTIFY_MODEMSTATE, CTS_CHANGED)
    client.send(b"held back")
    with pytest.raises(TimeoutError):
        wire.expect(b"h", timeout=0.5)
    wire.set_inputs(cts=True)
    assert wire.expect(b"back") == b"held back"


def test_rts_stops_the_device_while_the_client_does_not_read(
    gateway: Gateway, shim: LineShim
) -> None:
    (wire,), vm = shim.wires, gateway.vm
    data = random.Random(3).randbytes(1 << 18)
    # The client is in the guest, since QEMU's network would take about a megabyte off the gateway.
    vm.run("echo 4096 16384 65536 > /proc/sys/net/ipv4/tcp_wmem; mkfifo /run/connected /run/read")
    client = ["python3", "-c", SLOW_READER, GUEST, str(RAW), str(len(data))]
    with ThreadPoolExecutor() as pool:
        reading = pool.submit(vm.run, client, timeout=120)
        vm.run("cat /run/connected")
        sending = pool.submit(wire.send, data)
        wire.wait(lambda wire: not wire.rts, 60)
        vm.run("echo > /run/read")
        assert reading.result().stdout.strip() == hashlib.sha256(data).hexdigest()
        sending.result()
        wire.wait(lambda wire: wire.rts)


def test_a_break_of_the_client_is_on_the_wire_as_long_as_it_says(
    ftdi: tuple[Client, FtdiWire],
) -> None:
    client, wire = ftdi
    for control, breaking in (
        (rfc2217.SET_CONTROL_BREAK_ON, True),
        (rfc2217.SET_CONTROL_BREAK_OFF, False),
    ):
        assert client.request(rfc2217.SET_CONTROL, control) == control
        assert wire.breaking is breaking


def test_a_break_of_the_client_on_a_uart(uart: tuple[Client, UartWire]) -> None:
    client, wire = uart
    before = wire.breaks
    client.request(rfc2217.SET_CONTROL, rfc2217.SET_CONTROL_BREAK_ON)
    assert wire.breaks == before + 1
    client.request(rfc2217.SET_CONTROL, rfc2217.SET_CONTROL_BREAK_OFF)
    client.send(b"after")
    wire.expect(b"after")


def test_a_break_of_the_device_is_told(
    gateway: Gateway, line: tuple[Client, UartWire | FtdiWire]
) -> None:
    client, wire = line
    client.request(rfc2217.SET_LINESTATE_MASK, b"\xff")
    if isinstance(wire, UartWire):
        gateway.vm.send_break(wire.name)
    else:
        wire.send(b"\0", "break")
    client.told_bits(rfc2217.SERVER_NOTIFY_LINESTATE, BREAK)


@pytest.mark.parametrize(
    ("error", "bit"), [("parity", PARITY), ("framing", FRAMING), ("overrun", OVERRUN)]
)
def test_errors_of_the_receiver_are_told(
    ftdi: tuple[Client, FtdiWire], error: LineError, bit: int
) -> None:
    client, wire = ftdi
    client.set(9600, "8E1")
    client.request(rfc2217.SET_LINESTATE_MASK, b"\xff")
    wire.send(b"good")
    assert client.collect(4) == b"good"
    wire.send(b"x", error)
    assert (
        client.told_bits(rfc2217.SERVER_NOTIFY_LINESTATE, bit) & (PARITY | FRAMING | OVERRUN) == bit
    )
