"""Logging in at a running daemon, with the clients that people have."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest
import serial

from gatewayd.login.users import secret, write_users
from tests import master
from tests.cli.program import gatewayd
from tests.interop.served import program
from tests.interop.terminal import Terminal
from tests.line.pty import Pty
from tests.ports import free_ports
from tests.service.running import Running
from tests.tls import pki

TOP = "tls: {certificate: gatewayd.crt, key: gatewayd.key}\nusers: users\n"


class Site:
    """A daemon with one device, at whose other end the test reads, and with three doors."""

    def __init__(self, directory: Path, first: str, second: str) -> None:
        self.users = directory / "users"
        write_users(str(self.users), {"alice": secret(b"open sesame"), "bob": secret(b"bob's")})
        for name, path in (("crt", pki.server().certificate), ("key", pki.server().key)):
            (directory / f"gatewayd.{name}").write_bytes(path.read_bytes())
            (directory / f"gatewayd.{name}").chmod(0o600)
        self.plain, self.starttls, self.offered, self.desk = free_ports(4)
        self.ports = (
            f"  psu1:\n    device: {first}\n    users: [alice]\n    echo: client\n    rfc2217:\n"
            f"    - {{listen: {self.plain}, login: required}}\n"
            f"    - {{listen: {self.starttls}, tls: implicit, login: required}}\n"
            f"  psu2:\n    device: {second}\n"
            f"    rfc2217: {{listen: {self.offered}, login: offered}}\n"
        )
        desk = f"desk: {{listen: {self.desk}, login: required}}\n"
        self.daemon = Running(directory, self.ports, top=TOP + desk)


@pytest.fixture(scope="module")
def lines() -> Iterator[tuple[Pty, Pty]]:
    """A line for each port."""
    with Pty() as one, Pty() as other:
        os.set_blocking(one.master, True)
        yield one, other


@pytest.fixture
def device(lines: tuple[Pty, Pty]) -> int:
    """The device's end of the first line."""
    return lines[0].master


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, lines: tuple[Pty, Pty]) -> Iterator[Site]:
    """A daemon that people log in to."""
    site = Site(tmp_path_factory.mktemp("site"), *(line.path for line in lines))
    with site.daemon:
        site.daemon.wait_for("psu1: .* open, ")
        yield site


def log_in(terminal: Terminal, name: bytes, password: bytes) -> bytes:
    """Answer the questions; what the screen shows of the password."""
    terminal.expect(rb"login: ")
    terminal.type(name + b"\r")
    terminal.expect(rb"password: ")
    terminal.type(password + b"\r")
    shown: bytes = terminal.expect(rb"^(.*?)\r?\n")[1]
    return shown


CLIENTS: Final[dict[str, Callable[[int], tuple[str, ...]]]] = {
    "inetutils-telnet": lambda port: (program("inetutils-telnet"), "127.0.0.1", str(port)),
    "plink": lambda port: (program("plink"), "-telnet", "-P", str(port), "127.0.0.1"),
}


@pytest.mark.interop
@pytest.mark.parametrize("client", CLIENTS)
def test_a_person_logs_in(client: str, site: Site, device: int) -> None:
    let_in = "let in by clear text, as alice by password"
    before = site.daemon.times(let_in)
    with Terminal(*CLIENTS[client](site.plain)) as terminal:
        assert log_in(terminal, b"alice", b"open sesame") == b""
        site.daemon.wait_for_more(let_in, before + 1)
        terminal.type(b"*IDN?\r")
        seen = b""
        while b"\r" not in seen:
            seen += master.read_exactly(device, 1)
        assert seen in (b"*IDN?\r", b"*IDN?\r\n")
        os.write(device, b"SUPPLY 5\r\n")
        terminal.expect(rb"SUPPLY 5")
        status = gatewayd("status", "--control", str(site.daemon.control), "--json")
        assert '"alice"' in status.stdout
    # Where it ends a line by CR LF, the LF may come later.
    site.daemon.wait_for_more("psu1: rfc2217 session from alice .* over", before + 1)
    termios.tcflush(device, termios.TCIFLUSH)


@pytest.mark.interop
def test_a_wrong_password_and_somebody_who_may_not(site: Site) -> None:
    with Terminal(*CLIENTS["inetutils-telnet"](site.plain)) as terminal:
        log_in(terminal, b"alice", b"wrong")
        terminal.expect(rb"login incorrect")
        log_in(terminal, b"nobody", b"wrong")
        terminal.expect(rb"login incorrect")
        log_in(terminal, b"bob", b"bob's")
        terminal.expect(rb"psu1: bob may not use it")
        terminal.wait()
    site.daemon.wait_for("wrong password or name: 'alice'")
    site.daemon.wait_for("wrong password or name: 'nobody'")
    assert "sesame" not in site.daemon.text


BY_TLS: Final[dict[str, Callable[[int], tuple[str, ...]]]] = {
    "openssl": lambda port: ("openssl", "s_client", "-quiet", "-connect", f"127.0.0.1:{port}"),
    "ncat": lambda port: (program("ncat"), "--ssl", "127.0.0.1", str(port)),
    "socat": lambda port: (program("socat"), "STDIO", f"OPENSSL:127.0.0.1:{port},verify=0"),
}


