"""Opening a device as a line, off the event loop, with errors that say what to do."""

from __future__ import annotations

import asyncio
import errno
import grp
import os
import pwd
import stat
import termios
from functools import partial
from typing import Final

from gatewayd.errors import (
    DeviceAbsentError,
    DeviceBusyError,
    DeviceError,
    DeviceSilentError,
    DeviceStuckError,
)
from gatewayd.line import termios2
from gatewayd.line.api import LineEvents
from gatewayd.line.gather import Gatherers
from gatewayd.line.model import LineSettings, SignalPolicies
from gatewayd.line.pending import Pending
from gatewayd.line.probing import Found, probe
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.line.serial_port import SerialPort
from gatewayd.line.worker import Worker

NOT_SERIAL: Final = {
    "5:0": "the terminal of whoever opens it",
    "5:2": "the maker of pseudo terminals (each open is another one)",
}
"""Ttys by their numbers that are nobody's line."""
_ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
_SILENT = frozenset({errno.ENXIO, errno.ENODEV})


class StuckError(DeviceStuckError):
    """Opening does not come back; `back` is done when it does."""

    def __init__(self, path: str, back: Pending) -> None:
        super().__init__(f"{path}: the driver does not come back from opening it")
        self.back = back


async def open_line(
    path: str,
    settings: LineSettings,
    policies: SignalPolicies,
    events: LineEvents,
    gatherers: Gatherers | None = None,
) -> SerialPortLine:
    """Open the tty at `path` (a symlink is followed), configure it and hand it over as a line.

    Raises DeviceAbsentError, DeviceBusyError, StuckError or DeviceError. Cancelling it leaves
    nothing open.
    """
    loop = asyncio.get_running_loop()
    try:
        worker = Worker(loop, partial(open_port, path, settings, policies), _close_unwanted)
    except RuntimeError as error:
        raise DeviceError(f"{path} cannot be opened: {error}") from error
    try:
        port, found = await worker.done
    except asyncio.CancelledError:
        worker.abandon()
        raise
    except TimeoutError:
        raise StuckError(path, worker.back) from None
    return SerialPortLine(port, events, found, settings, gatherers)


def open_port(
    path: str, settings: LineSettings, policies: SignalPolicies
) -> tuple[SerialPort, Found]:
    """Open `path` now; may wait for the device. Raises as `open_line`."""
    termios2.check_machine(os.uname().machine)
    port = SerialPort(path, settings, policies)
    try:
        _check_kind(path)
        port.open()
        return port, probe(port.fileno())
    except BaseException as error:
        port.close()
        if isinstance(error, (OSError, termios.error)):
            raise _explained(path, error) from error
        raise


def _close_unwanted(opened: tuple[SerialPort, Found]) -> None:
    opened[0].close()


def _check_kind(path: str) -> None:
    """Refuse what is certainly no tty before opening it: an open alone sets off a watchdog."""
    status = os.stat(path)
    if not stat.S_ISCHR(status.st_mode):
        raise DeviceError(f"{path} is {_kind(status.st_mode)}, not a serial device")
    number = f"{os.major(status.st_rdev)}:{os.minor(status.st_rdev)}"
    if number in NOT_SERIAL:
        raise DeviceError(f"{path} is {NOT_SERIAL[number]}, not a serial device")
    try:
        subsystem = os.path.basename(os.readlink(f"/sys/dev/char/{number}/subsystem"))
    except OSError:
        return  # PTYs are not in there
    if subsystem != "tty":
        raise DeviceError(f"{path} is a device of another kind ({subsystem}), not a serial device")


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a directory"
    if stat.S_ISREG(mode):
        return "a file"
    if stat.S_ISSOCK(mode):
        return "a socket"
    return "a pipe" if stat.S_ISFIFO(mode) else "a block device"


def _explained(path: str, error: BaseException) -> DeviceError:
    number = error.args[0] if error.args and isinstance(error.args[0], int) else 0
    if number in _ABSENT:
        return DeviceAbsentError(f"{path}: no such device")
    if number == errno.EBUSY:
        return DeviceBusyError(f"{path} is in use by another process")
    if number in (errno.EACCES, errno.EPERM):
        return DeviceError(_permission(path))
    if number == errno.ENOTTY:
        return DeviceError(f"{path} is not a serial device (no tty)")
    if number == errno.EIO:
        return DeviceSilentError(f"{path}: nothing answers behind it (input/output error)")
    if number in _SILENT:
        return DeviceSilentError(f"{path}: no such device")
    return DeviceError(f"{path} cannot be opened: {os.strerror(number) if number else error}")


def _permission(path: str) -> str:
    user = _user(os.geteuid())
    try:
        status = os.stat(path)
    except OSError:
        return f"{path}: user {user} may not reach it"
    group = _group(status.st_gid)
    if status.st_mode & 0o060 == 0o060 and status.st_gid not in {os.getegid(), *os.getgroups()}:
        return (
            f"{path}: permission denied; user {user} is not in group {group} "
            f"(sudo usermod -aG {group} {user}, then log in again)"
        )
    mode = stat.S_IMODE(status.st_mode)
    owner = _user(status.st_uid)
    return f"{path}: permission denied for user {user}; it is {owner}:{group}, mode {mode:04o}"


def _user(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
