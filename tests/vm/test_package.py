"""The package over its life on a machine: installed, upgraded under a session, purged."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.ftdi import FtdiDevice
from tests.vm.gateway import CONFIGURATION, GUEST, Gateway
from tests.vm.machine import Machine
from tests.vm.package import build_package

pytestmark = pytest.mark.vm

PSU1 = f"""\
  psu1:
    device: {{serial: GW0001}}
    rfc2217: {GUEST}:7001
"""


@pytest.fixture
def gateway(image: Path, package: Path) -> Iterator[Gateway]:
    """gatewayd, newly installed."""
    with Machine(image, ports=(7001,)) as vm:
        gateway = Gateway(vm)
        gateway.install(package)
        yield gateway


def test_it_is_enabled_and_runs_once_installed(gateway: Gateway) -> None:
    assert gateway.vm.run("systemctl is-enabled gatewayd").stdout.strip() == "enabled"
    gateway.vm.run("gatewayd check")
    gateway.vm.run("gatewayd status")
    assert gateway.shown("ActiveState") == "active"


def test_an_upgrade_keeps_the_session_and_the_configuration(
    gateway: Gateway, tmp_path: Path
) -> None:
    adapter = FtdiDevice("GW0001")
    gateway.vm.plug("psu1", adapter, socket_number=1)
    gateway.start(PSU1, "psu1")
    written, pid = gateway.vm.run(["cat", CONFIGURATION]).stdout, gateway.shown("MainPID")
    with gateway.connect(7001) as client:
        client.set(1200, "7E2")
        gateway.install(build_package(tmp_path, "9.9.9"))
        assert gateway.shown("MainPID") != pid
        client.send(b"*IDN?\n")
        adapter.wire.expect(b"*IDN?\n")
        adapter.wire.send(b"ACME\n")
        assert client.collect(5) == b"ACME\n"
        assert adapter.wire.framing.near(1200, "7E2")
    assert gateway.vm.run(["cat", CONFIGURATION]).stdout == written


def test_a_purge_leaves_only_what_the_user_wrote(gateway: Gateway) -> None:
    vm = gateway.vm
    vm.write("/etc/gatewayd/notes.txt", "mine\n")
    vm.run("DEBIAN_FRONTEND=noninteractive apt-get purge -y gatewayd", timeout=120)
    left = vm.run("find / -xdev -path /proc -prune -o -name '*gatewayd*' -print").stdout.split()
    ours = [path for path in left if not path.startswith(("/tmp/", "/var/lib/dpkg/", "/var/log/"))]
    assert ours == ["/etc/gatewayd"]
    assert vm.run("ls /etc/gatewayd").stdout.split() == ["notes.txt"]
    assert vm.run("getent passwd gatewayd", check=False).returncode
    assert "gatewayd" not in vm.run("cat /proc/[0-9]*/comm; ls /run").stdout
