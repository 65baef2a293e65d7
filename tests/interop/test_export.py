"""`gatewayd export`, each format read by the program that it is for."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import cast

import pytest
import pyvisa
from pyvisa.resources import MessageBasedResource

from gatewayd.config.load import load
from tests.cli.program import gatewayd
from tests.interop.gateway import Gateway
from tests.interop.instrument import Instrument, bare_line
from tests.interop.labgrid import Labgrid, coordinator, exporter
from tests.interop.served import FETCHED, program
from tests.interop.terminal import Terminal
from tests.ports import free_ports
from tests.watched import Watched

PORT = """\
  {name}:
    device: {device}
    line: 19200 7E1
    rfc2217: 127.0.0.1:{rfc2217}
    raw: 127.0.0.1:{raw}
"""


class Lab:
    """A configuration of two ports with an instrument at each."""

    def __init__(self, directory: Path, stack: ExitStack) -> None:
        lines = [stack.enter_context(bare_line()) for _ in range(2)]
        self.config = directory / "gatewayd.yaml"
        self.instruments: list[Instrument] = [instrument for _, instrument in lines]
        self.ports = free_ports(4)
        numbers = iter(self.ports)
        ports = "".join(
            PORT.format(name=name, device=device, rfc2217=next(numbers), raw=next(numbers))
            for name, (device, _) in zip(("psu1", "dut.a"), lines, strict=True)
        )
        self.config.write_text(f"version: 1\ncontrol: none\nports:\n{ports}")

    def gateway(self) -> Gateway:
        """gatewayd with this configuration."""
        return Gateway("run", "-c", str(self.config), faces=4, devices=2)

    def export(self, name: str) -> str:
        """What `gatewayd export` prints."""
        done = gatewayd("export", name, "-c", str(self.config))
        assert done.returncode == 0, done.stderr
        return done.stdout


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    """Two ports; nothing serves them yet."""
    with ExitStack() as stack:
        yield Lab(tmp_path, stack)


@pytest.fixture
def labgrid(tmp_path: Path) -> Iterator[Labgrid]:
    """A coordinator."""
    with coordinator(tmp_path) as running:
        yield running


def test_pyvisa_opens_each_line_of_its_export(lab: Lab) -> None:
    manager = pyvisa.ResourceManager("@py")
    with lab.gateway():
        names = lab.export("pyvisa").splitlines()
        assert len(names) == 2
        for name, instrument in zip(names, lab.instruments, strict=True):
            resource = cast("MessageBasedResource", manager.open_resource(name, timeout=10_000))
            resource.read_termination = resource.write_termination = "\n"
            resource.write("*IDN?")
            assert instrument.read_until(b"\n") == b"*IDN?\n"
            instrument.write(f"ACME,{name}\n".encode())
            assert resource.read() == f"ACME,{name}"
            resource.close()
    manager.close()


def test_ser2net_serves_its_export(lab: Lab, tmp_path: Path) -> None:
    ser2net = program("ser2net", FETCHED / "ser2net/usr/sbin")
    file = tmp_path / "ser2net.yaml"
    file.write_text(lab.export("ser2net"))
    with Watched([ser2net, "-n", "-d", "-c", file]) as running:
        for port, instrument in zip(lab.ports[1::2], lab.instruments, strict=True):
            with connected(port, running) as sock:
                sock.sendall(b"*IDN?\n")
                assert instrument.read_until(b"\n") == b"*IDN?\n"
                assert instrument.baudrate() == 19200
    taken = gatewayd("import", str(file))
    assert taken.returncode == 0, taken.stderr
    (tmp_path / "back.yaml").write_text(taken.stdout)
    before, after = load(str(lab.config)), load(str(tmp_path / "back.yaml"))
    for one, other in zip(before.ports, after.ports, strict=True):
        assert (other.name, other.device) == (one.name.replace(".", "_"), one.device)
        assert (other.line, other.rfc2217, other.raw) == (one.line, one.rfc2217, one.raw)


@pytest.mark.parametrize(
    ("allow", "admitted"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[127.0.0.4/30, 10.0.0.0/8]", "127.0.0.7"),
        ("'::1'", "::1"),
        ("[10.0.0.7, '::/64']", "::1"),
    ],
)
def test_ser2net_lets_in_the_same_with_the_lines_for_tcp_wrappers(
    allow: str, admitted: str, tmp_path: Path
) -> None:
    ser2net = program("ser2net", FETCHED / "ser2net/usr/sbin")
    numbers = free_ports(2)
    at = ", ".join(
        f"{{listen: '{host}:{number}', allow: {allow}}}"
        for host, number in zip(("127.0.0.1", "[::1]"), numbers, strict=True)
    )
    config, exported = tmp_path / "gatewayd.yaml", tmp_path / "ser2net.yaml"
    with bare_line() as (device, instrument):
        config.write_text(f"version: 1\nports: {{a: {{device: {device}, raw: [{at}]}}}}\n")
        exported.write_text(gatewayd("export", "ser2net", "-c", str(config)).stdout)
        with Watched([*wrapped(exported), ser2net, "-n", "-d", "-c", exported]) as running:
            for host in ("127.0.0.1", "127.0.0.7", "::1"):
                with connected(numbers[":" in host], running, host) as sock:
                    if host == admitted:
                        sock.sendall(b"?")
                        assert instrument.read(1) == b"?"
                    else:
                        assert sock.recv(6) == b"Access"


def wrapped(exported: Path) -> list[str]:
    """The beginning of a command line, of what is to run where tcp wrappers have the lines that an
    export has for them."""
    mounts = ""
    for name in ("hosts.allow", "hosts.deny"):
        lines = re.findall(rf"^# /etc/{name}: *(.*\n)", exported.read_text(), re.MULTILINE)
        exported.with_name(name).write_text("".join(lines))
        mounts += f"mount --bind {exported.with_name(name)} /etc/{name} && "
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--mount", "sh", "-c", f'{mounts} exec "$@"', "sh"]


def connected(port: int, running: Watched, host: str = "127.0.0.1") -> socket.socket:
    """A connection from `host` to a program on loopback that begins to listen about now."""
    there = "::1" if ":" in host else "127.0.0.1"
    while running.process.poll() is None:
        try:
            return socket.create_connection((there, port), 10, (host, 0))
        except ConnectionRefusedError:
            continue
    raise AssertionError(running.text)


def test_labgrid_gives_a_console_on_its_export(lab: Lab, labgrid: Labgrid, tmp_path: Path) -> None:
    program("microcom")
    file = tmp_path / "exporter.yaml"
    file.write_text(lab.export("labgrid"))
    with lab.gateway() as gateway, exporter(labgrid, file, "pi"):
        labgrid.client("-p", "bench", "create")
        labgrid.client("-p", "bench", "add-match", "pi/dut.a/*")
        labgrid.client("-p", "bench", "acquire")
        shown = labgrid.client("-p", "bench", "show")
        assert f"'port': {lab.ports[2]}," in shown
        assert "'protocol': 'rfc2217'" in shown
        assert "'speed': 19200" in shown
        with Terminal(*labgrid.argv("-p", "bench", "console")) as terminal:
            # It passes data on only after it has set the terminal up; before that Return is LF.
            gateway.wait_for("rfc2217 session from")
            lab.instruments[1].write(b"ready\r\n")
            terminal.expect(rb"ready")
            terminal.type(b"*IDN?\r")
            assert lab.instruments[1].read_until(b"\r") == b"*IDN?\r"
            lab.instruments[1].write(b"ACME,DUT,0,1\r\n")
            terminal.expect(rb"ACME,DUT,0,1")
