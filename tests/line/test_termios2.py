"""termios2: settings and the kernel's structure."""

from __future__ import annotations

import errno
import os
import subprocess
import termios

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gatewayd.errors import DeviceError
from gatewayd.line import termios2
from gatewayd.line.model import LineSettings, StopBits
from gatewayd.line.termios2 import Termios2
from tests.line.pty import Pty
from tests.line.settings import SETTINGS

WORDS = st.integers(0, 2**32 - 1)
BASES = st.builds(
    Termios2, WORDS, WORDS, WORDS, WORDS, st.binary(min_size=20, max_size=20), WORDS, WORDS
)


def possible(settings: LineSettings) -> bool:
    """Whether a UART has such stop bits: more than one is 1.5 with 5 data bits, else 2."""
    more = StopBits.ONE_POINT_FIVE if settings.bytesize == 5 else StopBits.TWO
    return settings.stopbits in (StopBits.ONE, more)


@given(SETTINGS.filter(possible), BASES)
def test_what_is_encoded_decodes(settings: LineSettings, base: Termios2) -> None:
    assert termios2.decode(termios2.encode(settings, base)) == settings


@given(SETTINGS, BASES)
def test_encoding_twice_changes_nothing(settings: LineSettings, base: Termios2) -> None:
    once = termios2.encode(settings, base)
    assert termios2.encode(settings, once) == once


@given(SETTINGS, BASES)
def test_every_encoding_is_raw(settings: LineSettings, base: Termios2) -> None:
    state = termios2.encode(settings, base)
    assert state.iflag & ~(termios.IXON | termios.IXOFF) == 0
    assert state.oflag == state.lflag == 0
    assert state.cflag & termios.CLOCAL
    assert state.cflag & termios.CREAD
    assert not state.cflag & termios.HUPCL
    control = state.control[1:]
    assert control[termios.VMIN] == 1
    assert control[termios.VTIME] == 0


@given(BASES, SETTINGS.filter(lambda s: s.bytesize != 5))
def test_one_and_a_half_stop_bits_with_more_than_5_bits_leave_them_as_they_were(
    base: Termios2, settings: LineSettings
) -> None:
    wanted = LineSettings(bytesize=settings.bytesize, stopbits=StopBits.ONE_POINT_FIVE)
    state = termios2.encode(wanted, base)
    assert state.cflag & termios.CSTOPB == base.cflag & termios.CSTOPB


@pytest.mark.parametrize("rate", [0, -1, 2**31])
def test_an_impossible_rate_leaves_it_as_it_was(rate: int, pty: Pty) -> None:
    assert pty.slave is not None
    termios2.apply(pty.slave, LineSettings(baudrate=19200))
    assert termios2.apply(pty.slave, LineSettings(baudrate=rate)).baudrate == 19200


@pytest.mark.parametrize("rate", [50, 9600, 115200, 250000, 31250, 12345, 4000000])
def test_any_rate_is_read_back(rate: int, pty: Pty) -> None:
    assert pty.slave is not None
    assert termios2.apply(pty.slave, LineSettings(baudrate=rate)).baudrate == rate
    assert termios2.read(pty.slave).baudrate == rate


@pytest.mark.parametrize("rate", [50, 9600, 115200, 4000000])
def test_other_tools_read_a_classic_rate(rate: int, pty: Pty) -> None:
    assert pty.slave is not None
    termios2.apply(pty.slave, LineSettings(baudrate=rate))
    shown = subprocess.run(["stty", "speed"], stdin=pty.slave, capture_output=True, check=True)
    assert int(shown.stdout) == rate


def test_a_rate_that_the_driver_rounds_is_the_classic_one_and_needs_no_new_set() -> None:
    base = Termios2(0, 0, termios.B115200 | termios.CS8, 0, bytes(20), 115384, 115384)
    assert termios2.decode(base).baudrate == 115200
    assert termios2.encode(LineSettings(baudrate=115200), base).ospeed == 115384


def test_one_set_for_many_changes_and_none_for_none(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pty.slave is not None
    sets: list[Termios2] = []
    store = termios2.store

    def counted(fd: int, state: Termios2) -> None:
        sets.append(state)
        store(fd, state)

    monkeypatch.setattr(termios2, "store", counted)
    wanted = LineSettings(
        baudrate=250000, stopbits=StopBits.TWO, ixon=True, ixoff=True, rtscts=True
    )
    assert termios2.apply(pty.slave, wanted) == wanted
    assert len(sets) == 1
    assert termios2.apply(pty.slave, wanted) == wanted
    assert len(sets) == 1


def test_one_refused_value_does_not_spoil_the_others(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No PTY refuses anything, so a driver that knows no 2 stop bits is put before it."""
    assert pty.slave is not None
    store = termios2.store

    def picky(fd: int, state: Termios2) -> None:
        if state.cflag & termios.CSTOPB:
            raise OSError(errno.EINVAL, "no such stop bits")
        store(fd, state)

    monkeypatch.setattr(termios2, "store", picky)
    wanted = LineSettings(baudrate=57600, stopbits=StopBits.TWO, ixon=True)
    got = termios2.apply(pty.slave, wanted)
    assert got == LineSettings(baudrate=57600, stopbits=StopBits.ONE, ixon=True)


def test_other_errors_come_through(pty: Pty) -> None:
    assert pty.slave is not None
    pty.hang_up()
    with pytest.raises(OSError, match="Input/output"):
        termios2.apply(pty.slave, LineSettings())
    with open(os.devnull, "rb") as null, pytest.raises(OSError, match="Inappropriate"):
        termios2.read(null.fileno())


def test_the_numbers_are_known_for_this_machine_and_refused_for_others() -> None:
    for machine in (os.uname().machine, "x86_64", "i686", "aarch64", "armv6l", "riscv64"):
        termios2.check_machine(machine)
    for machine in ("ppc64le", "mips", "sparc64", "alpha"):
        with pytest.raises(DeviceError, match=machine):
            termios2.check_machine(machine)


def test_a_pty_is_told_from_other_files(pty: Pty) -> None:
    assert pty.slave is not None
    assert termios2.is_pty(pty.slave)
    with open(os.devnull, "rb") as null:
        assert not termios2.is_pty(null.fileno())
