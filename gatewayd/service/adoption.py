"""Devices that another process left open: each is taken over in a thread of its own."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Final

from gatewayd.config.schema import PortConfig
from gatewayd.device.match import find
from gatewayd.device.scan import SerialDevice, scan
from gatewayd.errors import DeviceError
from gatewayd.line import ioctls
from gatewayd.line.model import LineSettings
from gatewayd.line.probing import Found, adopt_port
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.line.serial_port import SerialPort
from gatewayd.line.worker import Worker
from gatewayd.log import Happening, note
from gatewayd.service.keeper import Keeper
from gatewayd.service.store import Store

ADOPT_S: Final = 1.0
"""How long all wait for the devices that were left open; one that takes longer is stuck."""


class Adoption:
    """The devices by port, each taken over or not, until a keeper has it or it is closed."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._taken: dict[str, tuple[str, Worker[tuple[SerialPort, Found]]]] = {}

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._left or self._taken)

    def add(self, port: str, fd: int) -> None:
        """One that was left."""
        self._left[port] = fd

    async def take(self, ports: Mapping[str, PortConfig]) -> None:
        """Take over those that the ports still have. Nobody waits longer than `ADOPT_S`."""
        loop = asyncio.get_running_loop()
        devices: Sequence[SerialDevice] = ()
        if self._left:
            # Without room to look, they are opened anew.
            with contextlib.suppress(OSError):
                devices = scan()
        for name, fd in tuple(self._left.items()):
            path = _path(ports[name], devices) if name in ports else ""
            if not _same(path, fd):
                continue
            try:
                taking = Worker(loop, partial(_adopt, fd, path), _give_up)
            except RuntimeError as error:
                _not_taken(name, error)
                continue
            del self._left[name]
            self._taken[name] = path, taking
        if self._taken:
            await asyncio.wait([one.done for _, one in self._taken.values()], timeout=ADOPT_S)

    def give(self, keeper: Keeper, settings: LineSettings | None, store: Store) -> None:
        """Give a keeper the device of its port, if it was taken; `settings` are those last asked
        for."""
        port = keeper.port
        path, taking = self._taken.pop(port.name, ("", None))
        if taking is None:
            return
        if not taking.done.done():
            taking.done.cancel()
            store.device(port.name, None)
            keeper.leave(path, taking.back)
            return
        try:
            serial_port, found = taking.done.result()
        except Exception as error:  # noqa: BLE001 - whatever it is, the keeper opens it anew
            _not_taken(port.name, error)
            return
        keeper.adopt(SerialPortLine(serial_port, port, found, settings, keeper.gatherers))

    def close(self, store: Store) -> None:
        """Close what nobody took."""
        for port, fd in self._left.items():
            store.device(port, None)
            _close_apart(fd)
        self._left.clear()


def _path(port: PortConfig, devices: Sequence[SerialDevice]) -> str:
    """Where the device of a port is; "" where it is nowhere, or might be several."""
    try:
        found = find(port.device, devices)
    except DeviceError:
        return ""
    return found.path if isinstance(found, SerialDevice) else found


def _same(path: str, fd: int) -> bool:
    """Whether both are one device. Not by the name of the descriptor: that is of the mount
    namespace in which it was opened, which may be gone."""
    try:
        return os.stat(path).st_rdev == os.fstat(fd).st_rdev
    except OSError:
        return False


def _adopt(fd: int, path: str) -> tuple[SerialPort, Found]:
    try:
        return adopt_port(fd, path)
    except BaseException:
        _close(fd)
        raise


def _not_taken(port: str, error: Exception) -> None:
    note(Happening.FAULT, "cannot take its device over: %s", error, port=port)


def _give_up(adopted: tuple[SerialPort, Found]) -> None:
    adopted[0].close()


def _close(fd: int) -> None:
    """Close a tty, and let others open it: the manager may have its copy."""
    with contextlib.suppress(OSError):
        ioctls.set_exclusive(fd, False)
        fcntl.flock(fd, fcntl.LOCK_UN)
    with contextlib.suppress(OSError):
        os.close(fd)


def _close_apart(fd: int) -> None:
    # The driver may take its time, and the end of the program does not wait for it.
    thread = threading.Thread(target=_close, args=(fd,), daemon=True)
    try:
        thread.start()
    except RuntimeError:
        _close(fd)
