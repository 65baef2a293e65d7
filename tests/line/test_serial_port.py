"""SerialPort: opening, locks, and no ioctl more than needed."""

from __future__ import annotations

import fcntl
import os
import termios

import pytest

from gatewayd.errors import DeviceBusyError
from gatewayd.line import ioctls, termios2
from gatewayd.line.model import LineSettings, Parity, SignalPolicies, SignalPolicy
from gatewayd.line.serial_port import SerialPort
from tests.line.holding import another_process_holding
from tests.line.pty import Pty


@pytest.fixture
def sets(monkeypatch: pytest.MonkeyPatch) -> list[LineSettings]:
    """What `termios2.apply` is asked for, which still does it."""
    asked: list[LineSettings] = []
    apply = termios2.apply

    def noted(fd: int, settings: LineSettings) -> LineSettings:
        asked.append(settings)
        return apply(fd, settings)

    monkeypatch.setattr(termios2, "apply", noted)
    return asked


def test_it_opens_raw_locked_and_with_one_descriptor(pty: Pty) -> None:
    before = len(os.listdir("/proc/self/fd"))
    port = SerialPort(pty.path, LineSettings(baudrate=250000))
    port.open()
    assert len(os.listdir("/proc/self/fd")) == before + 1
    assert port.is_open
    assert port.in_force.baudrate == 250000
    lflag = termios.tcgetattr(port.fileno())[3]
    assert lflag & (termios.ECHO | termios.ICANON | termios.ISIG) == 0
    assert ioctls.is_exclusive(port.fileno())
    assert not os.get_blocking(port.fileno())
    assert not os.get_inheritable(port.fileno())
    port.close()
    port.close()
    assert not port.is_open


@pytest.mark.parametrize("lock", ["flock", "TIOCEXCL"])
def test_a_device_that_another_process_holds_is_busy_and_the_holder_named(
    lock: str, pty: Pty
) -> None:
    with another_process_holding(pty.path, lock) as pid:
        port = SerialPort(pty.path, LineSettings())
        with pytest.raises(DeviceBusyError, match=rf"{pty.path} is in use by .*\(pid {pid}\)"):
            port.open()
        assert not port.is_open


def test_two_ports_of_one_process_exclude_each_other(pty: Pty) -> None:
    first, second = (SerialPort(pty.path, LineSettings()) for _ in range(2))
    first.open()
    with pytest.raises(DeviceBusyError, match="this process"):
        second.open()
    # The failure has taken nothing from the one who holds it.
    assert ioctls.is_exclusive(first.fileno())
    first.close()
    second.open()
    second.close()


def test_closing_unlocks_though_somebody_else_has_it_open(pty: Pty) -> None:
    assert pty.slave is not None
    port = SerialPort(pty.path, LineSettings())
    port.open()
    port.close()
    assert not ioctls.is_exclusive(pty.slave)
    fcntl.flock(pty.slave, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_an_exclusive_flag_left_by_a_dead_process_does_not_lock_root_out(pty: Pty) -> None:
    if os.geteuid() != 0:
        pytest.skip("the kernel itself refuses everybody but root")
    assert pty.slave is not None
    ioctls.set_exclusive(pty.slave, True)
    port = SerialPort(pty.path, LineSettings())
    port.open()
    port.close()


def test_no_failure_leaves_anything_open_or_locked(
    pty: Pty, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert pty.slave is not None

    def fail(fd: int, settings: LineSettings) -> LineSettings:
        raise OSError(5, "Input/output error")

    before = sorted(os.listdir("/proc/self/fd"))
    with monkeypatch.context() as patch:
        patch.setattr(termios2, "apply", fail)
        port = SerialPort(pty.path, LineSettings())
        with pytest.raises(OSError, match="Input/output"):
            port.open()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert not ioctls.is_exclusive(pty.slave)
    port.open()
    port.close()


def test_a_batch_is_one_apply(pty: Pty, sets: list[LineSettings]) -> None:
    port = SerialPort(pty.path, LineSettings())
    port.open()
    assert sets == [LineSettings()]
    wanted = LineSettings(baudrate=19200, ixon=True, rtscts=True)
    assert port.configure(wanted) == wanted
    port.timeout = 0
    port.write_timeout = 0
    assert sets == [LineSettings(), wanted]
    port.close()


def test_what_another_program_has_set_is_set_back(pty: Pty) -> None:
    assert pty.slave is not None
    wanted = LineSettings(baudrate=19200)
    port = SerialPort(pty.path, wanted)
    port.open()
    termios2.apply(pty.slave, LineSettings(baudrate=300))
    assert port.configure(wanted) == termios2.read(pty.slave) == wanted
    port.close()


@pytest.mark.parametrize("ixon", [True, False])
def test_flow_control_of_one_direction(ixon: bool, pty: Pty) -> None:
    wanted = LineSettings(ixon=ixon, ixoff=not ixon)
    port = SerialPort(pty.path, wanted)
    port.open()
    assert port.in_force == wanted
    port.close()


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        (SignalPolicies(), []),
        (SignalPolicies(SignalPolicy.KEEP, SignalPolicy.KEEP), []),
        (SignalPolicies(SignalPolicy.ON, SignalPolicy.OFF), [("DTR", "RTS")]),
        (SignalPolicies(SignalPolicy.KEEP, SignalPolicy.OFF), [("", "RTS")]),
    ],
)
def test_outputs_move_only_by_policy_and_before_the_settings(
    policies: SignalPolicies,
    expected: list[tuple[str, str]],
    pty: Pty,
    monkeypatch: pytest.MonkeyPatch,
    sets: list[LineSettings],
) -> None:
    """A PTY has no modem lines; what the driver would be told is what counts here."""
    told: list[tuple[str, str]] = []
    ioctl = fcntl.ioctl

    def names(argument: bytes) -> str:
        bits = int.from_bytes(argument, "little")
        known = ((termios.TIOCM_DTR, "DTR"), (termios.TIOCM_RTS, "RTS"))
        return " ".join(name for bit, name in known if bits & bit)

    def noted(fd: int, request: int, argument: bytes = b"") -> object:
        if request == termios.TIOCMBIS:
            told.append((names(argument), ""))
            assert not sets
            return 0
        if request == termios.TIOCMBIC:
            on = told.pop()[0] if told else ""
            told.append((on, names(argument)))
            assert not sets
            return 0
        assert request != termios.TIOCMSET
        return ioctl(fd, request, argument)

    monkeypatch.setattr(fcntl, "ioctl", noted)
    port = SerialPort(pty.path, LineSettings(parity=Parity.NONE), policies)
    port.open()
    port.close()
    assert told == expected


def test_a_descriptor_is_given_away_untouched_and_adopted_as_it_is(
    pty: Pty, sets: list[LineSettings]
) -> None:
    wanted = LineSettings(baudrate=38400, rtscts=True)
    port = SerialPort(pty.path, wanted)
    port.open()
    fd = port.detach()
    assert not port.is_open
    assert ioctls.is_exclusive(fd)
    heir = SerialPort(pty.path, LineSettings())
    heir.adopt(fd)
    assert heir.fileno() == fd
    assert heir.in_force == wanted
    assert sets == [wanted]
    other = SerialPort(pty.path, LineSettings())
    with pytest.raises(DeviceBusyError):
        other.open()
    heir.close()


def test_a_descriptor_that_cannot_be_adopted_stays_the_callers() -> None:
    reader, writer = os.pipe()
    port = SerialPort("/dev/nothing", LineSettings())
    with pytest.raises(OSError, match="Inappropriate"):
        port.adopt(reader)
    assert not port.is_open
    os.close(reader)
    os.close(writer)
