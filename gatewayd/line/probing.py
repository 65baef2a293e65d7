"""What is found out about an open tty before it is a line. All of it may wait for the device."""

from __future__ import annotations

from gatewayd.line import ioctls, termios2
from gatewayd.line.model import Capabilities, LineErrors, LineSettings, Signal
from gatewayd.line.serial_port import SerialPort
from gatewayd.typed import NamedTuple


class Found(NamedTuple):
    """What its driver can do, and tells at first."""

    capabilities: Capabilities
    signals: Signal | None
    """None where there are no modem lines."""
    errors: LineErrors


def probe(fd: int) -> Found:
    """Find out what the driver of an open tty can do; may talk to a USB device.

    Raises OSError EIO where no UART is behind the tty.
    """
    signals, errors = None, LineErrors()
    counted = True
    try:
        signals = ioctls.get_signals(fd)
    except OSError as error:
        if error.errno in ioctls.GONE:
            raise
    try:
        errors = ioctls.get_counts(fd).errors
    except OSError:
        counted = False
    modem_lines = signals is not None
    # TIOCMIWAIT cannot be tried without waiting. Drivers have it together with the counts; where
    # one does not, the first watch finds out and polls.
    capabilities = Capabilities(
        modem_lines=modem_lines,
        modem_events=modem_lines and counted,
        error_counts=counted,
        framing=not termios2.is_pty(fd),
    )
    return Found(capabilities, signals, errors)


def adopt_port(fd: int, path: str) -> tuple[SerialPort, Found]:
    """Take over an open tty that another process has set up; only the locks are taken. May wait
    for the device.

    Raises DeviceBusyError or OSError; `fd` stays the caller's then.
    """
    port = SerialPort(path, LineSettings())
    found = probe(fd)
    port.adopt(fd)
    return port, found
