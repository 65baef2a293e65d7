"""The front desk of a running daemon."""

from __future__ import annotations

import contextlib
import socket
from pathlib import Path

from tests.ports import free_ports
from tests.service.adapter import Adapter
from tests.service.client import connect
from tests.service.running import Running

READY = r" open, \d+ "


def sees(sock: socket.socket, wanted: bytes) -> None:
    got = b""
    while wanted not in got:
        data = sock.recv(65536)
        assert data, f"closed after {got!r}"
        got += data


def test_it_comes_and_goes_with_the_file_and_leaves_sessions_alone(tmp_path: Path) -> None:
    desk, moved = free_ports(2)
    with Adapter(tmp_path / "psu1") as adapter:
        port = f"  psu1:\n    device: {adapter.path}\n    raw: {free_ports(1)[0]}\n"
        with Running(tmp_path, port) as daemon, contextlib.ExitStack() as stack:
            daemon.wait_for(READY)
            daemon.top = f"desk: {desk}\n"
            daemon.reload(port)
            daemon.wait_for(f"front desk on 127.0.0.1:{desk}, for this machine only")
            client = stack.enter_context(connect(desk))
            client.sendall(b"psu1\r")
            sees(client, b"[psu1: it is yours; ^Ec? for help]")
            daemon.top = f"desk: {moved}\nescape: ^]\n"
            daemon.reload(port)
            second = stack.enter_context(connect(moved))
            sees(second, b"psu1   held")
            client.sendall(b"still here")
            assert adapter.read(10) == b"still here"
            daemon.top = "escape: ^]\n"
            daemon.reload(port)
            with contextlib.suppress(ConnectionRefusedError):
                connect(moved)
                raise AssertionError("somebody listens")
            client.sendall(b"\x05cm")
            sees(client, b"port> ")
            client.sendall(b"psu1\r\x1dx")
            sees(client, b"[psu1: it is yours; ^]? for help]")
            assert client.recv(1) == b""


def test_an_address_that_is_taken_costs_no_port(tmp_path: Path) -> None:
    with socket.socket() as taken, Adapter(tmp_path / "psu1") as adapter:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        (raw,) = free_ports(1)
        port = f"  psu1:\n    device: {adapter.path}\n    raw: {raw}\n"
        top = f"desk: {taken.getsockname()[1]}\n"
        with Running(tmp_path, port, top=top) as daemon, connect(raw) as client:
            daemon.wait_for("no front desk: cannot listen on")
            daemon.wait_for(READY)
            client.sendall(b"x")
            assert adapter.read(1) == b"x"
