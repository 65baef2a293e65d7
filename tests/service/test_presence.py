"""A port outlives its device: absent, unplugged and plugged in again, busy, failed."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.comport.wire import ANSWER, Command, Control, ModemState
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.client import Client, closed, connect, receive
from tests.service.running import Running

NOTIFY_MODEMSTATE = Command.NOTIFY_MODEMSTATE + ANSWER
CONNECTED = ModemState.CTS | ModemState.DSR | ModemState.CD


class Bench:
    """One port `psu1` with both faces on an adapter."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.telnet, self.raw = free_ports(2)
        self.adapter = Adapter(directory / "ttyUSB0", plugged=False)

    def entry(self, more: str = "") -> str:
        faces = f"rfc2217: {self.telnet}, raw: {self.raw}"
        return f"  psu1: {{device: {self.adapter.path}, {faces}{more}}}\n"

    def serve(self, more: str = "", *, plugged: bool = True) -> Running:
        if plugged:
            self.adapter.plug()
        return Running(self.directory, self.entry(more))


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    bench = Bench(tmp_path)
    with bench.adapter:
        yield bench


def opened(daemon: Running, times: int = 1) -> None:
    daemon.wait_for_more(" open, 9600 8N1| open, 19200 8N1", times)


def absent(daemon: Running, times: int = 1) -> None:
    daemon.wait_for_more("warning psu1: .* is not there", times)


def test_a_device_that_comes_late_is_found(bench: Bench) -> None:
    with bench.serve(plugged=False) as daemon:
        absent(daemon)
        assert daemon.status("psu1")["state"] == "absent"
        with Client(bench.telnet) as client:
            assert client.read_to_end().startswith(b"\r\npsu1: device is absent, ")
        with connect(bench.raw) as raw:
            assert closed(raw)
        bench.adapter.plug()
        opened(daemon)
        with connect(bench.raw) as raw:
            raw.sendall(b"*IDN?\n")
            assert bench.adapter.read(6) == b"*IDN?\n"
        status = daemon.status("psu1")
        assert (status["state"], status["refused"], status["losses"]) == ("ready", 2, 0)


def test_the_session_and_what_it_negotiated_outlive_the_device(bench: Bench) -> None:
    with bench.serve() as daemon:
        opened(daemon)
        with Client(bench.telnet) as client:
            assert client.ask(Command.SET_BAUDRATE, 19200) == 19200
            assert client.ask(Command.SET_CONTROL, Control.DTR_OFF) == Control.DTR_OFF
            assert client.ask(Command.SET_MODEMSTATE_MASK, 255) == 255
            assert client.wait_for(NOTIFY_MODEMSTATE) & CONNECTED == CONNECTED
            bench.adapter.pull()
            assert client.wait_for(NOTIFY_MODEMSTATE) & CONNECTED == 0
            absent(daemon)
            client.send(b"lost")
            # What is set now is for the device that comes.
            assert client.ask(Command.SET_BAUDRATE) == 19200
            assert client.ask(Command.SET_STOPSIZE, 2) == 2
            assert daemon.status("psu1")["sent_discarded"] == 4

            bench.adapter.plug()
            assert client.wait_for(NOTIFY_MODEMSTATE) & CONNECTED == CONNECTED
            assert bench.adapter.baudrate() == termios.B19200
            assert client.ask(Command.SET_BAUDRATE) == 19200
            assert client.ask(Command.SET_STOPSIZE) == 2
            assert client.ask(Command.SET_CONTROL, Control.DTR_QUERY) == Control.DTR_OFF
            client.send(b"to the device")
            assert bench.adapter.read(13) == b"to the device"
            bench.adapter.write(b"\xffback")
            assert client.read(5) == b"\xffback"
            status = daemon.status("psu1")
            assert (status["losses"], status["sent"]) == (1, 13)
        daemon.wait_for("psu1: rfc2217 session .* over")
        daemon.wait_for("psu1: 4 bytes for the device were discarded")
        with Client(bench.telnet) as client:
            assert client.ask(Command.SET_BAUDRATE) == 9600
            assert bench.adapter.baudrate() == termios.B9600


def test_refused_bytes_wait_at_the_client(bench: Bench) -> None:
    with bench.serve(", while_absent: refuse") as daemon:
        opened(daemon)
        with connect(bench.raw) as raw:
            raw.sendall(b"a")
            assert bench.adapter.read(1) == b"a"
            bench.adapter.pull()
            absent(daemon)
            raw.sendall(b"waits")
            bench.adapter.plug()
            opened(daemon, 2)
            assert bench.adapter.read(5) == b"waits"
        assert daemon.status("psu1")["sent_discarded"] == 0


def test_close_on_unplug(bench: Bench) -> None:
    with bench.serve(", on_unplug: close") as daemon:
        opened(daemon)
        with Client(bench.telnet) as client, connect(bench.raw):
            assert client.ask(Command.SET_BAUDRATE) == 9600
            bench.adapter.pull()
            client.read_to_end()
        absent(daemon)
        assert daemon.status("psu1")["session"] is None


