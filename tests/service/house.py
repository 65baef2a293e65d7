"""The daemon with a file, and a port on a simulated device of which every phase can be had, each as
long as the test likes; and restarts, see `tests.service.lives`."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Final

import pytest

from gatewayd.advertise.services import Service
from gatewayd.config.load import load
from gatewayd.errors import DeviceAbsentError, DeviceBusyError, DeviceError
from gatewayd.line.opening import StuckError
from gatewayd.line.pending import Pending
from gatewayd.port import arbiter, farewell, reception
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.record import recorder
from gatewayd.service import advertising, handover
from gatewayd.service.daemon import Daemon
from gatewayd.service.gateway import Served
from tests.net.stand import Client
from tests.ports import free_ports
from tests.service.lives import Device, Lives
from tests.until import PATIENCE, until

NUMBERS: Final = ("rfc2217", "raw", "one", "other")
REFUSALS: Final = {Phase.BUSY: DeviceBusyError, Phase.FAILED: DeviceError}
"""How opening the device ends in the phases that come of it."""


class Publisher:
    """Keeps what would be told on the network."""

    def __init__(
        self,
        published: dict[str, tuple[Service, ...]],
        loop: asyncio.AbstractEventLoop,
        running: Callable[[], None],
    ) -> None:
        self.host: str | None = None
        self._published = published
        self._loop = loop
        self._running = running

    def start(self) -> None:
        self.host = "pi"
        self._loop.call_soon(self._running)

    def publish(self, key: str, services: tuple[Service, ...]) -> None:
        self._published[key] = services

    def stop(self) -> None:
        self.host = None
        self._published.clear()


class House(Lives):
    """`keys` are those of the port `psu1` as they are in the file, `top` those of the gateway;
    `names` are what they may have in braces."""

    def __init__(
        self,
        directory: Path,
        monkeypatch: pytest.MonkeyPatch,
        *,
        top: Mapping[str, str] | None = None,
        keys: Mapping[str, str] | None = None,
    ) -> None:
        numbers = [str(number) for number in free_ports(4)]
        self.names = {"directory": str(directory), **dict(zip(NUMBERS, numbers, strict=True))}
        self.directory = directory
        self.file = directory / "gatewayd.yaml"
        self.top = {
            "control": "{directory}/control",
            "record": "{{directory: '{directory}/here'}}",
            **(top or {}),
        }
        self.keys = {
            "device": "{directory}/one",
            "rfc2217": "{rfc2217}",
            "raw": "{raw}",
            **(keys or {}),
        }
        self.published: dict[str, tuple[Service, ...]] = {}
        """What is told on the network."""
        self.clients: list[Client] = []
        self.tried: list[str] = []
        """The devices that were to be opened, one after the other."""
        self.busy = False
        """Whether the driver takes its time to open it."""
        self.refused: type[DeviceError] | None = None
        """How opening it ends, if not with an open device."""
        self.stuck: Pending | None = None
        """Done when the driver comes back."""
        self._begun = False
        super().__init__(monkeypatch)
        # Nobody here is slow, and somebody waits for each of these.
        monkeypatch.setattr(arbiter, "YOUNG_S", 0.02)
        monkeypatch.setattr(farewell, "QUIET_S", 0.05)
        monkeypatch.setattr(farewell, "TICK_S", 0.01)
        monkeypatch.setattr(reception, "HANG_UP_S", 0.02)
        monkeypatch.setattr(handover, "SETTLE_S", 0.05)
        monkeypatch.setattr(advertising, "SETTLE_S", 0.0)
        monkeypatch.setattr(recorder, "FLUSH_S", 0.01)
        publisher = ModuleType("gatewayd.advertise.publisher")
        vars(publisher)["Publisher"] = partial(Publisher, self.published)
        monkeypatch.setitem(sys.modules, publisher.__name__, publisher)

    # ---- the process

    def make(self) -> Daemon:
        """The next process."""
        self.write()
        if not self._begun:
            self.node.touch()
        self._begun = True
        return Daemon(load(str(self.file)), str(self.file))

    def close(self) -> None:
        """End all, and keep nothing."""
        for client in self.clients:
            client.closes()
        super().close()

    # ---- the file

    def value(self, key: str) -> str:
        """What a key of the port is in the file."""
        return self.keys[key].format(**self.names)

    def write(self) -> None:
        """Have the file say what `top` and `keys` do."""
        top = "".join(f"{key}: {value}\n" for key, value in self.top.items())
        keys = "".join(f"    {key}: {value}\n" for key, value in self.keys.items())
        text = f"{top}ports:\n  psu1:\n{keys}".format(**self.names)
        self.file.write_text(f"version: 1\n{text}")

    def change(self, key: str, value: str, *, top: bool = False) -> None:
        """Have another value of a key of the port, or of the gateway, in the file."""
        (self.top if top else self.keys)[key] = value
        if self.runs:
            self.write()

    async def reload(self) -> None:
        """Put the file in force."""
        await self.daemon.reload()

    # ---- what is served

    @property
    def served(self) -> Served:
        return self.gateway.served["psu1"]

    @property
    def port(self) -> Port:
        return self.served.port

    @property
    def device(self) -> Device:
        """The device as it is open."""
        line = self.port.line
        assert isinstance(line, Device)
        return line

    def connect(
        self, face: str = "raw", number: int | None = None, *, receive_buffer: int | None = None
    ) -> Client:
        """A client that has connected."""
        number = number or int(self.value(face).strip("'").rpartition(":")[2])
        sock = socket.socket()
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.settimeout(PATIENCE)
        sock.connect(("127.0.0.1", number))
        sock.setblocking(False)
        client = Client(sock)
        self.clients.append(client)
        return client

    # ---- the device

    @property
    def node(self) -> Path:
        """What is there when the device is."""
        return Path(self.value("device"))

    async def opening(self, path: str) -> None:
        self.tried.append(path)
        if not self.node.exists():
            raise DeviceAbsentError(f"{path}: no such device")
        await until(lambda: not self.busy, self.driver)
        if self.stuck is not None:
            raise StuckError(path, self.stuck)
        if self.refused is not None:
            raise self.refused(f"{path}: cannot be opened")

    async def reach(self, phase: Phase) -> None:
        """Wait for a phase of the device."""
        await self.until(lambda: self.port.phase is phase)

    async def come(self, phase: Phase) -> None:
        """Have the device come to a phase, from whichever it is in."""
        if self.port.phase is phase:
            return
        if phase is Phase.ABSENT:
            self.node.unlink()
            if self.port.line is not None:
                self.device.unplug()
                await self.reach(phase)
                return
        if phase is Phase.OPENING:
            self.busy = True
        if phase is Phase.STUCK:
            self.stuck = Pending()
        if phase in REFUSALS:
            self.refused = REFUSALS[phase]
        if phase is Phase.READY:
            self._driver_works()
        if phase is not Phase.ABSENT:
            self.node.touch()
        if self.port.phase is not Phase.OPENING:
            self.served.keeper.look()
        await self.reach(phase)

    def _driver_works(self) -> None:
        self.busy, self.refused = False, None
        self.driver.set()
        stuck, self.stuck = self.stuck, None
        if stuck is not None:
            stuck.finish()
