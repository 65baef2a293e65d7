"""The front desk with the clients that people have, and by ssh."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.served import program
from tests.interop.sshd import Sshd, quoted, sshd
from tests.interop.terminal import Terminal, run
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.running import Running
from tests.until import PATIENCE

pytestmark = pytest.mark.interop


class Room:
    """A daemon with a desk, and the devices behind psu1 and dut-a."""

    def __init__(self, daemon: Running, desk: int, psu1: Adapter, dut: Adapter) -> None:
        self.daemon = daemon
        self.desk = str(desk)
        self.psu1 = psu1
        self.dut = dut


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    directory = tmp_path_factory.mktemp("desk")
    desk, *raw = free_ports(3)
    with Adapter(directory / "psu1") as psu1, Adapter(directory / "dut-a") as dut:
        ports = "".join(
            f"  {adapter.path.name}:\n    device: {adapter.path}\n    raw: {port}\n"
            for adapter, port in zip((psu1, dut), raw, strict=True)
        )
        with Running(directory, ports, top=f"desk: {desk}\n") as daemon:
            daemon.wait_for_more(r" open, \d+ ", 2)
            yield Room(daemon, desk, psu1, dut)


def hears(device: Adapter, what: bytes) -> None:
    """Read up to `what`; the end of file of a terminal that has hung up may come before."""
    seen = b""
    while not seen.endswith(what):
        seen += device.read(1)


def asks(terminal: Terminal, device: Adapter) -> None:
    """Type a question and see the answer."""
    terminal.expect(rb"it is yours.*\]\r\n")
    terminal.type(b"*IDN?\r")
    hears(device, b"*IDN?\r")
    device.write(b"SUPPLY 7\r\n")
    terminal.expect(rb"SUPPLY 7\r\n")


@pytest.mark.parametrize("choice", [b"psu1", b"1", b"p"])
def test_telnet_chooses(room: Room, choice: bytes) -> None:
    with Terminal("telnet", "127.0.0.1", room.desk) as terminal:
        terminal.expect(rb"  1   psu1    free\s+2   dut-a   free\s+port> ")
        terminal.type(choice + b"\r")
        terminal.expect(choice + rb"\r\n")
        asks(terminal, room.psu1)
        terminal.type(b"\x05cm")
        terminal.expect(rb"port> ")
        terminal.type(b"dut-a\r")
        asks(terminal, room.dut)
        terminal.type(b"\x05c")
        terminal.type(b"x")
        terminal.expect(rb"Connection closed")


def test_telnet_goes_straight_to_a_port(room: Room) -> None:
    with Terminal("telnet", "-l", "psu1", "127.0.0.1", room.desk) as terminal:
        asks(terminal, room.psu1)
        assert b"port>" not in terminal.screen
        terminal.type(b"\x05c.")
        terminal.expect(rb"Connection closed")


def test_plink_tells_its_user_or_a_port(room: Room) -> None:
    plink = ("plink", "-telnet", "-P", room.desk)
    with Terminal(*plink, "-l", "dut-a", "127.0.0.1") as terminal:
        asks(terminal, room.dut)
        with Terminal(*plink, "-l", "someone", "127.0.0.1") as other:
            other.expect(rb"2   dut-a   held.*port> ")
            other.type(b"2\r")
            other.expect(rb"has it\. \[w\]atch, \[t\]ake over, \[b\]ack\? ")
            other.type(b"w\r")
            other.expect(rb"you watch")
            terminal.type(b"\x05cw")
            terminal.expect(rb'dut-a\s+watches\s+127\.0\.0\.1:\d+ "someone" desk since')
            room.dut.write(b"for both\r\n")
            terminal.expect(rb"for both")
            other.expect(rb"for both")
        terminal.type(b"\x05cx")


def test_kermit_at_the_menu(room: Room) -> None:
    with Terminal("kermit", "-Y") as terminal:
        terminal.expect(rb">")
        terminal.type(b"set telnet wait off\rset host 127.0.0.1 " + room.desk.encode())
        terminal.type(b" /telnet\rconnect\r")
        terminal.expect(rb"port> ")
        terminal.type(b"psu1\r")
        asks(terminal, room.psu1)
        terminal.type(b"\x05cx")


def test_netcat_names_a_port_and_gets_its_answer(room: Room) -> None:
    command = ["nc", "-N", "127.0.0.1", room.desk]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as nc:
        assert nc.stdin is not None
        assert nc.stdout is not None
        nc.stdin.write(b"PORT psu1\r\n*IDN?\n")
        nc.stdin.close()
        hears(room.psu1, b"*IDN?\n")
        room.psu1.write(b"SUPPLY 7\n")
        said = nc.stdout.read()
    _, begin, rest = said.partition(b"+OK ")
    assert begin, said
    assert rest == b"psu1 9600 8N1\r\nSUPPLY 7\n"
    assert b"-ERR there is no port 'psu'\r\n" in run(command, b"PORT psu\n")


def test_expect_finds_its_way(room: Room, tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        f"set timeout {PATIENCE:.0f}\nspawn telnet 127.0.0.1 {room.desk}\n"
        'expect "port> "\nsend "PORT psu1\\r"\nexpect -re {\\+OK [^\\r\\n]*\\r\\n}\n'
        'send "*IDN?\\r"\nexpect "SUPPLY 7"\nputs "found it"\n'
    )
    with Terminal(program("expect"), str(script)) as terminal:
        hears(room.psu1, b"*IDN?\r")
        room.psu1.write(b"SUPPLY 7\r\n")
        terminal.expect(rb"found it")


# ---- by ssh


def test_a_name_without_an_end_takes_no_memory(room: Room) -> None:
    def peak() -> int:
        status = Path(f"/proc/{room.daemon.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    def shouts() -> None:
        with socket.create_connection(("127.0.0.1", int(room.desk)), PATIENCE) as sock:
            with contextlib.suppress(ConnectionError):
                for _ in range(64):
                    sock.sendall(b"x" * 65536)
            with contextlib.suppress(ConnectionError):
                while sock.recv(65536):
                    pass

    shouts()
    before = peak()
    for _ in range(4):
        shouts()
    assert peak() - before < 1024


@pytest.fixture(scope="module")
def server(room: Room, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    command = (sys.executable, "-m", "gatewayd", "attach", "--ssh")
    force = quoted(*command, "--control", str(room.daemon.control))
    root = str(Path(__file__).parents[2])
    directory = tmp_path_factory.mktemp("sshd")
    with sshd(directory, f"cd {quoted(root)} && exec {force}") as server:
        yield server


def test_ssh_goes_to_a_port(room: Room, server: Sshd) -> None:
    with Terminal(*server.command("psu1", terminal=True)) as terminal:
        asks(terminal, room.psu1)
        session = room.daemon.status("psu1")["session"]
        assert " from 127.0.0.1 through " in session["peer"]
        terminal.type(b"\x05c.")
        assert terminal.wait() == 0


def test_ssh_without_a_port_is_the_menu(room: Room, server: Sshd) -> None:
    with Terminal(*server.command(terminal=True)) as terminal:
        terminal.expect(rb"port> ")
        terminal.type(b"d\r")
        asks(terminal, room.dut)
        terminal.type(b"\x05cm")
        terminal.expect(rb"port> ")
        terminal.type(b"quit\r")
        assert terminal.wait() == 0


def test_ssh_without_a_terminal_is_for_scripts(room: Room, server: Sshd) -> None:
    command = server.command("psu1", terminal=False)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as ssh:
        assert ssh.stdin is not None
        assert ssh.stdout is not None
        ssh.stdin.write(b"*IDN?\n")
        ssh.stdin.close()
        hears(room.psu1, b"*IDN?\n")
        room.psu1.write(b"SUPPLY 7\n")
        assert ssh.stdout.read() == b"SUPPLY 7\n"
        assert ssh.wait(PATIENCE) == 0


@pytest.mark.parametrize("asked", ["psu1; id", "--help", "$(touch /tmp/x)", "sh"])
def test_ssh_runs_nothing_that_it_is_asked_to(server: Sshd, asked: str) -> None:
    command = server.command(asked, terminal=False)
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, check=False)
    assert done.returncode == 1
    assert done.stdout == b""
    assert done.stderr.strip() in (b"that is no port's name", b"there is no port 'sh'")
