"""A machine on paper for the doctor: devices as in sysfs, processes as in /proc."""

from __future__ import annotations

import os
from pathlib import Path

from gatewayd.doctor.machine import Account, Machine
from tests.device.machine import Machine as Hardware


class Patient:
    """Files below a root, and the machine that the doctor sees there."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.hardware = Hardware(root)
        # Neither the owner of the files nor in their group.
        self.account = Account("gatewayd", os.getuid() + 1, frozenset({os.getgid() + 1}))

    @property
    def machine(self) -> Machine:
        return Machine(self.account, self.root)

    def adapter(self, name: str = "ttyUSB0", usb_path: str = "1-1", **facts: str | None) -> Path:
        """A USB adapter that everybody may use."""
        node = self.hardware.usb_serial(name, usb_path, serial=facts.get("serial", "A1"))
        node.chmod(0o666)
        return node

    def latency(self, name: str, milliseconds: int) -> None:
        """The FTDI driver's attribute."""
        self.write(f"sys/bus/usb-serial/devices/{name}/latency_timer", f"{milliseconds}\n")

    def process(self, pid: int, name: str, *arguments: str, holds: Path | None = None) -> None:
        """A running program."""
        self.write(f"proc/{pid}/comm", f"{name}\n")
        self.write(f"proc/{pid}/cmdline", "\0".join((*(arguments or (name,)), "")))
        descriptors = self.root / "proc" / str(pid) / "fd"
        descriptors.mkdir()
        (descriptors / "0").symlink_to("/dev/null")
        if holds is not None:
            (descriptors / "7").symlink_to(holds.resolve())

    def write(self, path: str, text: str) -> Path:
        """A file."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file
