"""The process: its start, and its end without a service manager."""

from __future__ import annotations

import os
import random
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from tests.cli.program import ROOT
from tests.ports import free_ports
from tests.same import same
from tests.service.adapter import Adapter
from tests.service.client import closed, connect
from tests.service.running import Running

IAC_WILL_BINARY = b"\xff\xfb\0"
STOP_S = 2.0
"""In which a stop must be done, come what may."""


def entries(adapters: list[Adapter], ports: list[int]) -> str:
    return "".join(
        f"  p{number}: {{device: {adapter.path}, raw: {port}}}\n"
        for number, (adapter, port) in enumerate(zip(adapters, ports, strict=True))
    )


def test_a_stop_delivers_what_lines_take(tmp_path: Path) -> None:
    (port,) = free_ports(1)
    payload = random.Random(1).randbytes(100_000).replace(b"\xff", b"\0")
    adapter = Adapter(tmp_path / "tty")
    ports = f"  psu1: {{device: {adapter.path}, rfc2217: {port}}}\n"
    with adapter, Running(tmp_path, ports) as daemon, connect(port) as client:
        client.sendall(IAC_WILL_BINARY + payload)
        while not read_ahead(daemon.status("psu1"), len(payload)):
            pass
        daemon.signal(signal.SIGTERM)
        same(adapter.read(len(payload)), payload)
        assert daemon.wait() == 0


def read_ahead(port: dict[str, Any], size: int) -> bool:
    """Whether the gateway has read it all, and the line has not taken all of it."""
    return port["session"] is not None and port["session"]["bytes_in"] >= size > port["sent"]


def test_a_stop_does_not_wait_for_stuck_lines(tmp_path: Path) -> None:
    ports = free_ports(8)
    adapters = [Adapter(tmp_path / f"tty{number}") for number in range(8)]
    with Running(tmp_path, entries(adapters, ports)) as daemon:
        daemon.wait_for_more(" open, ", 8)
        clients = [connect(port) for port in ports]
        for number, client in enumerate(clients):
            client.sendall(bytes(100_000))
            while not stuck(daemon.status(f"p{number}")):
                pass
        started = time.monotonic()
        daemon.signal(signal.SIGTERM)
        assert daemon.wait() == 0
        assert time.monotonic() - started < STOP_S
        for client in clients:
            assert closed(client)
            client.close()
    for adapter in adapters:
        adapter.pull()


def stuck(port: dict[str, Any]) -> bool:
    """Whether the gateway has read more of the client than the line takes."""
    session = port["session"]
    return session is not None and session["bytes_in"] > port["sent"]


def test_missing_devices_cost_a_start_nothing(tmp_path: Path) -> None:
    """What is not there is not opened: the start of 64 ports makes as many openings as devices."""
    ports = free_ports(64)
    adapters = [Adapter(tmp_path / f"tty{number}", plugged=number >= 20) for number in range(64)]
    with Running(tmp_path, entries(adapters, ports)) as daemon:
        daemon.wait_for_more(" open, ", 44)
        daemon.wait_for_more(" is not there", 20)
        # Serving does not wait for devices at all.
        ready = re.search(r"gatewayd \S+ serves 64 ports", daemon.text)
        opened = re.search(" open, ", daemon.text)
        assert ready is not None
        assert opened is not None
        assert ready.start() < opened.start()
        threads = len(os.listdir(f"/proc/{daemon.pid}/task"))
        assert threads <= 1 + (os.cpu_count() or 1) + 4
        adapters[0].plug()
        daemon.wait_for("p0: .* open, ")
    for adapter in adapters[:1] + adapters[20:]:
        adapter.pull()


def test_without_standard_streams_it_serves_and_writes_into_nothing_else(tmp_path: Path) -> None:
    """Whoever starts it may close them; a device must not get their numbers, nor what is said."""
    (port,) = free_ports(1)
    adapter = Adapter(tmp_path / "tty")
    arguments = ["serve", "--device", str(adapter.path), "--raw", str(port)]
    script = 'exec "$@" <&- >&- 2>&-'
    command = ["sh", "-c", script, "sh", sys.executable, "-m", "gatewayd", *arguments]
    notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    notify.bind(str(tmp_path / "notify"))
    notify.settimeout(20)
    environment = {**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify")}
    with notify, adapter, subprocess.Popen(command, cwd=ROOT, env=environment) as process:
        try:
            # By the one way that it still has of telling something.
            while b"READY=1" not in notify.recv(4096):
                pass
            with connect(port) as client:
                client.sendall(b"x")
                assert adapter.read(1) == b"x"
                files = [os.readlink(f"/proc/{process.pid}/fd/{fd}") for fd in range(3)]
            assert files == ["/dev/null"] * 3
        finally:
            process.terminate()
        assert process.wait(20) == 0
