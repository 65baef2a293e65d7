"""Keeps a port's device open: finds it, opens it, and opens it again when it comes back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Final

from gatewayd.device.match import find, has_identity, same_device
from gatewayd.device.scan import SerialDevice
from gatewayd.device.watch import RETRY, DeviceWatch
from gatewayd.errors import DeviceAbsentError, DeviceBusyError, DeviceError
from gatewayd.line.gather import Gatherers
from gatewayd.line.opening import open_line
from gatewayd.line.serial_line import SerialPortLine
from gatewayd.log import Happening, note
from gatewayd.port.phase import Cue
from gatewayd.port.port import Port
from gatewayd.service.store import Store

RETRY_S: Final = (0.5, 10.0)
"""First and last delay between two tries on a device that is there and cannot be opened; nothing
tells when another process lets go of it."""

_HAPPENINGS: Final = {
    Cue.NOT_THERE: Happening.DEVICE_ABSENT,
    Cue.HELD: Happening.DEVICE_BUSY,
    Cue.REFUSED: Happening.DEVICE_FAILED,
}


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
        port.on_lost = self._lost

    def start(self) -> None:
        """Look for the device now, and whenever something happens to it."""
        self._watch.watch(self, self.port.config.device, self.look)
        if self.port.line is None:
            self.look()

    def adopt(self, line: SerialPortLine) -> None:
        """Go on with a device that another process opened."""
        self.port.move(Cue.TRY, "being taken over")
        self.port.move(Cue.OPENED)
        self._note(Happening.DEVICE_READY, "%s taken over, %s", line.path, line.settings())
        self._store.device(self.port.name, line.fileno())
        with contextlib.suppress(DeviceError):
            self._found = find(self.port.config.device, self._watch.devices())
        self.port.opened(line, adopted=True)

    def look(self) -> None:
        """The device may be there by now."""
        if isinstance(self.port.line, SerialPortLine):
            self.port.line.look()
            return
        if self._task is not None:
            self._again = True
            return
        self._cancel_retry()
        if self.port.move(Cue.TRY, "being opened"):
            device = self.port.config.device
            self._note(Happening.DEVICE_OPENING, "opening %s", device, level=logging.DEBUG)
        self._task = asyncio.get_running_loop().create_task(self._open())

    async def stop(self) -> None:
        """Give the device back."""
        self._watch.forget(self)
        self._cancel_retry()
        self.port.on_lost = None
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._store.device(self.port.name, None)
        closed = asyncio.Event()
        self.port.release(closed.set)
        await closed.wait()

    async def _open(self) -> None:
        port = self.port
        self._again = False
        try:
            found = find(port.config.device, self._watch.devices())
            path = found.path if isinstance(found, SerialDevice) else found
            line = await open_line(
                path, port.settling.wanted, port.settling.policies, port, self.gatherers
            )
        except DeviceAbsentError as error:
            self._failed(Cue.NOT_THERE, error)
        except DeviceBusyError as error:
            self._failed(Cue.HELD, error)
        except DeviceError as error:
            self._failed(Cue.REFUSED, error)
        else:
            self._task = self._told = None
            self._delay = RETRY_S[0]
            same = self._is_same(found)
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
        if self._told != (cue, str(error)):
            # Another try that ends as the last one did is no news.
            self._told = (cue, str(error))
            self._note(_HAPPENINGS[cue], "%s", error, level=logging.WARNING)
        if self._again:
            self.look()
        elif cue is not Cue.NOT_THERE or not self._watch.available:
            delay = RETRY if cue is Cue.NOT_THERE else self._delay
            self._delay = min(2 * self._delay, RETRY_S[1])
            self._retry = asyncio.get_running_loop().call_later(delay, self.look)

    def _lost(self) -> None:
        self._store.device(self.port.name, None)
        # It may be back already, or never have gone: a hang-up is not an unplug.
        self._retry = asyncio.get_running_loop().call_later(RETRY_S[0], self.look)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _note(
        self, happening: Happening, message: str, *args: object, level: int = logging.INFO
    ) -> None:
        device = str(self.port.config.device)
        note(happening, message, *args, level=level, port=self.port.name, device=device)
