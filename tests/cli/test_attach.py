"""`gatewayd attach`: the desk in a terminal, a port for a script, and what ssh hands over."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gatewayd.cli.attach import asked_by_ssh, caller
from tests.interop.terminal import Terminal
from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.running import Running
from tests.until import PATIENCE

ATTACH = (sys.executable, "-m", "gatewayd", "attach")


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Running, Adapter]]:
    directory = tmp_path_factory.mktemp("attach")
    with Adapter(directory / "psu1") as adapter:
        ports = f"  psu1:\n    device: {adapter.path}\n    raw: {free_ports(1)[0]}\n"
        with Running(directory, ports) as daemon:
            daemon.wait_for(r" open, \d+ ")
            yield daemon, adapter


def attach(daemon: Running, *arguments: str, given: bytes = b"", **more: str) -> tuple[int, bytes]:
    """Without a terminal; status, and what was printed."""
    done = subprocess.run(
        [*ATTACH, "--control", str(daemon.control), *arguments],
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **more},
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stdout


def test_a_port_in_ones_own_terminal(room: tuple[Running, Adapter]) -> None:
    daemon, adapter = room
    with Terminal(*ATTACH, "--control", str(daemon.control), "psu1") as terminal:
        terminal.expect(rb"\[psu1: it is yours; \^Ec\? for help\]\r\n")
        assert not terminal.echoes()
        terminal.type(b"*IDN?\r\x03\xff")
        assert adapter.read(8) == b"*IDN?\r\x03\xff"
        adapter.write(b"answer\xff\r\n")
        terminal.expect(rb"answer\xff\r\n")
        session = daemon.status("psu1")["session"]
        assert re.search(r" through \w+ \(pid \d+\)$", session["peer"])
        terminal.type(b"\x05c.")
        assert terminal.wait() == 0
        assert terminal.echoes()


def test_the_menu_in_ones_own_terminal(room: tuple[Running, Adapter]) -> None:
    daemon, adapter = room
    with Terminal(*ATTACH, "--control", str(daemon.control)) as terminal:
        terminal.expect(rb"1   psu1   free.*port> ")
        terminal.type(b"psx\x7f\r")
        terminal.expect(rb"it is yours")
        terminal.type(b"on")
        assert adapter.read(2) == b"on"
        terminal.type(b"\x05cm")
        terminal.expect(rb"port> ")
        terminal.type(b"quit\r")
        assert terminal.wait() == 0


def test_a_script_gets_what_the_device_says_and_nothing_else(
    room: tuple[Running, Adapter],
) -> None:
    daemon, adapter = room
    command = [*ATTACH, "--control", str(daemon.control), "psu1"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"*IDN?\n\xff\x05c?")
        process.stdin.close()
        assert adapter.read(10) == b"*IDN?\n\xff\x05c?"
        adapter.write(b"answer \xff\0\n")
        assert process.stdout.read() == b"answer \xff\0\n"
        assert process.wait(PATIENCE) == 0


@pytest.mark.parametrize("why", ["kick", "takeover", "stop", "unplug"])
def test_a_script_that_is_sent_away_fails(tmp_path: Path, why: str) -> None:
    (raw,) = free_ports(1)
    with Adapter(tmp_path / "psu1") as adapter, contextlib.ExitStack() as stack:
        keys = f"device: {adapter.path}, raw: {raw}, busy: takeover, on_unplug: close"
        daemon = stack.enter_context(Running(tmp_path, f"  psu1: {{{keys}}}\n"))
        daemon.wait_for(r" open, \d+ ")
        command = [*ATTACH, "--control", str(daemon.control), "psu1"]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe) as process:
            assert process.stdin is not None
            process.stdin.write(b"x")
            process.stdin.flush()
            assert adapter.read(1) == b"x"
            if why == "kick":
                assert daemon.command("kick", "psu1").returncode == 0
            elif why == "takeover":
                stack.enter_context(socket.create_connection(("127.0.0.1", raw), PATIENCE))
            elif why == "stop":
                daemon.signal(signal.SIGTERM)
            else:
                adapter.pull()
            assert process.wait(PATIENCE) == 1
            assert process.stderr is not None
            assert b"ended the session before the input was over" in process.stderr.read()
        if why == "stop":
            # Before the end of the block sends one more, which would kill it then.
            assert daemon.wait() == 0


def test_why_not_is_told_by_words_and_status(room: tuple[Running, Adapter]) -> None:
    daemon, _ = room
    assert attach(daemon, "nope") == (1, b"there is no port 'nope'\n")
    assert attach(daemon) == (1, b"there is no terminal here: name a port, or use ssh -t\n")
    with Terminal(*ATTACH, "--control", str(daemon.control), "psu1") as terminal:
        terminal.expect(rb"it is yours")
        status, text = attach(daemon, "psu1", given=b"x")
        assert status == 1
        assert text.startswith(b"psu1 in use by ")
        terminal.type(b"\x05cx")
        assert terminal.wait() == 0


@pytest.mark.parametrize(
    "command",
    [
        *["psu1; id", "psu1 --control /x", "--help", "-h", "$(id)", "psu1\nWATCH psu1", "../psu1"],
        *["PORT psu1", "psu", "1", "/psu1", "\x1b[2J", "x" * 5000, "\u00e9"],
    ],
)
def test_what_ssh_was_asked_to_run_is_a_ports_name_or_nothing(
    room: tuple[Running, Adapter], command: str
) -> None:
    daemon, _ = room
    status, text = attach(daemon, "--ssh", SSH_ORIGINAL_COMMAND=command)
    assert status == 1
    assert text.startswith((b"that is no port's name\n", b"there is no port '"))
    assert text.count(b"\n") == 1
    assert b"\x1b" not in text


def test_what_ssh_says(monkeypatch: pytest.MonkeyPatch) -> None:
    assert asked_by_ssh({"SSH_ORIGINAL_COMMAND": " psu1\n"}) == "psu1"
    assert asked_by_ssh({}) == ""
    assert caller({"SSH_CONNECTION": "10.0.4.17 51234 10.0.4.1 22"}).endswith(" from 10.0.4.17")
    assert caller({"SSH_CONNECTION": "fe80::1%eth0 1 ::1 22"}).endswith(" from fe80::1%eth0")
    assert " from " not in caller({"SSH_CONNECTION": "\x1b[2J 1"})
    assert " from " not in caller({})
