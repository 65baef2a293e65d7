"""Line settings to and from the kernel's `struct termios2`, by TCGETS2 and TCSETS2.

The C library's termios knows a fixed list of speeds; termios2 carries any rate as a number.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import struct
import termios
from functools import lru_cache
from typing import Final

from gatewayd.errors import DeviceError
from gatewayd.line.model import LineSettings, Parity, StopBits
from gatewayd.typed import NamedTuple

_TCGETS2: Final = 0x802C542A
_TCSETS2: Final = 0x402C542B
_LAYOUT: Final = struct.Struct("4I20s2I")
_ROOM: Final = bytes(_LAYOUT.size)
_BOTHER: Final = 0o010000
_CBAUD: Final = 0o010017
_CIBAUD: Final = _CBAUD << 16
_CMSPAR: Final = 0o10000000000
_MAX_BAUDRATE: Final = 2**31 - 1

# Mips, powerpc, sparc and alpha number these requests and flags in another way.
_KNOWN_MACHINES: Final = re.compile(r"x86_64|i\d86|aarch64|arm|riscv|loongarch|s390")

_SPEEDS: Final = {
    getattr(termios, name): int(name[1:])
    for name in dir(termios)
    if name[0] == "B" and name[1:].isdigit() and name != "B0"
}
_CODES: Final = {rate: code for code, rate in _SPEEDS.items()}
_SIZES: Final = {5: termios.CS5, 6: termios.CS6, 7: termios.CS7, 8: termios.CS8}
_PARITIES: Final = {
    Parity.NONE: 0,
    Parity.ODD: termios.PARENB | termios.PARODD,
    Parity.EVEN: termios.PARENB,
    Parity.MARK: termios.PARENB | termios.PARODD | _CMSPAR,
    Parity.SPACE: termios.PARENB | _CMSPAR,
}
_PARITY_OF: Final = {code: parity for parity, code in _PARITIES.items()}
_BYTESIZES: Final = {code: bytesize for bytesize, code in _SIZES.items()}
_PARITY_BITS: Final = termios.PARENB | termios.PARODD | _CMSPAR

REMEMBERED: Final = 64
"""Of the settings that lines are given and had before: clients ask for few, again and again."""


class Termios2(NamedTuple):
    """The kernel's structure; `control` holds c_line and the 19 control characters."""

    iflag: int
    oflag: int
    cflag: int
    lflag: int
    control: bytes
    ispeed: int
    ospeed: int


@lru_cache(REMEMBERED)
def encode(settings: LineSettings, base: Termios2) -> Termios2:
    """Return `base` in raw mode with `settings` in it.

    What has no code keeps the value of `base`: a rate of 0 or beyond 2^31-1, a bytesize other than
    5 to 8, and 1.5 stop bits with anything but 5 data bits.
    """
    iflag = (termios.IXON if settings.ixon else 0) | (termios.IXOFF if settings.ixoff else 0)
    cflag = base.cflag & ~(termios.HUPCL | termios.CRTSCTS | _PARITY_BITS)
    cflag |= termios.CLOCAL | termios.CREAD | _PARITIES[settings.parity]
    if settings.rtscts:
        cflag |= termios.CRTSCTS
    if settings.bytesize in _SIZES:
        cflag = cflag & ~termios.CSIZE | _SIZES[settings.bytesize]
    if settings.stopbits is StopBits.ONE:
        cflag &= ~termios.CSTOPB
    elif settings.stopbits is StopBits.TWO or settings.bytesize == 5:
        cflag |= termios.CSTOPB
    ispeed, ospeed = base.ispeed, base.ospeed
    rate = settings.baudrate
    if 0 < rate <= _MAX_BAUDRATE and rate != _rate(base):
        # A classic code where there is one, so that stty and other tools read the rate well.
        cflag = cflag & ~(_CBAUD | _CIBAUD) | _CODES.get(rate, _BOTHER)
        ispeed = ospeed = rate
    return Termios2(iflag, 0, cflag, 0, _raw_control(base.control), ispeed, ospeed)


def _raw_control(control: bytes) -> bytes:
    changed = bytearray(control)
    for index, value in (
        (termios.VMIN, 1),
        (termios.VTIME, 0),
        (termios.VSTART, 0x11),
        (termios.VSTOP, 0x13),
    ):
        changed[1 + index] = value
    return bytes(changed)


@lru_cache(REMEMBERED)
def decode(state: Termios2) -> LineSettings:
    """Return the settings that `state` stands for."""
    bytesize = _BYTESIZES[state.cflag & termios.CSIZE]
    stopbits = StopBits.ONE
    if state.cflag & termios.CSTOPB:
        stopbits = StopBits.ONE_POINT_FIVE if bytesize == 5 else StopBits.TWO
    parity = Parity.NONE
    if state.cflag & termios.PARENB:
        parity = _PARITY_OF[state.cflag & _PARITY_BITS]
    return LineSettings(
        baudrate=_rate(state),
        bytesize=bytesize,
        parity=parity,
        stopbits=stopbits,
        ixon=bool(state.iflag & termios.IXON),
        ixoff=bool(state.iflag & termios.IXOFF),
        rtscts=bool(state.cflag & termios.CRTSCTS),
    )


def _rate(state: Termios2) -> int:
    # A driver that rounds a rate by less than 2 % (CP2102N: 115384 for 115200) leaves the classic
    # code in place. The code is then what the line is said to run at, as stty has it.
    return _SPEEDS.get(state.cflag & _CBAUD, state.ospeed)


def check_machine(machine: str) -> None:
    """Raise DeviceError where this module's numbers are not those of the kernel."""
    if not _KNOWN_MACHINES.match(machine):
        raise DeviceError(f"serial settings on a {machine} processor are not known to gatewayd")


def fetch(fd: int) -> Termios2:
    """Ask the kernel. Raises OSError: ENOTTY where `fd` is no tty, EIO where it is gone."""
    return Termios2._make(_LAYOUT.unpack(fcntl.ioctl(fd, _TCGETS2, _ROOM)))


def store(fd: int, state: Termios2) -> None:
    """Tell the kernel, at once and without waiting for output. Raises OSError."""
    fcntl.ioctl(fd, _TCSETS2, _LAYOUT.pack(*state))


def read(fd: int) -> LineSettings:
    """The settings in force. Raises OSError as `fetch`."""
    return decode(fetch(fd))


def apply(fd: int, settings: LineSettings) -> LineSettings:
    """Put the tty into raw mode with `settings`; return what is in force then.

    Nothing is set where nothing differs. Where the driver refuses the whole, each field is tried
    alone. Raises OSError for any refusal but EINVAL.
    """
    before = fetch(fd)
    wanted = encode(settings, before)
    if wanted == before:
        return decode(before)
    try:
        store(fd, wanted)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        _apply_each(fd, settings)
    return read(fd)


def _apply_each(fd: int, settings: LineSettings) -> None:
    for field, value in settings._asdict().items():
        state = fetch(fd)
        one = decode(state)._replace(**{field: value})
        with contextlib.suppress(OSError):
            store(fd, encode(one, state))


def may_sleep(fd: int) -> bool:
    """Whether the driver of `fd` may take its time for an ioctl: all but a PTY's, which has none.

    A UART on the board answers at once as a rule; but it may sit on a bus, or have to be woken.
    """
    return not is_pty(fd)


def is_pty(fd: int) -> bool:
    """Whether `fd` is the slave of a pseudo terminal, which has no wire, hence no framing."""
    return 136 <= os.major(os.fstat(fd).st_rdev) <= 143
