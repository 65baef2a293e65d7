"""Restarts with live sessions, with a manager that keeps descriptors as systemd does."""

from __future__ import annotations

import hashlib
import os
import random
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import master
from tests.same import same
from tests.service.manager import Manager

WILL_COM_PORT = b"\xff\xfb\x2c"
SET_19200 = b"\xff\xfa\x2c\x01\x00\x00\x4b\x00\xff\xf0"
QUERY_BAUDRATE = b"\xff\xfa\x2c\x01\x00\x00\x00\x00\xff\xf0"
IS_19200 = b"\xff\xfa\x2c\x65\x00\x00\x4b\x00\xff\xf0"


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


class Rig:
    """A PTY as the device, a configuration, and a manager."""

    def __init__(self, directory: Path) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.device = os.ttyname(slave)
        os.close(slave)
        self.telnet, self.raw, self.desk = free_port(), free_port(), free_port()
        self.config = directory / "gatewayd.yaml"
        self.write("")
        self.manager = Manager(directory)

    def write(self, more: str) -> None:
        self.config.write_text(
            f"version: 1\ncontrol: none\ndesk: {self.desk}\n"
            f"ports:\n  psu1:\n    device: {self.device}\n"
            f"    line: 9600 8N1\n    rfc2217: {self.telnet}\n    raw: {self.raw}\n{more}"
        )

    def start(self) -> None:
        self.manager.start("run", "-c", str(self.config))
        self.manager.wait_until(lambda: "tty.psu1" in dict(self.manager.store))

    def restart(self, *, kill: bool = False) -> str:
        log = self.manager.stop(kill=kill)
        self.start()
        return log

    def connect(self, port: int) -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", port))
        sock.settimeout(20)
        return sock

    def baudrate(self) -> int:
        fd = os.open(self.device, os.O_RDONLY | os.O_NOCTTY | os.O_NONBLOCK)
        try:
            return int(termios.tcgetattr(fd)[5])
        finally:
            os.close(fd)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    rig = Rig(tmp_path)
    with rig.manager:
        yield rig
    os.close(rig.master)


def read_until(sock: socket.socket, wanted: bytes) -> bytes:
    got = b""
    while wanted not in got:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data
    return got


def test_a_session_goes_on_with_its_negotiated_state(rig: Rig) -> None:
    rig.start()
    with rig.connect(rig.telnet) as client:
        client.sendall(WILL_COM_PORT + b"\xff\xfb\x00\xff\xfd\x00" + SET_19200)
        read_until(client, IS_19200)
        rig.restart()
        client.sendall(b"\xff\xffafter\r\0" + QUERY_BAUDRATE)
        answer = read_until(client, IS_19200)
        assert b"\xff\xfd\x2c" not in answer, "negotiated again"
        assert master.read_exactly(rig.master, 8) == b"\xffafter\r\0"
        os.write(rig.master, b"to the client")
        assert read_until(client, b"to the client")


def test_the_rest_of_a_split_command_may_come_after_the_restart(rig: Rig) -> None:
    rig.start()
    with rig.connect(rig.telnet) as client:
        client.sendall(WILL_COM_PORT + SET_19200)
        read_until(client, IS_19200)
        client.sendall(QUERY_BAUDRATE[:6])
        rig.restart()
        client.sendall(QUERY_BAUDRATE[6:])
        read_until(client, IS_19200)


def test_a_transfer_both_ways_runs_through_three_restarts(rig: Rig) -> None:
    """No byte lost, none twice."""
    rig.start()
    payload = random.Random(1).randbytes(3_000_000)
    with rig.connect(rig.raw) as client:
        upward, downward = hashlib.sha256(), hashlib.sha256()

        def instrument_writes() -> None:
            view = memoryview(payload)
            while view:
                view = view[os.write(rig.master, view[:2048]) :]

        def instrument_reads() -> None:
            left = len(payload)
            while left:
                data = master.read(rig.master, 65536)
                assert data
                downward.update(data)
                left -= len(data)

        def client_reads() -> None:
            left = len(payload)
            while left:
                data = client.recv(65536)
                assert data
                upward.update(data)
                left -= len(data)

        work = [instrument_writes, instrument_reads, client_reads]
        threads = [threading.Thread(target=one) for one in work]
        for thread in threads:
            thread.start()
        half = len(payload) // 4
        logs = []
        for number in range(3):
            client.sendall(payload[number * half : (number + 1) * half])
            logs.append(rig.restart())
        client.sendall(payload[3 * half :])
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive(), "\n".join(logs)
    expected = hashlib.sha256(payload).digest()
    assert (upward.digest(), downward.digest()) == (expected, expected)


def test_after_a_crash_the_device_is_kept_and_the_session_is_not(rig: Rig) -> None:
    rig.start()
    with rig.connect(rig.telnet) as client:
        client.sendall(WILL_COM_PORT + SET_19200)
        read_until(client, IS_19200)
        rig.restart(kill=True)
        assert client.recv(1) == b""
    assert rig.baudrate() == termios.B9600
    with rig.connect(rig.raw) as client:
        client.sendall(b"again")
        assert master.read_exactly(rig.master, 5) == b"again"
    assert "ended without handing over" in rig.manager.stop()


def test_what_no_longer_fits_the_configuration_is_closed(rig: Rig) -> None:
    rig.start()
    with rig.connect(rig.raw) as client:
        client.sendall(b"x")
        assert master.read_exactly(rig.master, 1) == b"x"
        rig.manager.stop()
        rig.config.write_text(rig.config.read_text().replace("psu1", "psu2"))
        rig.manager.start("run", "-c", str(rig.config))
        assert client.recv(1) == b""


def test_unfinished_output_for_a_slow_client_is_not_lost(rig: Rig) -> None:
    rig.start()
    payload = random.Random(2).randbytes(400_000)
    with rig.connect(rig.raw) as client:
        client.sendall(b"x")
        master.read_exactly(rig.master, 1)
        writer = threading.Thread(target=lambda: _write_all(rig.master, payload))
        writer.start()
        rig.restart()
        got = b""
        while len(got) < len(payload):
            got += client.recv(65536)
        writer.join()
    same(got, payload)


def test_a_session_of_the_desk_goes_on_with_its_keys_and_who_is_at_the_menu_is_told(
    rig: Rig,
) -> None:
    rig.start()
    with rig.connect(rig.desk) as owner, rig.connect(rig.desk) as other:
        owner.sendall(b"\xff\xfd\x01name alice\rpsu1\r")
        read_until(owner, b"it is yours")
        read_until(other, b"port> ")
        rig.restart()
        read_until(other, b"desk: the gateway is restarted, come again")
        owner.sendall(b"on\x05cw")
        read_until(owner, b'"alice" desk since')
        assert master.read_exactly(rig.master, 2) == b"on"
        owner.sendall(b"\x05cmpsu1\r\x05cw")
        read_until(owner, b"port> ")
        assert read_until(owner, b"desk since").count(b'"alice"') == 1


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view[:4096]) :]
