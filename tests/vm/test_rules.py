"""The udev rules, judged by udev itself with a real driver's events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.ftdi import FtdiDevice
from tests.vm.machine import Machine

pytestmark = pytest.mark.vm

RULES = Path(__file__).parents[2] / "udev" / "61-gatewayd.rules"
TTY = "/sys/class/tty/ttyUSB0"
USB = "/sys/bus/usb/devices/1-1"
BRLTTY = """\
ACTION=="add", SUBSYSTEM=="usb", ENV{DEVTYPE}=="usb_device", ENV{PRODUCT}=="403/6001/*", \\
  ATTR{manufacturer}=="FTDI", ENV{BRLTTY_BRAILLE_DRIVER}="al"
"""
"""As a distribution has it that starts brltty for such chips."""


@pytest.fixture(scope="module")
def vm(image: Path) -> Iterator[Machine]:
    """A machine with the rules, an adapter, and nothing else of gatewayd."""
    with Machine(image) as vm:
        vm.copy(RULES, f"/usr/lib/udev/rules.d/{RULES.name}")
        vm.run("udevadm control --reload")
        vm.plug("adapter", FtdiDevice("GW0001"), socket_number=1)
        vm.run(["udevadm", "wait", "--timeout=20", "/dev/gatewayd/GW0001-if00"])
        yield vm


def examined(vm: Machine, device: str) -> str:
    """What udev would do with a device that is added."""
    return vm.run(f"udevadm test --action=add {device} 2>&1").stdout


def test_udev_understands_every_line_and_does_what_it_says(vm: Machine) -> None:
    said = examined(vm, TTY)
    assert "ID_MM_PORT_IGNORE=1" in said
    assert re.search(r"\bgatewayd/GW0001-if00\b", said)
    complaints = re.findall(rf".*{RULES.name}:\d+.*(?:nvalid|nknown|gnoring|ailed).*", said)
    assert complaints == []


def test_brltty_does_not_get_the_adapter(vm: Machine) -> None:
    places = "/run/udev/rules.d"
    vm.write(f"{places}/85-brltty.rules", BRLTTY)
    vm.run("udevadm control --reload")
    assert "BRLTTY" not in examined(vm, USB)
    # Without our rules it would have.
    vm.run(f"ln -s /dev/null {places}/{RULES.name} && udevadm control --reload")
    assert "BRLTTY_BRAILLE_DRIVER=al" in examined(vm, USB)
    vm.run(f"rm {places}/85-brltty.rules {places}/{RULES.name} && udevadm control --reload")
