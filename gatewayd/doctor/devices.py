"""What can be wrong with a serial device: access, other programs, identity, latency."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from gatewayd.device.match import PLACEHOLDERS
from gatewayd.device.scan import SerialDevice
from gatewayd.doctor.machine import SERVICE_USER, Finding, Machine, Process, group_name

SERVICES = {
    "ModemManager": "ModemManager",
    "ser2net": "ser2net",
    "conserver": "conserver-server",
    "gpsd": "gpsd.socket gpsd",
    "brltty": "brltty",
}
"""Programs that hold serial devices, and the units that start them."""


def access(machine: Machine, device: SerialDevice) -> Iterator[Finding]:
    """Whether the gateway's account may open the device."""
    try:
        status = os.stat(device.path)
    except OSError:
        return
    user = machine.account
    if user.may_use(status):
        return
    group = group_name(status.st_gid)
    owned = f"{device.path} belongs to group {group} with mode {status.st_mode & 0o777:o}"
    if status.st_gid in user.gids or status.st_mode & 0o060 != 0o060:
        remedy = f"sudo chmod g+rw {device.path}   # until the next boot; a udev rule lasts"
        yield Finding(f"{owned}, which does not let {user.name} read and write", remedy)
        return
    again = "" if user.name == SERVICE_USER else "   # then log out and in again"
    if user.name == SERVICE_USER:
        again = " && sudo systemctl restart gatewayd"
    remedy = f"sudo usermod -aG {group} {user.name}{again}"
    yield Finding(f"{owned}, and {user.name} is not in it", remedy)


def others(machine: Machine, device: SerialDevice) -> Iterator[Finding]:
    """Whether another program has the device open, or the kernel prints its messages there."""
    name = Path(device.path).name
    if device.console:
        text = f"{device.path} is a console of the kernel, whose messages go to what is connected"
        yield Finding(text, _silence(machine, name))
    for process in machine.holders(Path(device.path)):
        # The service manager keeps open what the gateway has stored with it.
        if not (process.is_gateway or process.name == "systemd"):
            text = f"{device.path} is held by {process.name} (pid {process.pid})"
            yield Finding(text, _stop(process, name))


def _silence(machine: Machine, tty: str) -> str:
    """How to take a tty out of the kernel's command line, wherever the machine has that."""
    if (machine.root / "boot/firmware/cmdline.txt").exists():
        # A Raspberry Pi; serial0 is whichever of its UARTs is on the header.
        edit = rf"sed -i -E 's/console=(serial0|{tty})(,\S*)? *//' /boot/firmware/cmdline.txt"
        return f"sudo {edit} && sudo reboot"
    if (machine.root / "etc/default/grub").exists():
        edit = rf"sed -i -E 's/console={tty}(,\w*)? *//' /etc/default/grub"
        return f"sudo {edit} && sudo update-grub && sudo reboot"
    return f"take console={tty} out of the kernel's command line, and restart the machine"


def _stop(process: Process, tty: str) -> str:
    if "getty" in process.name or process.name == "login":
        return f"sudo systemctl disable --now serial-getty@{tty}.service"
    if process.name in SERVICES:
        return f"sudo systemctl disable --now {SERVICES[process.name]}"
    return f"sudo kill {process.pid}   # or end {process.name} by hand"


def identity(devices: Sequence[SerialDevice]) -> Iterator[Finding]:
    """Serial numbers that do not tell adapters apart."""
    by_serial: dict[str, list[SerialDevice]] = {}
    for device in devices:
        if device.serial:
            by_serial.setdefault(device.serial, []).append(device)
    remedy = "gatewayd devices   # prints for each what to write instead"
    for serial, alike in by_serial.items():
        if len({device.usb_path for device in alike}) > 1:
            places = " and ".join(device.place for device in alike)
            yield Finding(f"{places} have the same serial number {serial}", remedy, wrong=False)
        elif serial in PLACEHOLDERS:
            text = f"{alike[0].place} has the serial number {serial}, as others of its kind have"
            yield Finding(text, remedy, wrong=False)


def latency(machine: Machine, device: SerialDevice) -> Iterator[Finding]:
    """The time for which an FTDI adapter holds back what it received."""
    name = Path(device.path).name
    attribute = machine.sysfs / "bus/usb-serial/devices" / name / "latency_timer"
    with contextlib.suppress(OSError, ValueError):
        milliseconds = int(attribute.read_text())
        if milliseconds > 1:
            text = f"{device.path} holds bytes back for {milliseconds} ms (its latency timer)"
            remedy = f"echo 1 | sudo tee {attribute}   # the udev rules do it for good"
            yield Finding(text, remedy, wrong=False)
