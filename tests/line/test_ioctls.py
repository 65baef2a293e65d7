"""The tty ioctls, where a PTY has them; the others belong to real drivers."""

from __future__ import annotations

import os
import struct
import termios

import pytest

from gatewayd.line import ioctls
from gatewayd.line.model import INPUT_SIGNALS, LineErrors, Purge, Signal
from tests.line.pty import Pty


def test_signals_and_bits() -> None:
    assert ioctls.signal_bits(Signal.NONE) == 0
    assert ioctls.signal_bits(Signal.DTR | Signal.RTS) == termios.TIOCM_DTR | termios.TIOCM_RTS
    assert ioctls.signal_bits(INPUT_SIGNALS) == (
        termios.TIOCM_CTS | termios.TIOCM_DSR | termios.TIOCM_RNG | termios.TIOCM_CAR
    )


def test_counts_are_taken_from_their_places(monkeypatch: pytest.MonkeyPatch) -> None:
    """serial_icounter_struct: cts dsr rng dcd rx tx frame overrun parity brk buf_overrun."""
    raw = struct.pack("20i", *range(1, 12), *[0] * 9)
    monkeypatch.setattr("fcntl.ioctl", lambda fd, request, argument: raw)
    found = ioctls.get_counts(-1)
    assert found[:4] == (1, 2, 3, 4)
    assert found.errors == LineErrors(break_=10, framing=7, parity=9, overrun=8, buffer_overrun=11)


def test_what_a_pty_lacks_is_an_oserror(pty: Pty) -> None:
    assert pty.slave is not None
    for call in (ioctls.get_signals, ioctls.get_counts, ioctls.transmitter_empty):
        with pytest.raises(OSError, match="Inappropriate"):
            call(pty.slave)


def test_no_signals_to_set_is_no_ioctl() -> None:
    ioctls.set_signals(-1, Signal.NONE, Signal.NONE)


def test_flushing_takes_what_waits_to_be_read(pty: Pty) -> None:
    assert pty.slave is not None
    os.write(pty.master, b"old")
    assert os.read(pty.slave, 1) == b"o"
    ioctls.flush(pty.slave, Purge.RX)
    os.write(pty.master, b"new")
    assert os.read(pty.slave, 10) == b"new"
    assert ioctls.queued(pty.slave) == 0


def test_exclusive_can_be_set_seen_and_taken_back(pty: Pty) -> None:
    assert pty.slave is not None
    assert not ioctls.is_exclusive(pty.slave)
    ioctls.set_exclusive(pty.slave, True)
    assert ioctls.is_exclusive(pty.slave)
    ioctls.set_exclusive(pty.slave, False)
    assert not ioctls.is_exclusive(pty.slave)
