"""The serial devices of this machine, read from sysfs.

What counts is what the kernel says of a tty's ancestors: the USB interface and the USB device that
it hangs on, the driver that runs it. Nothing is opened, so no DTR moves.
"""

from __future__ import annotations

import os
import re

from gatewayd.errors import SHORTAGES
from gatewayd.value import Value

VIRTUAL_SERIAL = re.compile(r"(ttyGS|rfcomm)\d+")
"""Serial ttys that have no hardware as a parent in sysfs: USB gadget and Bluetooth."""

NODE_NAME = re.compile(r"(tty(?!\d*$)|rfcomm).+")
"""What a serial device is called in /dev: virtual consoles (`tty7`) are not."""

LONGEST_TEXT = 126
"""A USB string descriptor holds no more characters."""


class SerialDevice(Value):
    """A serial tty of this machine and what identifies it. Text is as the device tells it, without
    surrounding blanks and control characters."""

    path: str
    """The node, such as `/dev/ttyUSB0`."""
    driver: str | None = None
    """The kernel's driver: `ftdi_sio`, `cdc_acm`, `serial8250`."""
    vid: str | None = None
    """USB vendor, four hexadecimal digits in lower case; None when it is not on USB."""
    pid: str | None = None
    """USB product, as `vid`."""
    serial: str | None = None
    """USB serial number."""
    manufacturer: str | None = None
    product: str | None = None
    usb_path: str | None = None
    """The socket: bus, then the ports of the hubs on the way, such as `1-1.2`."""
    interface: int | None = None
    """USB interface number (bInterfaceNumber)."""
    port_number: int | None = None
    """Which of several ports of one USB interface; None when the driver does not tell."""
    by_id: str | None = None
    """udev's link in `/dev/serial/by-id`, when there is one that leads here."""
    by_path: str | None = None
    """udev's link in `/dev/serial/by-path`, likewise."""
    link: str | None = None
    """The link in `/dev/gatewayd` that gatewayd's own udev rules made, likewise."""
    console: bool = False
    """The kernel prints its messages here."""

    @property
    def description(self) -> str:
        """What the device calls itself, or what its driver is."""
        said = [text for text in (self.manufacturer, self.product) if text]
        if len(said) == 2 and said[1].lower().startswith(said[0].lower()):
            del said[0]
        if said:
            return " ".join(said)
        if self.vid is not None:
            return f"USB device {self.vid}:{self.pid}"
        return f"serial port ({self.driver})" if self.driver else "serial port"

    @property
    def place(self) -> str:
        """The node and where it is: `/dev/ttyUSB0 (USB 1-1.2, interface 0)`."""
        if self.usb_path is None:
            return self.path
        interface = "" if self.interface is None else f", interface {self.interface}"
        return f"{self.path} (USB {self.usb_path}{interface})"


def scan(sysfs: str = "/sys", dev: str = "/dev") -> tuple[SerialDevice, ...]:
    """All serial devices that have a node in `dev`, ordered by name (`ttyUSB2` before `ttyUSB10`).

    Left out: virtual consoles, pseudo terminals, and ports of the 8250 driver with no UART behind
    them. No device and no sysfs at all give an empty tuple. Raises OSError only when the system has
    no room to look (`errors.SHORTAGES`).
    """
    dev = os.path.realpath(dev)
    by_id, by_path = _links(f"{dev}/serial/by-id"), _links(f"{dev}/serial/by-path")
    own = _links(f"{dev}/gatewayd")
    consoles = (_text(f"{sysfs}/class/tty/console", "active") or "").split()
    try:
        names = os.listdir(f"{sysfs}/class/tty")
    except OSError as error:
        _not_short(error)
        return ()
    found = []
    for name in sorted(names, key=_natural):
        path = f"{dev}/{name}"
        tty = f"{sysfs}/class/tty/{name}"
        if not _is_serial(tty, name) or not os.path.exists(path):
            continue
        port = os.path.realpath(f"{tty}/device")
        interface, usb = _usb_ancestors(port)
        number = interface and _text(interface, "bInterfaceNumber")
        port_number = _text(port, "port_number")
        found.append(
            SerialDevice(
                path,
                driver=_driver(port),
                vid=usb and _text(usb, "idVendor"),
                pid=usb and _text(usb, "idProduct"),
                serial=usb and _text(usb, "serial"),
                manufacturer=usb and _text(usb, "manufacturer"),
                product=usb and _text(usb, "product"),
                usb_path=usb and os.path.basename(usb),
                interface=int(number, 16) if number else None,
                port_number=int(port_number) if port_number else None,
                by_id=by_id.get(path),
                by_path=by_path.get(path),
                link=own.get(path),
                console=name in consoles,
            )
        )
    return tuple(found)


def _is_serial(tty: str, name: str) -> bool:
    if not os.path.exists(f"{tty}/device"):
        return VIRTUAL_SERIAL.fullmatch(name) is not None
    # The 8250 driver registers ports that exist on no board; their UART type is 0 (unknown).
    return _text(tty, "type") != "0"


def _usb_ancestors(port: str) -> tuple[str | None, str | None]:
    """The directories of the USB interface and of the USB device that `port` belongs to."""
    interface = None
    while len(port) > 1:
        if interface is None and os.path.exists(f"{port}/bInterfaceNumber"):
            interface = port
        if os.path.exists(f"{port}/idVendor"):
            return interface, port
        port = os.path.dirname(port)
    return None, None


def _driver(port: str) -> str | None:
    # Since Linux 6.5 a UART hangs below two devices of the serial core, whose drivers say nothing.
    while os.path.basename(os.path.realpath(f"{port}/subsystem")) == "serial-base":
        port = os.path.dirname(port)
    try:
        return os.path.basename(os.readlink(f"{port}/driver"))
    except OSError:
        return None


def _text(directory: str, attribute: str) -> str | None:
    """The attribute without blanks around it; None when it is missing or empty."""
    try:
        with open(f"{directory}/{attribute}", encoding="utf-8", errors="replace") as file:
            text = file.read(4 * LONGEST_TEXT)
    except OSError as error:
        _not_short(error)
        return None
    # It comes from a device that may be hostile, and goes to terminals and logs.
    return "".join(filter(str.isprintable, text)).strip()[:LONGEST_TEXT] or None


def _links(directory: str) -> dict[str, str]:
    """The symlinks of `directory` by the node that each leads to."""
    try:
        names = sorted(os.listdir(directory), reverse=True)
    except OSError as error:
        _not_short(error)
        return {}
    paths = [f"{directory}/{name}" for name in names]
    return {os.path.realpath(path): path for path in paths if os.path.islink(path)}


def _not_short(error: OSError) -> None:
    """What cannot be looked at now may be there: do not take it for missing."""
    if error.errno in SHORTAGES:
        raise error


def _natural(name: str) -> tuple[tuple[str, int], ...]:
    return tuple((text, int(digits or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name))
