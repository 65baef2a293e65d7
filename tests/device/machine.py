"""A machine on paper: directories laid out as in sysfs, devtmpfs and by udev."""

from __future__ import annotations

import shutil
from pathlib import Path


class Machine:
    """`sysfs` and `dev` hold what a real machine with the devices that were added would show."""

    def __init__(self, root: Path) -> None:
        self.sysfs = root / "sys"
        self.dev = root / "dev"
        self.classes = self.sysfs / "class/tty"
        self.classes.mkdir(parents=True)
        self.dev.mkdir()
        for name in ("console", "ptmx", "tty", "tty0", "tty7"):
            self._node(self.sysfs / "devices/virtual/tty" / name)
        self.write(self.classes / "console/active", "tty0 ttyS0")

    def usb_serial(
        self,
        name: str,
        usb_path: str = "1-1",
        *,
        interface: int = 0,
        port_number: int = 0,
        vid: str = "0403",
        pid: str = "6001",
        serial: str | None = None,
        manufacturer: str | None = "FTDI",
        product: str | None = "FT232R USB UART",
        driver: str = "ftdi_sio",
    ) -> Path:
        """A tty of the usb-serial subsystem. Returns its node, made last as the kernel does."""
        facts = {"idVendor": vid, "idProduct": pid, "serial": serial}
        usb = self._usb(usb_path, facts | {"manufacturer": manufacturer, "product": product})
        port = self._interface(usb, interface) / name
        self.write(port / "port_number", str(port_number))
        self._link(port / "driver", self.sysfs / "bus/usb-serial/drivers" / driver)
        self._link(port / "subsystem", self.sysfs / "bus/usb-serial")
        return self._node(port / "tty" / name, port)

    def cdc_acm(self, name: str, usb_path: str, *, interface: int = 0, serial: str | None) -> Path:
        """A tty of the cdc_acm driver, which hangs on the USB interface itself."""
        facts = {"idVendor": "2341", "idProduct": "0043", "serial": serial}
        usb = self._usb(usb_path, facts | {"manufacturer": "Arduino", "product": "Arduino Uno"})
        port = self._interface(usb, interface)
        self._link(port / "driver", self.sysfs / "bus/usb/drivers/cdc_acm")
        return self._node(port / "tty" / name, port)

    def uart(self, name: str, kind: int, *, serial_core: bool = False) -> Path:
        """A port of the 8250 driver; `kind` 0 has no UART. `serial_core`: as since Linux 6.5."""
        board = self.sysfs / "devices/pnp0/00:04"
        port = board / "00:04:0/00:04:0.0" if serial_core else board
        port.mkdir(parents=True, exist_ok=True)
        self._link(board / "driver", self.sysfs / "bus/pnp/drivers/serial")
        self._link(board / "subsystem", self.sysfs / "bus/pnp")
        if serial_core:
            for part, driver in ((port, "port"), (port.parent, "ctrl")):
                self._link(part / "driver", self.sysfs / "bus/serial-base/drivers" / driver)
                self._link(part / "subsystem", self.sysfs / "bus/serial-base")
        self.write(port / "tty" / name / "type", str(kind))
        return self._node(port / "tty" / name, port)

    def udev_link(self, link: str, name: str) -> Path:
        """A relative symlink such as udev makes: `serial/by-id/...` to a node."""
        path = self.dev / link
        path.parent.mkdir(parents=True, exist_ok=True)
        path.symlink_to(Path(*[".."] * link.count("/")) / name)
        return path

    def unplug(self, usb_path: str) -> None:
        """Take a USB device away, with all that hangs on it."""
        (usb,) = self.sysfs.glob(f"devices/**/{usb_path}")
        names = [tty.name for tty in usb.glob("**/tty/*")]
        for name in names:
            (self.classes / name).unlink()
        shutil.rmtree(usb)
        for name in names:
            (self.dev / name).unlink()

    def write(self, path: Path, text: str) -> None:
        """An attribute, ended with a line feed as the kernel does."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{text}\n", encoding="utf-8")

    def _usb(self, usb_path: str, attributes: dict[str, str | None]) -> Path:
        bus, ports = usb_path.split("-")
        hubs = ports.split(".")
        chain = [f"{bus}-{'.'.join(hubs[:depth])}" for depth in range(1, len(hubs) + 1)]
        usb = self.sysfs.joinpath("devices/pci0000:00/0000:00:14.0", f"usb{bus}", *chain)
        for hub in (usb.parent, *usb.parent.parents[: len(chain) - 1]):
            self.write(hub / "idVendor", "1d6b")
            self.write(hub / "serial", "hub")
        for key, value in attributes.items():
            if value is not None:
                self.write(usb / key, value)
        return usb

    def _interface(self, usb: Path, number: int) -> Path:
        interface = usb / f"{usb.name}:1.{number}"
        self.write(interface / "bInterfaceNumber", f"{number:02x}")
        return interface

    def _node(self, tty: Path, device: Path | None = None) -> Path:
        tty.mkdir(parents=True, exist_ok=True)
        if device is not None:
            self._link(tty / "device", device)
        self._link(self.classes / tty.name, tty)
        node = self.dev / tty.name
        node.touch()
        return node

    def _link(self, link: Path, target: Path) -> None:
        target.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink():
            link.symlink_to(target)
