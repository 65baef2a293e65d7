"""Adverts from the hardened unit, by the Avahi and the D-Bus of the guest."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.vm.ftdi import FtdiDevice
from tests.vm.gateway import GUEST, Gateway
from tests.vm.machine import Machine

pytestmark = pytest.mark.vm

IN_TIME_S = 2.0
"""Within which the network knows of a device that came or went."""
TRIES = 4
PSU1 = f"""\
  psu1:
    device: {{serial: GW0001}}
    rfc2217: {GUEST}:7001
advertise: true
"""
NAME = r"psu1\\032on\\032gatewayd-vm"


@pytest.fixture(scope="module")
def gateway(image: Path, package: Path) -> Iterator[Gateway]:
    """gatewayd with an adapter, beside Avahi and somebody who looks what is there."""
    with Machine(image, ports=(7001,)) as vm:
        gateway = Gateway(vm)
        gateway.install(package)
        vm.plug("psu1", FtdiDevice("GW0001"), socket_number=1)
        vm.run("systemctl start avahi-daemon.service")
        gateway.start(PSU1, "psu1")
        yield gateway


class Sight:
    """What the guest sees of ports, with the times in its journal."""

    def __init__(self, gateway: Gateway) -> None:
        self._vm = gateway.vm
        looking = "stdbuf -oL avahi-browse -p -k -f _iostream._tcp"
        self._vm.run(f"systemctl stop seen; systemd-run --quiet --collect --unit=seen {looking}")
        self.next(rf"\+;.*;{NAME};", "0")

    def next(self, pattern: str, since: str) -> None:
        """Wait for a line that matches."""
        match = f"journalctl -q -o cat -u seen --since=@{since} | grep -Eq '{pattern}'"
        self._vm.wait_for(match)

    def delay(self, event: str, pattern: str, since: str) -> float:
        """Seconds from what the kernel says of an event to a line that matches."""
        self.next(pattern, since)
        return self._time("_TRANSPORT=stdout", pattern, since) - self._time(
            "_TRANSPORT=kernel", event, since
        )

    def _time(self, match: str, pattern: str, since: str) -> float:
        entries: list[dict[str, Any]] = self._vm.journal(match, f"--since=@{since}")
        first = next(one for one in entries if re.search(pattern, str(one["MESSAGE"])))
        return int(first["__MONOTONIC_TIMESTAMP"]) / 1e6


def test_a_port_is_told_of_on_the_link_of_its_address(gateway: Gateway) -> None:
    Sight(gateway)
    seen = gateway.vm.run("avahi-browse -p -t -r _iostream._tcp").stdout
    found = re.search(rf"=;(.*);IPv4;{NAME};.*;{GUEST};7001;(.*)", seen)
    assert found is not None, seen
    assert found[1] != "lo"
    assert {
        *("provider=gatewayd", "devicetype=serialusb", "idVendor=0403", "serial=GW0001"),
        *("port=psu1", "held=0"),
    } <= set(re.findall(r'"([^"]*)"', found[2]))
    assert f"{GUEST}:7001" in gateway.vm.run("gatewayd ls").stdout


def test_an_unplugged_adapter_is_withdrawn_and_comes_back_in_time(gateway: Gateway) -> None:
    """In the best of some tries: the guest is emulated, on a machine that may be busy."""
    sight = Sight(gateway)
    gone, back = [], []
    for _ in range(TRIES):
        since = gateway.now().removeprefix("@")
        gateway.vm.unplug("psu1")
        gone.append(sight.delay("now disconnected from ttyUSB", f"^-;.*;{NAME};", since))
        since = gateway.now().removeprefix("@")
        gateway.vm.plug("psu1", FtdiDevice("GW0001"), socket_number=1)
        back.append(sight.delay("now attached to ttyUSB", rf"^\+;.*;{NAME};", since))
        if max(min(gone), min(back)) < IN_TIME_S:
            break
    assert min(gone) < IN_TIME_S, gone
    assert min(back) < IN_TIME_S, back


def test_everything_is_told_anew_when_avahi_is_restarted(gateway: Gateway) -> None:
    Sight(gateway)
    process = gateway.shown("MainPID")
    gateway.vm.run("systemctl restart avahi-daemon.service")
    gateway.vm.wait_for(f"avahi-browse -p -t _iostream._tcp | grep -q '{NAME}'")
    assert gateway.shown("MainPID") == process


def test_it_takes_no_privilege(gateway: Gateway) -> None:
    """As the unit is shipped: nothing was added to it for this."""
    security = "systemd-analyze security --threshold=13 --no-pager gatewayd.service"
    assert "Overall exposure level" in gateway.vm.run(security).stdout
    shown = gateway.shown("RestrictAddressFamilies")
    assert set(shown.split()) == {"AF_UNIX", "AF_INET", "AF_INET6"}
