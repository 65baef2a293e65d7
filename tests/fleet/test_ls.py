"""`gatewayd ls` and what it reaches: a real Avahi, a real sshd, machines of a network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from jeepney import DBusAddress, MessageType, new_method_call
from jeepney.io.blocking import open_dbus_connection

from tests.cli.program import ROOT
from tests.fleet.gateway import Gateway
from tests.fleet.lan import Lan, Machine, unpacked
from tests.interop.sshd import Sshd, quoted, sshd
from tests.until import PATIENCE

pytestmark = pytest.mark.interop

AVAHI = "org.freedesktop.Avahi"
CONFIG = """\
advertise: true
metrics: {{listen: 0.0.0.0:9317, clear_text: true}}
desk: {{listen: 0.0.0.0:2323, clear_text: true}}
ports:
  psu1: {{device: {psu1}, rfc2217: {{listen: 0.0.0.0:7001, clear_text: true}}}}
"""


class Site:
    """Machine `desk`, from where machine `pi1` with the port psu1 is looked at."""

    def __init__(self, pi1: Machine, desk: Machine, gateway: Gateway, server: Sshd) -> None:
        self.pi1 = pi1
        self.desk = desk
        self.gateway = gateway
        programs = desk.directory / "bin"
        programs.mkdir()
        config = desk.directory / "ssh_config"
        config.write_text(server.known_as("pi1", pi1.address))
        ssh = programs / "ssh"
        ssh.write_text(f'#!/bin/sh\nexec /usr/bin/ssh -F {config} "$@"\n')
        ssh.chmod(0o755)
        self.path = f"{programs}:{os.environ['PATH']}"

    def run(self, *arguments: str, status: int = 0) -> str:
        """What gatewayd prints on machine `desk`."""
        done = subprocess.run(
            self.desk.argv(sys.executable, "-m", "gatewayd", *arguments),
            env={**self.desk.environment, "PATH": self.path},
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
            check=False,
        )
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with ExitStack() as stack:
        lan = stack.enter_context(Lan(tmp_path_factory.mktemp("lan")))
        pi1, desk = lan.machine("pi1"), lan.machine("desk")
        for machine in (pi1, desk):
            machine.join()
        gateway = stack.enter_context(Gateway(pi1, CONFIG, "psu1"))
        gateway.program.wait_for("are told of on the network")
        programs = pi1.directory / "bin"
        programs.mkdir()
        ours = programs / "gatewayd"
        command = f'{quoted(sys.executable)} -m gatewayd "$command" --control {gateway.control}'
        ours.write_text(f'#!/bin/sh\ncd {ROOT}\ncommand=$1\nshift\nexec {command} "$@"\n')
        ours.chmod(0o755)
        force = f'PATH={programs}:$PATH; eval "$SSH_ORIGINAL_COMMAND"'
        directory = tmp_path_factory.mktemp("sshd")
        server = stack.enter_context(
            sshd(directory, force, entering=pi1.argv(), address=pi1.address)
        )
        # What was told before somebody looks is found by asking.
        desk.browsing("-p", "-k", "-r", "_iostream._tcp").wait_for("=;.*psu1")
        yield Site(pi1, desk, gateway, server)


def test_what_is_told_of_is_listed(site: Site) -> None:
    line = site.run("ls").splitlines()[1]
    assert line.split() == ["pi1", "psu1", f"{site.pi1.address}:7001", "rfc2217", "free"]
    (port,) = json.loads(site.run("ls", "--json"))
    assert port["gateway"] == "pi1"
    assert port["stack"] == "telnet(rfc2217),tcp"


def test_prometheus_is_told_where_the_metrics_are(site: Site) -> None:
    expected = [{"targets": [f"{site.pi1.address}:9317"], "labels": {"gateway": "pi1"}}]
    assert json.loads(site.run("ls", "--prometheus")) == expected


def test_ports_of_ser2net_are_listed_too(site: Site) -> None:
    program, libraries = unpacked("avahi-utils", "usr/bin/avahi-publish")
    txt = ("provider=ser2net", "gensiostack=telnet,tcp", "devicetype=serial")
    command = (
        "env",
        f"LD_LIBRARY_PATH={libraries}",
        program,
        "-s",
        "old",
        "_iostream._tcp",
        "4001",
    )
    other = site.desk.start(*command, *txt)
    other.wait_for("Established")
    try:
        lines = site.run("ls").splitlines()
    finally:
        other.stop()
    (line,) = (line for line in lines if "4001" in line)
    assert line.split() == ["desk", "old", f"{site.desk.address}:4001", "ser2net"]


def test_what_has_no_address_is_named(site: Site) -> None:
    """As what is left in caches of a machine that was switched off."""
    name = "old on gone"
    with open_dbus_connection(f"unix:path={site.desk.directory}/bus") as bus:
        new = new_method_call(DBusAddress("/", AVAHI, f"{AVAHI}.Server"), "EntryGroupNew")
        (path,) = bus.send_and_get_reply(new).body
        group = DBusAddress(path, AVAHI, f"{AVAHI}.EntryGroup")
        kind = b"".join(bytes((len(label),)) + label for label in (b"_iostream", b"_tcp", b"local"))
        pointer = bytes((len(name),)) + name.encode() + kind + b"\0"
        record = (-1, -1, 0, "_iostream._tcp.local", 1, 12, 120, pointer)
        for call in (
            new_method_call(group, "AddRecord", "iiusqquay", record),
            new_method_call(group, "Commit"),
        ):
            assert bus.send_and_get_reply(call).header.message_type is MessageType.method_return
        lines = site.run("ls").splitlines()
    assert f"told of, but gives no address now: {name}" in lines
    assert any("7001" in line for line in lines)


def test_the_desk_is_told_of(site: Site) -> None:
    seen = site.desk.browse("-p", "-t", "-r", "_telnet._tcp")
    assert re.search(rf"=;.*;pi1;.*;{site.pi1.address};2323;", seen), seen


def test_a_lease_from_elsewhere_and_who_has_what(site: Site) -> None:
    note = "burn-in; $(id)"
    site.run("lease", "--for", "2h", "--as", "alice", "--note", note, "pi1/psu1")
    try:
        assert "kept for alice" in site.run("ls", "--who")
        lines = site.run("who", "--all").splitlines()
        assert lines[1].startswith("pi1/psu1  lease  alice")
        assert note in lines[1]
        (port,) = json.loads(site.run("who", "--all", "--json", "pi1/psu1"))
        assert port["lease"]["holder"] == "alice"
        refused = site.run("lease", "--as", "bob", "pi1/psu1", status=1)
        assert "alice" in refused
    finally:
        site.run("free", "pi1/psu1")
    assert "alice" not in site.run("who", "--all")


def test_one_goes_to_a_port_elsewhere(site: Site) -> None:
    adapter = site.gateway.adapters["psu1"]
    environment = {**site.desk.environment, "PATH": site.path}
    command = site.desk.argv(sys.executable, "-m", "gatewayd", "attach", "pi1/psu1")
    with subprocess.Popen(
        command, env=environment, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as attached:
        assert attached.stdin is not None
        assert attached.stdout is not None
        attached.stdin.write(b"*IDN?\n")
        attached.stdin.close()
        assert adapter.read(6) == b"*IDN?\n"
        adapter.write(b"SUPPLY 7\n")
        assert attached.stdout.read() == b"SUPPLY 7\n"
        assert attached.wait(PATIENCE) == 0


def test_a_gateway_that_does_not_answer_is_named(site: Site) -> None:
    program, libraries = unpacked("avahi-utils", "usr/bin/avahi-publish")
    command = ("env", f"LD_LIBRARY_PATH={libraries}", program, "-s", "gone", "_gatewayd._tcp", "9")
    other = site.desk.start(*command)
    other.wait_for("Established")
    try:
        text = site.run("who", "--all", status=1)
    finally:
        other.stop()
    assert "desk: " in text
    assert "pi1/psu1" in text


def test_without_a_bus_it_says_so(site: Site, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gatewayd", "ls"],
        env={**os.environ, "DBUS_SYSTEM_BUS_ADDRESS": f"unix:path={tmp_path}/none"},
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("no system bus to ask Avahi over: ")
