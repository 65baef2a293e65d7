"""`gatewayd demo`: what it prints works as printed."""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.cli import demo
from gatewayd.cli.demo import instructions, next_free
from gatewayd.config.problem import ConfigError
from gatewayd.config.schema import Address
from gatewayd.demo.instrument import IDENTITY
from tests.cli.program import Program, ask, gatewayd
from tests.ports import free_ports
from tests.until import PATIENCE
from tests.watched import Watched


@pytest.fixture(scope="module")
def commands() -> Iterator[list[str]]:
    """The commands that a running demo has printed: telnet, pyserial, netcat; status, watch, log,
    and curl for the metrics; and the address of its page."""
    rfc2217, raw = free_ports(2)
    with Program("demo", "--rfc2217", str(rfc2217), "--raw", str(raw)) as program:
        program.wait_for("Ctrl-C ends it")
        program.wait_for(r"demo: .* open, 9600 8N1")
        program.wait_for("the page is at")
        yield re.findall(r"^  (\S.*)$", program.text, re.MULTILINE)


def needs(program: str) -> None:
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")


def chosen(*arguments: str) -> tuple[Address, Address]:
    parser = argparse.ArgumentParser()
    demo.add_arguments(parser)
    return demo.addresses(parser.parse_args(arguments))


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--raw", "0.0.0.0:9"), "--raw: 0.0.0.0:9 can be reached from other machines"),
        (("--rfc2217", "[::]:9"), "--rfc2217: \\[::\\]:9 can be reached.*add --clear-text if"),
        (("--rfc2217", "9", "--raw", "9"), "--raw: 127.0.0.1:9 cannot be beside"),
        (("--rfc2217", "9", "--raw", "0.0.0.0:9", "--clear-text"), "cannot be beside"),
        (("--raw", "0"), "--raw: "),
    ],
)
def test_addresses_that_serve_would_refuse(arguments: tuple[str, ...], why: str) -> None:
    with pytest.raises(ConfigError, match=why):
        chosen(*arguments)


def test_addresses_that_are_served() -> None:
    (port,) = free_ports(1)
    rfc2217, raw = chosen("--raw", f"0.0.0.0:{port}", "--clear-text")
    assert str(raw) == f"0.0.0.0:{port}"
    assert rfc2217.host == "127.0.0.1"
    rfc2217, raw = chosen("--raw", str(rfc2217.port))
    assert rfc2217.port != raw.port


def test_what_is_printed(commands: list[str]) -> None:
    words = ("telnet", "rfc2217://", "nc -N", "status", "watch demo", "log demo -f", "/metrics")
    assert len(commands) == len(words) + 1
    for command, word in zip(commands, (*words, "/#token="), strict=True):
        assert word in command


def test_the_page(commands: list[str]) -> None:
    url, _, token = commands[7].partition("/#token=")
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


def test_who_looks_on_sees_what_passes_and_what_has_passed(commands: list[str]) -> None:
    raw = int(shlex.split(commands[2])[-1])
    for command in commands[4:6]:
        # Once for what is replayed and recorded by then, once more for what comes.
        assert ask(raw, b"*IDN?\n").decode() == f"{IDENTITY}\n"
        with Watched(["sh", "-c", f"exec {command}"]) as watching:
            watching.wait_for(f"< {re.escape(IDENTITY)}\n")
            if "watch" in command:
                watching.wait_for("! what it says now\n")
            seen = len(watching.text)
            ask(raw, b"*IDN?\n")
            watching.wait_for(rf"> \*IDN\?\n(.*\n)*\S+ < {re.escape(IDENTITY)}\n", seen)


def test_metrics(commands: list[str]) -> None:
    with urllib.request.urlopen(commands[6].split()[-1], timeout=PATIENCE) as answer:
        assert b'gatewayd_port_held{port="demo"}' in answer.read()


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
        records = Path(program.wait_for(r"recorded in (\S+)/demo,")[1])
        assert records.is_dir()
    assert not records.exists()


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
    rfc2217, raw, metrics = (Address("::1", number) for number in (7001, 7101, 9317))
    text = instructions(rfc2217, raw, metrics, "/tmp/records")
    assert "telnet ::1 7001\n" in text
    assert "rfc2217://[::1]:7001'" in text
    assert "nc -N ::1 7101\n" in text
    assert "curl http://[::1]:9317/metrics\n" in text
