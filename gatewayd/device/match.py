"""What identifies a serial device, and which device a configuration means."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from gatewayd.device.scan import SerialDevice
from gatewayd.errors import DeviceAbsentError, DeviceError
from gatewayd.value import Value, as_dict

USB_PATH = re.compile(r"\d+-\d+(\.\d+)*")
USB_ID = re.compile(r"[0-9a-f]{4}")
PLACEHOLDERS = frozenset(
    {"0", "00", "000000", "0000", "0001", "00000000", "00000001", "123456", "12345678"}
    | {"1234567890", "0123456789", "0123456789ABCDEF"}
)
"""Serial numbers that makers of cheap adapters give to every piece: they identify nothing."""


class DeviceMatch(Value):
    """The properties that a device must have; None is any. Raises ValueError (its text is for the
    user) when a value cannot be one, or when nothing but an interface is given."""

    serial: str | None = None
    """USB serial number, as the device tells it or as udev writes it (odd characters as `_`)."""
    usb_path: str | None = None
    """The socket, such as `1-1.2`: bus 1, port 1, port 2 of the hub there."""
    interface: int | None = None
    """USB interface number, 0 to 255."""
    vid: str | None = None
    """USB vendor, four hexadecimal digits in lower case."""
    pid: str | None = None
    """USB product, as `vid`."""

    def __post_init__(self) -> None:
        if self.serial == "":
            raise ValueError("serial is empty; leave it out for an adapter that has none")
        if self.usb_path is not None and not USB_PATH.fullmatch(self.usb_path):
            raise ValueError(f"usb_path {self.usb_path!r} is no socket; one looks like 1-1.2")
        if self.interface is not None and not 0 <= self.interface <= 255:
            raise ValueError(f"interface {self.interface} is not between 0 and 255")
        for key, value in (("vid", self.vid), ("pid", self.pid)):
            if value is not None and not USB_ID.fullmatch(value):
                raise ValueError(f"{key} {value!r} is not four hexadecimal digits in lower case")
        if not (self.serial or self.usb_path or self.vid or self.pid):
            raise ValueError("a match needs one of serial, usb_path, vid, pid")

    def __str__(self) -> str:
        """A YAML flow mapping: `{usb_path: 1-1.2, interface: 0}`."""
        values = as_dict(self).items()
        return "{" + ", ".join(f"{k}: {yaml_scalar(v)}" for k, v in values if v is not None) + "}"

    def fits(self, device: SerialDevice) -> bool:
        """Whether `device` has all these properties."""
        return (
            self.vid in (None, device.vid)
            and self.pid in (None, device.pid)
            and self.usb_path in (None, device.usb_path)
            and self.interface in (None, device.interface)
            and self.serial in (None, device.serial, device.serial and udev_text(device.serial))
        )


class Choice(Value):
    """What to write into a configuration to mean one device."""

    device: DeviceMatch | str
    """The value of `device:`; a path where the device is not on USB."""
    reason: str | None = None
    """Why it is not the serial number alone, in words for the user."""


def find(wanted: DeviceMatch | str, devices: Iterable[SerialDevice]) -> SerialDevice | str:
    """The one of `devices` (from `scan`) that `wanted` means.

    A path stays a path when it exists and is none of the devices (a pseudo terminal, a machine
    without sysfs), and so does a pyserial URL. Raises DeviceAbsentError when there is no such
    device now, DeviceError naming all of them when several fit.
    """
    if isinstance(wanted, DeviceMatch):
        fitting = [device for device in devices if wanted.fits(device)]
        if not fitting:
            raise DeviceAbsentError(f"no device fits {wanted}")
        if len(fitting) > 1:
            places = " and ".join(device.place for device in fitting)
            raise DeviceError(f"{wanted} fits {len(fitting)} devices: {places}; say which")
        return fitting[0]
    if "://" in wanted:
        return wanted
    node = os.path.realpath(wanted)
    for device in devices:
        if device.path == node:
            return device
    if not os.path.exists(node):
        leads = f" (a link to {node})" if os.path.islink(wanted) else ""
        raise DeviceAbsentError(f"{wanted}{leads} is not there")
    return wanted


def best_match(device: SerialDevice, devices: Iterable[SerialDevice]) -> Choice:
    """What to write for `device` among all `devices`: the serial number when it tells the device
    from every other, else the socket; with the interface where an adapter has several."""
    if device.usb_path is None:
        # Cards change the numbers of ttyS; the ports of the board itself keep theirs.
        if device.by_path is not None and "/pci-" in device.by_path:
            return Choice(device.by_path)
        return Choice(device.path)
    others = [other for other in devices if other.path != device.path]
    rivals = [o for o in others if o.serial == device.serial and o.usb_path != device.usb_path]
    if device.serial is None:
        reason = "it has no serial number: this means whatever is plugged into this socket"
    elif device.serial in PLACEHOLDERS:
        reason = f"serial number {device.serial} is a placeholder: this means the socket"
    elif rivals:
        places = ", ".join(other.place for other in rivals)
        reason = f"serial number {device.serial} is also that of {places}: this means the socket"
    else:
        reason = None
    candidates: list[DeviceMatch] = []
    if reason is None:
        candidates.append(DeviceMatch(serial=device.serial))
        candidates.append(DeviceMatch(serial=device.serial, interface=device.interface))
    else:
        candidates.append(DeviceMatch(usb_path=device.usb_path, interface=device.interface))
    for candidate in candidates:
        if not any(candidate.fits(other) for other in others):
            return Choice(candidate, reason)
    # Several ports on one USB interface: only the kernel's port number, in udev's links, differs.
    path = (device.by_id if reason is None else None) or device.by_path or device.path
    return Choice(path, reason or "several ports share one USB interface")


def has_identity(found: SerialDevice | str) -> bool:
    """Whether the same device, and not just the same socket, can be known again after a replug.

    True with a serial number, and for what cannot be unplugged: a UART of the board, a URL, a path
    that is none of the kernel's names for USB adapters.
    """
    if isinstance(found, SerialDevice):
        return found.usb_path is None or is_serial_number(found.serial)
    name = os.path.basename(os.path.realpath(found))
    return "://" in found or not re.match(r"tty(USB|ACM)\d", name)


def same_device(before: SerialDevice | str, after: SerialDevice | str) -> bool:
    """Whether what came back is certainly what went away, and not another in its place."""
    return has_identity(after) and _identity(before) == _identity(after)


def is_serial_number(text: str | None) -> bool:
    """Whether `text` can identify one piece: not missing, and no maker's placeholder."""
    return text is not None and text not in PLACEHOLDERS


def udev_text(text: str) -> str:
    """`text` as udev writes it into ID_SERIAL_SHORT and into the names of links."""
    return re.sub(r"[^\w#+\-.:=@]", "_", re.sub(r"\s+", "_", text.strip()))


def _identity(found: SerialDevice | str) -> tuple[object, ...]:
    if isinstance(found, str):
        return (found,)
    if found.usb_path is None:
        return (found.path,)
    return found.vid, found.pid, found.serial, found.interface, found.port_number


def yaml_scalar(value: str | int) -> str:
    """`value` as YAML 1.1 and 1.2 both read it: quoted where it could be taken for a number."""
    if isinstance(value, int) or USB_PATH.fullmatch(value):
        return str(value)
    if re.fullmatch(r"[A-Za-z][\w.-]*|/[\w./:-]*\w", value, re.ASCII) and not re.fullmatch(
        r"y|n|yes|no|on|off|true|false|null", value, re.IGNORECASE
    ):
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