def test_hold_for_a_while(bench: Bench) -> None:
    with bench.serve(", on_unplug: hold for 1s") as daemon:
        opened(daemon)
        with connect(bench.raw) as raw:
            bench.adapter.write(b"a")
            assert raw.recv(1) == b"a"
            bench.adapter.pull()
            absent(daemon)
            assert daemon.status("psu1")["session"] is not None
            bench.adapter.plug()
            opened(daemon, 2)
            bench.adapter.pull()
            absent(daemon, 2)
            assert closed(raw)
        assert daemon.status("psu1")["session"] is None
        daemon.wait_for_more("session from .* over", 1)
        assert daemon.times("session from .* over") == 1


def test_the_tty_is_released_at_once(bench: Bench) -> None:
    """Otherwise the adapter would come back under another name."""
    with bench.serve() as daemon:
        opened(daemon)
        node = bench.adapter.node
        assert node in daemon.files()
        bench.adapter.pull()
        daemon.wait_for("psu1: device lost")
        assert not any(node in name for name in daemon.files())


def test_a_device_that_another_program_holds(bench: Bench) -> None:
    bench.adapter.plug()
    with open(bench.adapter.path, "rb", buffering=0) as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with bench.serve(plugged=False) as daemon:
            daemon.wait_for(f"warning psu1: .* is in use by .*pid {os.getpid()}")
            with Client(bench.telnet) as client:
                assert f"pid {os.getpid()}".encode() in client.read_to_end()
            fcntl.flock(held, fcntl.LOCK_UN)
            opened(daemon)
            assert daemon.status("psu1")["state"] == "ready"


def test_a_file_is_no_device(bench: Bench) -> None:
    bench.adapter.path.write_text("")
    with bench.serve(plugged=False) as daemon:
        daemon.wait_for(r"warning psu1: \S+ is a file, not a serial device")
        assert daemon.status("psu1")["cause"].endswith("not a serial device")
        with Client(bench.telnet) as client:
            assert b"psu1: device is failed" in client.read_to_end()
        bench.adapter.path.unlink()
        absent(daemon)
        bench.adapter.plug()
        opened(daemon)


def test_a_device_of_another_link(bench: Bench) -> None:
    """The link leads to another adapter from now on: what is open stays, the next open follows."""
    with bench.serve() as daemon, Adapter(bench.directory / "other") as other:
        opened(daemon)
        with connect(bench.raw) as raw:
            raw.sendall(b"first")
            assert bench.adapter.read(5) == b"first"
            replacement = bench.directory / "new"
            replacement.symlink_to(other.node)
            bench.adapter.hang_up()
            replacement.rename(bench.adapter.path)
            opened(daemon, 2)
            raw.sendall(b"second")
            assert other.read(6) == b"second"


def test_socat_killed_and_started_again(bench: Bench) -> None:
    socat = shutil.which("socat")
    if socat is None:
        pytest.skip("socat is not installed")
    command = [socat, f"PTY,link={bench.adapter.path},raw,echo=0", "EXEC:cat"]
    with bench.serve(plugged=False) as daemon:
        absent(daemon)
        for number in (1, 2):
            with subprocess.Popen(command) as process:
                opened(daemon, number)
                with Client(bench.telnet) as client:
                    client.send(b"echo")
                    assert client.read(4) == b"echo"
                process.send_signal(signal.SIGTERM)
            daemon.wait_for_more("psu1: device lost", number)


def test_fifty_cycles_leave_nothing_behind(bench: Bench) -> None:
    with bench.serve() as daemon, connect(bench.raw) as raw:
        opened(daemon)
        marks = []
        for cycle in range(1, 51):
            data = bytes([cycle]) * 1000
            raw.sendall(data)
            assert bench.adapter.read(1000) == data
            bench.adapter.write(data)
            assert receive(raw, 1000) == data
            if cycle in (10, 50):
                marks.append(footprint(daemon))
            bench.adapter.pull()
            daemon.wait_for_more("psu1: device lost", cycle)
            bench.adapter.plug()
            opened(daemon, cycle + 1)
        (files_before, threads_before, resident_before), (files_, threads, resident) = marks
        assert files_ == files_before
        assert threads <= max(threads_before, 32)
        assert resident - resident_before < 1_000_000
        status = daemon.status("psu1")
        assert (status["losses"], status["sessions"]) == (50, 1)
        assert (status["sent"], status["received"]) == (50_000, 50_000)


def footprint(daemon: Running) -> tuple[int, int, int]:
    """Descriptors, threads and resident bytes of the daemon."""
    process = Path(f"/proc/{daemon.pid}")
    resident = int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return len(daemon.files()), len(os.listdir(process / "task")), resident
