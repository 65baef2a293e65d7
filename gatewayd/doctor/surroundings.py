"""Programs and files beside the gateway: ModemManager, brltty, udev rules, Python modules."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from gatewayd.device.scan import SerialDevice
from gatewayd.doctor.machine import Finding, Machine

RULES = "*gatewayd.rules"
BRLTTY_RULES = "*brltty*.rules"


def probers(machine: Machine, devices: Sequence[SerialDevice]) -> Iterator[Finding]:
    """Programs that open serial adapters to see what they are."""
    if not any(device.vid for device in devices) or machine.udev_rules(RULES):
        return
    running = {process.name: process for process in machine.processes()}
    if "ModemManager" in running:
        text = "ModemManager runs, and may send modem commands to an adapter that is plugged in"
        yield Finding(text, "sudo systemctl disable --now ModemManager")
    if "brltty" in running or machine.udev_rules(BRLTTY_RULES):
        text = "brltty takes adapters with CH340, CP210x and FTDI chips for braille displays"
        yield Finding(text, "sudo apt remove brltty")


def udev_rules(machine: Machine, devices: Sequence[SerialDevice]) -> Iterator[Finding]:
    """Whether gatewayd's own rules are there, where there is an adapter for them."""
    if any(device.vid for device in devices) and not machine.udev_rules(RULES):
        text = "gatewayd's udev rules are not installed: no stable names, and slow FTDI adapters"
        remedy = "sudo apt install ./gatewayd_*.deb   # or: " + " && ".join(
            (
                "sudo cp udev/61-gatewayd.rules /etc/udev/rules.d",
                "sudo udevadm control --reload",
                "sudo udevadm trigger",
            )
        )
        yield Finding(text, remedy, wrong=False)


def modules() -> Iterator[Finding]:
    """Python modules that gatewayd needs."""
    for module, package in (("serial", "serial"), ("serial_asyncio", "serial-asyncio")):
        if not _importable(module):
            text = f"the Python module {module} is missing, and no device can be opened"
            yield Finding(text, f"sudo apt install python3-{package}")


def _importable(module: str) -> bool:
    try:
        importlib.import_module(module)
    except ImportError:
        return False
    return True


def unreadable(machine: Machine, config: Path) -> Iterator[Finding]:
    """A configuration that the gateway's account may not read."""
    try:
        status = config.stat()
    except OSError:
        return
    user = machine.account
    bit = 0o4
    if status.st_uid == user.uid:
        bit = 0o400
    elif status.st_gid in user.gids:
        bit = 0o40
    if user.uid != 0 and not status.st_mode & bit:
        yield Finding(f"{user.name} may not read {config}", f"sudo chmod a+r {config}")
