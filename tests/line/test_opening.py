"""Opening a line: what can go wrong, and what is said then."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from gatewayd.errors import DeviceAbsentError, DeviceBusyError, DeviceError
from gatewayd.line import opening
from gatewayd.line.model import LineSettings, Parity, SignalPolicies
from gatewayd.line.opening import open_line
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.line.serial_port import SerialPort
from tests.line.descriptors import open_descriptors
from tests.line.pty import Pty
from tests.line.recorder import Recorder


def refusal(path: str) -> DeviceError:
    """The error that opening `path` ends with."""
    with pytest.raises(DeviceError) as caught:
        asyncio.run(open_line(path, LineSettings(), SignalPolicies(), Recorder()))
    return caught.value


def test_a_link_is_followed(pty: Pty, tmp_path: Path) -> None:
    link = tmp_path / "scope"
    link.symlink_to(pty.path)

    async def scenario() -> None:
        recorder = Recorder()
        wanted = LineSettings(baudrate=31250, parity=Parity.EVEN)
        line = await open_line(str(link), wanted, SignalPolicies(), recorder)
        assert line.path == str(link)
        assert line.settings() == wanted
        await pty.write(b"here")
        await recorder.until(lambda: recorder.data == b"here")
        closed = asyncio.Event()
        line.close(closed.set)
        await closed.wait()

    asyncio.run(scenario())


def test_what_is_not_there_is_absent(tmp_path: Path) -> None:
    error = refusal("/dev/serial/by-id/none")
    assert isinstance(error, DeviceAbsentError)
    assert str(error) == "/dev/serial/by-id/none: no such device"
    dangling = tmp_path / "unplugged"
    dangling.symlink_to("/dev/ttyUSB999")
    assert isinstance(refusal(str(dangling)), DeviceAbsentError)


def test_a_device_in_use_is_busy(pty: Pty) -> None:
    port = SerialPort(pty.path, LineSettings())
    port.open()
    assert isinstance(refusal(pty.path), DeviceBusyError)
    port.close()


def test_what_is_no_tty_is_refused_and_said_to_be_what_it_is(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        for name, kind in (("file", "a file"), ("pipe", "a pipe"), ("socket", "a socket")):
            assert f"is {kind}, not a serial device" in str(refusal(str(tmp_path / name)))
    assert "is a directory" in str(refusal(str(tmp_path)))
    assert "not a serial device" in str(refusal(os.devnull))
    assert "is the maker of pseudo terminals" in str(refusal("/dev/ptmx"))
    (tmp_path / "link").symlink_to("/dev/tty")
    assert "is the terminal of whoever opens it" in str(refusal(str(tmp_path / "link")))


def test_a_permission_that_lacks_names_the_group(pty: Pty) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody else")
    os.chmod(pty.path, 0o660)
    os.chown(pty.path, 0, 20)
    script = (
        "import os, sys; from gatewayd.line.opening import open_port;"
        "from gatewayd.line.model import *; os.setgroups([]); os.setgid(65534); os.setuid(65534)\n"
        "try: open_port(sys.argv[1], LineSettings(), SignalPolicies())\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, pty.path], capture_output=True, check=True, text=True
    ).stdout
    assert said == (
        f"DeviceError {pty.path}: permission denied; user nobody is not in group dialout "
        "(sudo usermod -aG dialout nobody, then log in again)\n"
    )


async def when_free(path: str) -> SerialPortLine:
    """Open `path`, again and again as long as it is busy."""
    while True:
        try:
            return await open_line(path, LineSettings(), SignalPolicies(), Recorder())
        except DeviceBusyError:
            await asyncio.sleep(0)


def test_a_cancelled_open_leaves_nothing_open(pty: Pty, monkeypatch: pytest.MonkeyPatch) -> None:
    """The thread that opens is held up until the cancellation has happened."""
    entered, go_on, opened = threading.Event(), threading.Event(), threading.Event()
    open_port = opening.open_port

    def slow(*args: object) -> object:
        entered.set()
        assert go_on.wait(5)
        try:
            return open_port(*args)  # type: ignore[arg-type]
        finally:
            opened.set()

    monkeypatch.setattr(opening, "open_port", slow)

    async def scenario() -> None:
        loop = asyncio.get_running_loop()
        before = {target for _name, target in open_descriptors()}
        task = asyncio.ensure_future(
            open_line(pty.path, LineSettings(), SignalPolicies(), Recorder())
        )
        await loop.run_in_executor(None, entered.wait, 5)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        go_on.set()
        await loop.run_in_executor(None, opened.wait, 5)
        # The device is free again as soon as the late port has been closed.
        monkeypatch.setattr(opening, "open_port", open_port)
        async with asyncio.timeout(5):
            line = await when_free(pty.path)
        closed = asyncio.Event()
        line.close(closed.set)
        await closed.wait()
        assert {target for _name, target in open_descriptors()} - before == set()

    asyncio.run(scenario())
