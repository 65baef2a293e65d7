"""UUCP lock files: those of others are respected, ours is there while a device is open."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gatewayd.errors import DeviceBusyError
from gatewayd.line import uucp
from gatewayd.line.model import LineSettings
from gatewayd.line.serial_port import SerialPort
from tests.line.pty import Pty


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for lock files, empty."""
    monkeypatch.setattr(uucp, "DIRECTORY", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def gone() -> int:
    """The number of a process that is no more."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        pass
    return process.pid


def name_for(pty: Pty) -> str:
    return "LCK.." + pty.path.removeprefix("/dev/").replace("/", "_")


def test_a_lock_is_there_while_the_device_is_open(pty: Pty, locks: Path) -> None:
    link = locks.parent / "link-to-it"
    link.symlink_to(pty.path)
    port = SerialPort(str(link), LineSettings())
    port.open()
    link.unlink()
    assert os.listdir(locks) == [name_for(pty)]
    assert (locks / name_for(pty)).read_text() == f"{os.getpid():10d}\n"
    port.close()
    assert os.listdir(locks) == []


def test_the_lock_of_a_living_process_makes_a_device_busy(pty: Pty, locks: Path) -> None:
    (locks / name_for(pty)).write_text(f"{os.getppid():10d}\n")
    port = SerialPort(pty.path, LineSettings())
    with pytest.raises(DeviceBusyError, match=rf"locked by \S+ \(pid {os.getppid()}\), see "):
        port.open()
    assert (locks / name_for(pty)).read_text() == f"{os.getppid():10d}\n"


@pytest.mark.parametrize("text", ["", "what is this", "0\n", "99999999999\n", "-1\n", "    \n"])
def test_a_lock_that_names_no_process_is_replaced(pty: Pty, locks: Path, text: str) -> None:
    (locks / name_for(pty)).write_text(text)
    port = SerialPort(pty.path, LineSettings())
    port.open()
    assert (locks / name_for(pty)).read_text() == f"{os.getpid():10d}\n"
    port.close()


def test_a_stale_lock_is_replaced(pty: Pty, locks: Path, gone: int) -> None:
    for content in (f"{gone:10d}\n".encode(), gone.to_bytes(4, "little")):
        (locks / name_for(pty)).write_bytes(content)
        port = SerialPort(pty.path, LineSettings())
        port.open()
        assert (locks / name_for(pty)).read_text() == f"{os.getpid():10d}\n"
        port.close()
        assert os.listdir(locks) == []


def test_the_number_in_binary_of_a_living_process(locks: Path) -> None:
    (locks / "LCK..ttyS0").write_bytes(os.getppid().to_bytes(4, "little"))
    with pytest.raises(DeviceBusyError):
        uucp.refuse_if_locked("/dev/ttyS0")
    uucp.refuse_if_locked("/dev/ttyS1")


def test_what_was_put_there_to_hang_us_does_not(locks: Path, tmp_path: Path) -> None:
    os.mkfifo(locks / "LCK..ttyS0")
    (locks / "LCK..ttyS1").symlink_to(locks / "LCK..ttyS0")
    for device in ("/dev/ttyS0", "/dev/ttyS1"):
        uucp.refuse_if_locked(device)
        uucp.lock(device).release()
    assert not (locks / "LCK..ttyS0").exists()


def test_a_lock_that_another_took_is_left(locks: Path) -> None:
    lock = uucp.lock("/dev/ttyS0")
    (locks / "LCK..ttyS0").write_text(f"{os.getppid():10d}\n")
    lock.release()
    assert (locks / "LCK..ttyS0").read_text() == f"{os.getppid():10d}\n"
    # It came while we had the device already: it stays, and so do we.
    uucp.lock("/dev/ttyS0").release()
    assert (locks / "LCK..ttyS0").exists()


def test_a_lock_is_given_back_without_a_descriptor_to_be_had(pty: Pty, locks: Path) -> None:
    lock = uucp.lock(pty.path)
    assert os.listdir(locks) == [name_for(pty)]
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        lock.release()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert os.listdir(locks) == []


def test_where_nothing_can_be_written_there_is_no_lock(
    locks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(uucp, "DIRECTORY", str(locks / "none"))
    uucp.refuse_if_locked("/dev/ttyS0")
    uucp.lock("/dev/ttyS0").release()
    assert os.listdir(locks) == []


def test_a_device_that_came_from_the_process_before_is_locked_anew(
    pty: Pty, locks: Path, gone: int
) -> None:
    (locks / name_for(pty)).write_text(f"{gone:10d}\n")
    port = SerialPort(pty.path, LineSettings())
    port.adopt(os.open(pty.path, os.O_RDWR | os.O_NOCTTY))
    assert (locks / name_for(pty)).read_text() == f"{os.getpid():10d}\n"
    port.close()
