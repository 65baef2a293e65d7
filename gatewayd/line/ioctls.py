"""The tty ioctls of a serial line, as typed calls. All raise OSError.

In all but `queued` a driver may sleep; see `gatewayd.line.calls`.
"""

from __future__ import annotations

import errno
import fcntl
import struct
import termios
from typing import Final

from gatewayd.line.model import LineErrors, Purge, Signal
from gatewayd.typed import NamedTuple

GONE: Final = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF, errno.ESHUTDOWN})
"""What is answered for a device that has gone."""

_TIOCGEXCL: Final = 0x80045440
_TIOCSERGETLSR: Final = 0x5459
_TIOCSER_TEMT: Final = 0x01
_TIOCSBRK: Final = 0x5427
_TIOCCBRK: Final = 0x5428
_TCFLSH: Final = 0x540B
_INT: Final = struct.Struct("i")
_ICOUNT: Final = struct.Struct("20i")

_SIGNAL_BITS: Final = {
    Signal.DTR: termios.TIOCM_DTR,
    Signal.RTS: termios.TIOCM_RTS,
    Signal.CTS: termios.TIOCM_CTS,
    Signal.DSR: termios.TIOCM_DSR,
    Signal.RI: termios.TIOCM_RNG,
    Signal.CD: termios.TIOCM_CAR,
}
_QUEUES: Final = {
    Purge.RX: termios.TCIFLUSH,
    Purge.TX: termios.TCOFLUSH,
    Purge.BOTH: termios.TCIOFLUSH,
}


class Counts(NamedTuple):
    """What TIOCGICOUNT counts: changes of the inputs, and receive errors."""

    cts: int
    dsr: int
    ri: int
    cd: int
    errors: LineErrors


def _get_int(fd: int, request: int) -> int:
    value: int = _INT.unpack(fcntl.ioctl(fd, request, bytes(_INT.size)))[0]
    return value


def get_signals(fd: int) -> Signal:
    """The modem lines now (TIOCMGET)."""
    bits = _get_int(fd, termios.TIOCMGET)
    found = Signal.NONE
    for signal, bit in _SIGNAL_BITS.items():
        if bits & bit:
            found |= signal
    return found


def signal_bits(signals: Signal) -> int:
    """The TIOCM_ bits of `signals`."""
    return sum(bit for signal, bit in _SIGNAL_BITS.items() if signal in signals)


def set_signals(fd: int, on: Signal, off: Signal) -> None:
    """Raise DTR/RTS in `on`, drop those in `off` (TIOCMBIS, TIOCMBIC)."""
    if on:
        fcntl.ioctl(fd, termios.TIOCMBIS, _INT.pack(signal_bits(on)))
    if off:
        fcntl.ioctl(fd, termios.TIOCMBIC, _INT.pack(signal_bits(off)))


def get_counts(fd: int) -> Counts:
    """The running counts (TIOCGICOUNT)."""
    raw = _ICOUNT.unpack(fcntl.ioctl(fd, termios.TIOCGICOUNT, bytes(_ICOUNT.size)))
    cts, dsr, ri, cd, _rx, _tx, framing, overrun, parity, break_, lost = raw[:11]
    return Counts(cts, dsr, ri, cd, LineErrors(break_, framing, parity, overrun, lost))


def queued(fd: int) -> int:
    """Bytes in the driver's output queue (TIOCOUTQ); the UART's own FIFO is not in it."""
    return _get_int(fd, termios.TIOCOUTQ)


def transmitter_empty(fd: int) -> bool:
    """Whether FIFO and shift register are empty too (TIOCSERGETLSR; not all drivers have it)."""
    return bool(_get_int(fd, _TIOCSERGETLSR) & _TIOCSER_TEMT)


def set_break(fd: int, on: bool) -> None:
    """Begin or end a break (TIOCSBRK, TIOCCBRK)."""
    fcntl.ioctl(fd, _TIOCSBRK if on else _TIOCCBRK)


def flush(fd: int, which: Purge) -> None:
    """Throw away the driver's queues (TCFLSH)."""
    fcntl.ioctl(fd, _TCFLSH, _QUEUES[which])


def set_exclusive(fd: int, on: bool) -> None:
    """Let nobody but root open the tty from now on, or let everybody (TIOCEXCL, TIOCNXCL)."""
    fcntl.ioctl(fd, termios.TIOCEXCL if on else termios.TIOCNXCL)


def is_exclusive(fd: int) -> bool:
    """Whether somebody has set TIOCEXCL (TIOCGEXCL)."""
    return bool(_get_int(fd, _TIOCGEXCL))