@pytest.mark.interop
@pytest.mark.parametrize("client", BY_TLS)
def test_by_tls(client: str, site: Site) -> None:
    let_in = r"let in by TLSv1\.3, as alice by password"
    before = site.daemon.times(let_in)
    with Terminal(*BY_TLS[client](site.starttls)) as terminal:
        terminal.expect(rb"login: ")
        terminal.type(b"alice\r")
        terminal.expect(rb"password: ")
        terminal.type(b"open sesame\r")
        site.daemon.wait_for_more(let_in, before + 1)


@pytest.mark.interop
def test_kermit_logs_in_by_a_script(site: Site) -> None:
    let_in = r"let in by TLSv1\.\d, as alice by password"
    before = site.daemon.times(let_in)
    commands = ", ".join(
        (
            "set auth tls verify no",
            f"set host 127.0.0.1 {site.starttls} /tls-telnet",
            "input 10 login:",
            r"output alice\{13}",
            "input 10 password:",
            r"output open sesame\{13}",
            "pause 60",
        )
    )
    with Terminal(program("kermit"), "-Y", "-C", commands):
        site.daemon.wait_for_more(let_in, before + 1)


@pytest.mark.interop
def test_a_script_says_name_and_password_at_once(site: Site, device: int) -> None:
    """What comes behind them at once came before anybody was let in: the line has not seen it."""
    let_in = r"let in by TLSv1\.3, as alice by password"
    before = site.daemon.times(let_in)
    over = site.daemon.times("psu1: rfc2217 session from alice .* over")
    with subprocess.Popen(
        BY_TLS["openssl"](site.starttls),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as client:
        assert client.stdin is not None
        client.stdin.write(b"alice\r\nopen sesame\r\n*RST\r\n")
        client.stdin.flush()
        site.daemon.wait_for_more(let_in, before + 1)
        client.stdin.write(b"*IDN?\r\n")
        client.stdin.flush()
        assert master.read_exactly(device, 5) == b"*IDN?"
        client.terminate()
    site.daemon.wait_for_more("psu1: rfc2217 session from alice .* over", over + 1)
    termios.tcflush(device, termios.TCIFLUSH)


@pytest.mark.filterwarnings("ignore:set(Daemon|Name)")  # pyserial 3.5
def test_a_program_is_let_in_where_a_login_is_only_offered(site: Site) -> None:
    url = f"rfc2217://127.0.0.1:{site.offered}"
    with serial.serial_for_url(url, baudrate=19200, timeout=3) as port:
        assert port.baudrate == 19200
        assert port.cts is not None


def test_a_person_goes_on_without_a_name(site: Site) -> None:
    with socket.create_connection(("127.0.0.1", site.offered), 10) as sock:
        seen = b""
        while b"login: " not in seen:
            seen += sock.recv(1000)
        sock.sendall(b"\r\n")
        while b"\xff\xfb\x00" not in seen:  # WILL BINARY: a session begins
            seen += sock.recv(1000)


def test_what_comes_before_is_not_for_the_line(site: Site, device: int) -> None:
    os.set_blocking(device, False)
    try:
        with socket.create_connection(("127.0.0.1", site.plain), 10) as sock:
            sock.sendall(
                b"rm -rf\r\n\xff\xfb\x2c\xff\xfa\x2c\x01\0\0\x25\x80\xff\xf0no\r\n*RST\r\n"
            )
            seen = b""
            while b"login incorrect" not in seen:
                seen += sock.recv(1000)
        site.daemon.wait_for("wrong password or name: 'rm -rf'")
        with pytest.raises(BlockingIOError):
            os.read(device, 100)
    finally:
        os.set_blocking(device, True)


@pytest.mark.parametrize(
    ("name", "password", "told"),
    [(b"bob", b"bob's", b"-ERR bob may not use psu1"), (b"alice", b"open sesame", b"+OK psu1")],
)
def test_who_may_not_use_a_port_gets_there_by_no_desk(
    site: Site, name: bytes, password: bytes, told: bytes
) -> None:
    with socket.create_connection(("127.0.0.1", site.desk), 10) as sock:
        sock.sendall(name + b"\r\n" + password + b"\r\n")
        seen = b""
        while b"port> " not in seen:
            seen += sock.recv(1000)
        sock.sendall(b"PORT psu1\r\n")
        while told not in seen:
            more = sock.recv(1000)
            assert more, seen
            seen += more


def test_a_reload_takes_other_users(site: Site) -> None:
    write_users(str(site.users), {"alice": secret(b"another")})
    assert site.daemon.command("reload").returncode == 0
    with socket.create_connection(("127.0.0.1", site.plain), 10) as sock:
        sock.sendall(b"alice\r\nanother\r\n")
        seen = b""
        while b"\xff\xfb\x00" not in seen:
            seen += sock.recv(1000)
    site.users.chmod(0o644)
    done = site.daemon.command("reload")
    assert done.returncode == 1
    assert re.search("others can use it .*chmod 600", done.stderr)
    site.users.chmod(0o600)
