"""`gatewayd demo`: what it prints works as printed."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator

import pytest

from gatewayd.cli.demo import instructions, next_free
from gatewayd.config.schema import Address
from gatewayd.demo.instrument import IDENTITY
from tests.cli.program import Program, gatewayd
from tests.interop.gateway import free_ports
from tests.watched import PATIENCE


@pytest.fixture(scope="module")
def commands() -> Iterator[list[str]]:
    """The commands that a running demo has printed: telnet, pyserial, netcat, status; and the
    address of its page."""
    rfc2217, raw = free_ports(2)
    with Program("demo", "--rfc2217", str(rfc2217), "--raw", str(raw)) as program:
        program.wait_for("Ctrl-C ends it")
        program.wait_for(r"demo: .* open, 9600 8N1")
        program.wait_for("the page is at")
        yield re.findall(r"^  (\S.*)$", program.text, re.MULTILINE)


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def test_four_commands_and_an_address_are_printed(commands: list[str]) -> None:
    assert [os.path.basename(command.split()[0]) for command in commands[:1]] == ["telnet"]
    assert len(commands) == 5


def test_the_page(commands: list[str]) -> None:
    url, _, token = commands[4].partition("/#token=")
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=PATIENCE)
    with contextlib.closing(connection):
        body = json.dumps({"token": token})
        connection.request("POST", "/sign-in", body, {"Origin": url})
        assert connection.getresponse().status == 200


def test_pyserial(commands: list[str]) -> None:
    done = subprocess.run(
        ["sh", "-c", commands[1]], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == f"b'{IDENTITY}\\n'\n"
    assert done.stderr == ""


def test_netcat(commands: list[str]) -> None:
    needs("nc")
    assert "| nc " in commands[2]
    done = subprocess.run(
        ["sh", "-c", commands[2]], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert done.stdout == IDENTITY + "\n"


def test_telnet(commands: list[str]) -> None:
    needs("telnet")
    master, slave = os.openpty()
    process = subprocess.Popen(
        commands[0].split(), stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    try:
        read_until(master, b"Escape character is")
        os.write(master, b"*IDN?\r")
        read_until(master, IDENTITY.encode() + b"\r\n")
        os.write(master, b"\x1d")
        read_until(master, b"telnet> ")
        os.write(master, b"quit\n")
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)


def test_status(commands: list[str]) -> None:
    done = subprocess.run(
        ["sh", "-c", commands[3]], capture_output=True, text=True, timeout=PATIENCE, check=True
    )
    assert re.search(r"^demo +ready +9600 8N1", done.stdout, re.MULTILINE)


def read_until(fd: int, wanted: bytes) -> None:
    """Read from `fd` until `wanted` has come."""
    seen = b""
    while wanted not in seen:
        assert select.select([fd], [], [], PATIENCE)[0], seen
        seen += os.read(fd, 4096)


def test_ctrl_c_ends_it_cleanly() -> None:
    rfc2217, raw = free_ports(2)
    arguments = ("demo", "--rfc2217", str(rfc2217), "--raw", str(raw))
    with Program(*arguments, stop=signal.SIGINT) as program:
        program.wait_for("Ctrl-C ends it")
        program.wait_for(r"demo: .* open, 9600 8N1")


def test_the_next_free_port_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        found = next_free(Address("127.0.0.1", number))
        assert found.host == "127.0.0.1"
        assert number < found.port < number + 50


def test_a_wrong_address() -> None:
    done = gatewayd("demo", "--raw", "pi:1")
    assert done.returncode == 1
    assert done.stderr.startswith("--raw: 'pi' is no numeric address; ")


def test_an_ipv6_address_is_printed_as_each_program_takes_it() -> None:
    text = instructions(Address("::1", 7001), Address("::1", 7101))
    assert "telnet ::1 7001\n" in text
    assert "rfc2217://[::1]:7001'" in text
    assert "nc -N ::1 7101\n" in text
