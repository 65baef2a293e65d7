"""Keeps a port's device open: finds it, opens it, and opens it again when it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from typing import Final

from gatewayd.device.match import find, has_identity, same_device
from gatewayd.device.scan import SerialDevice
from gatewayd.device.watch import RETRY, DeviceWatch
from gatewayd.errors import (
    DeviceAbsentError,
    DeviceBusyError,
    DeviceError,
    DeviceSilentError,
)
from gatewayd.line.gather import Gatherers
from gatewayd.line.opening import StuckError, open_line
from gatewayd.line.pending import Pending
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.log import Happening, note
from gatewayd.port.phase import Cue, Phase
from gatewayd.port.port import Port
from gatewayd.service.store import Store

RETRY_S: Final = (0.5, 10.0)
"""First and last delay between two tries on a device that is there and cannot be opened; nothing
tells when another process lets go of it."""

_HAPPENINGS: Final = {
    Cue.NOT_THERE: Happening.DEVICE_ABSENT,
    Cue.HELD: Happening.DEVICE_BUSY,
    Cue.REFUSED: Happening.DEVICE_FAILED,
    Cue.HANGS: Happening.DEVICE_FAILED,
}

CLOSE_S: Final = 3.5
"""Nobody waits longer for a device to close; what hangs then is left to its thread."""
MOST_HANGING: Final = 4
"""System calls that hang in the devices of one port; beyond that none is begun, so that a sick
driver costs so many threads at most."""

Node = tuple[int, int, int]


class Keeper:
    """Supplies one port with its line for as long as the port is served."""

    def __init__(self, port: Port, watch: DeviceWatch, store: Store, gatherers: Gatherers) -> None:
        self.port = port
        self.gatherers = gatherers
        self._store = store
        self._watch = watch
        self._task: asyncio.Task[None] | None = None
        self._again = False
        self._retry: asyncio.TimerHandle | None = None
        self._delay = RETRY_S[0]
        self._found: SerialDevice | str | None = None
        self._told: tuple[Cue, str] | None = None
        self._line: SerialPortLine | None = None
        self._node: Node | None = None
        """What the open device is, or was; it tells a new device from one that hangs."""
        self._watched = False
        self._hanging: list[tuple[Pending, Node | None]] = []
        port.on_lost = self._lost

    @property
    def device(self) -> SerialDevice | None:
        """What the port's device is known by, as it was found the last time; None for a path that
        is no device of the machine's."""
        return self._found if isinstance(self._found, SerialDevice) else None

    def start(self) -> None:
        """Look for the device now, and whenever something happens to it."""
        self._watched = True
        self._watch.watch(self, self.port.config.device, self.look)
        if self.port.line is None:
            self.look()

    def adopt(self, line: SerialPortLine) -> None:
        """Go on with a device that another process opened."""
        self.port.move(Cue.TRY, "being taken over")
        self.port.move(Cue.OPENED)
        self._note(Happening.DEVICE_READY, "%s taken over, %s", line.path, line.settings())
        self._store.device(self.port.name, line.fileno())
        with contextlib.suppress(DeviceError, OSError):
            self._found = find(self.port.config.device, self._watch.devices())
        self._line, self._node = line, _node(line.path)
        self.port.opened(line, adopted=True)

    def leave(self, path: str, back: Pending) -> None:
        """The device that another process opened does not come back from being taken over."""
        self._wait_for(back, _node(path))
        self._hangs(f"{path}: the driver does not come back from being asked how it is set")

    def look(self) -> None:
        """The device may be there by now."""
        if isinstance(self.port.line, SerialPortLine):
            self.port.line.look()
            return
        if self._task is not None:
            self._again = True
            return
        self._cancel_retry()
        if self._device_hangs():
            return
        if self.port.move(Cue.TRY, "being opened"):
            device = self.port.config.device
            self._note(Happening.DEVICE_OPENING, "opening %s", device, level=logging.DEBUG)
        self._task = asyncio.get_running_loop().create_task(self._open())

    async def stop(self) -> None:
        """Give the device back."""
        self._watched = False
        self._watch.forget(self)
        self._cancel_retry()
        self.port.on_lost = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._store.device(self.port.name, None)
        closed = asyncio.Event()
        self.port.release(closed.set)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(CLOSE_S):
                await closed.wait()

    def _device_hangs(self) -> bool:
        """Whether a system call still hangs in what would be opened now; then it is waited for."""
        self._hanging = [one for one in self._hanging if not one[0].done]
        if not self._hanging:
            return False
        node = None
        with contextlib.suppress(DeviceError, OSError):
            node = _node(_path(find(self.port.config.device, self._watch.devices())))
        if len(self._hanging) < MOST_HANGING and all(node != old for _, old in self._hanging):
            return False
        self._hangs(f"{self.port.config.device}: the driver does not come back")
        return True

    def _hangs(self, text: str) -> None:
        if self.port.phase is not Phase.STUCK:
            self.port.move(Cue.HANGS, text)
            self._tell(Cue.HANGS, text)

    def _wait_for(self, back: Pending, node: Node | None) -> None:
        self._hanging.append((back, node))
        back.then(self._came_back)

    def _came_back(self) -> None:
        if self.port.phase is Phase.STUCK and self._watched:
            self._look_later(self._next_delay())

    async def _open(self) -> None:
        port = self.port
        self._again = False
        path, node = "", None
        try:
            found = find(port.config.device, self._watch.devices())
            path = _path(found)
            node = _node(path)
            line = await open_line(
                path, port.settling.wanted, port.settling.policies, port, self.gatherers
            )
        except StuckError as error:
            self._wait_for(error.back, node)
            self._failed(Cue.HANGS, error)
        except DeviceAbsentError as error:
            self._failed(Cue.NOT_THERE, error)
        except DeviceBusyError as error:
            self._failed(Cue.HELD, error)
        except DeviceError as error:
            self._failed(Cue.REFUSED, error)
        except Exception as error:  # noqa: BLE001 - whatever it is, the port is tried again
            text = f"{path or port.config.device} cannot be opened: {error!r}"
            self._failed(Cue.REFUSED, DeviceError(text))
        else:
            self._task = self._told = None
            self._delay = RETRY_S[0]
            same = self._is_same(found)
            self._line, self._node = line, node
            port.move(Cue.OPENED)
            self._note(Happening.DEVICE_READY, "%s open, %s", path, line.settings())
            self._store.device(port.name, line.fileno())
            port.opened(line, same_device=same)

    def _is_same(self, found: SerialDevice | str) -> bool:
        """Whether this is certainly the device of last time."""
        before, self._found = self._found, found
        if before is None:
            # Nobody counts on it yet, unless a session came from the process before.
            return self.port.owner is None or has_identity(found)
        return same_device(before, found)

    def _failed(self, cue: Cue, error: DeviceError) -> None:
        self._task = None
        self.port.move(cue, str(error))
        self._tell(cue, str(error))
        told = self._watch.available and not isinstance(error, DeviceSilentError)
        if self._again:
            self.look()
        elif cue is Cue.HANGS or (cue is Cue.NOT_THERE and told):
            # It is known when there is something to do.
            return
        elif cue is Cue.NOT_THERE and not self._watch.available:
            self._look_later(RETRY)
        else:
            self._look_later(self._next_delay())

    def _tell(self, cue: Cue, text: str) -> None:
        if self._told != (cue, text):
            # Another try that ends as the last one did is no news.
            self._told = (cue, text)
            self._note(_HAPPENINGS[cue], "%s", text, level=logging.WARNING)

    def _next_delay(self) -> float:
        delay, self._delay = self._delay, min(2 * self._delay, RETRY_S[1])
        return delay

    def _look_later(self, delay: float) -> None:
        self._cancel_retry()
        self._retry = asyncio.get_running_loop().call_later(delay, self.look)

    def _lost(self) -> None:
        self._store.device(self.port.name, None)
        hangs = self._line.hangs if self._line is not None else None
        if hangs is not None:
            self._wait_for(hangs, self._node)
        if self.port.phase is Phase.STUCK:
            self._told = (Cue.HANGS, self.port.cause)
        if self.port.phase is not Phase.STUCK or hangs is None:
            # It may be back already, or never have gone: a hang-up is not an unplug, and a driver
            # may come back in the moment in which it is given up.
            self._look_later(RETRY_S[0])

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _note(
        self, happening: Happening, message: str, *args: object, level: int = logging.INFO
    ) -> None:
        device = str(self.port.config.device)
        note(happening, message, *args, level=level, port=self.port.name, device=device)


def _path(found: SerialDevice | str) -> str:
    return found.path if isinstance(found, SerialDevice) else found


def _node(path: str) -> Node | None:
    """What tells a node from the one that had its name before; None when nothing is there."""
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_rdev
