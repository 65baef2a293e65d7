"""The daemon in the test's own loop, with ports on simulated devices, and a manager that keeps what
it leaves: every phase of a device can be had, each as long as the test likes, and a restart too.

A restart is a new loop: what the process before had set in motion is over, as with a real one.
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Final, NamedTuple

import pytest

from gatewayd.advertise.services import Service
from gatewayd.config.load import load
from gatewayd.errors import DeviceAbsentError, DeviceBusyError, DeviceError
from gatewayd.line.api import LineEvents
from gatewayd.line.model import LineSettings, Signal, SignalPolicies, SignalPolicy
from gatewayd.line.opening import StuckError
from gatewayd.line.pending import Pending
from gatewayd.port import arbiter, farewell, reception
from gatewayd.port.phase import Phase
from gatewayd.port.port import Port
from gatewayd.record import recorder
from gatewayd.service import adoption, advertising, daemon, handover, keeper, systemd
from gatewayd.service.gateway import Gateway, Served
from gatewayd.service.loop import GatewayLoop
from tests.interop.gateway import free_ports
from tests.net.stand import Client
from tests.port.desk import Watched

PATIENCE: Final = 20.0
NUMBERS: Final = ("rfc2217", "raw", "one", "other")
KERNEL: Final = 64
"""Bytes of a device's queue that the driver has taken; the rest is in the process."""
REFUSALS: Final = {Phase.BUSY: DeviceBusyError, Phase.FAILED: DeviceError}
"""How opening the device ends in the phases that come of it."""


class Opened(NamedTuple):
    """A device that was opened, or taken over."""

    path: str
    file: int

    def close(self) -> None:
        os.close(self.file)


class Device(Watched):
    """A simulated line that is opened by a path, and stays as it is when its process goes."""

    left: ClassVar[dict[str, Device]] = {}
    """By path, what a process has left behind."""

    def __init__(
        self,
        opened: Opened,
        events: LineEvents,
        _found: object,
        settings: LineSettings | None,
        _gatherers: object = None,
    ) -> None:
        """Takes it over, and goes on with what the process before has left."""
        before = Device.left.pop(opened.path, None)
        settings = settings if before is None else before._settings
        super().__init__(asyncio.get_running_loop(), events, settings=settings)
        self.path, self._file = opened
        self.hangs: Pending | None = None
        if before is not None:
            self.sent, self._queue = before.sent, before._queue[:KERNEL]
            self._outputs, self._inputs = before._outputs, before._inputs
            self._break, self._stuck = before._break, before._stuck
            self._receiver = before._receiver
            self._soon(self._read)
            self._soon(self._send_on)

    def obey(self, policies: SignalPolicies) -> None:
        """Have DTR and RTS as a line that is opened so."""
        for signal_, policy in ((Signal.DTR, policies.dtr), (Signal.RTS, policies.rts)):
            if policy is SignalPolicy.ON:
                self._outputs |= signal_
            elif policy is SignalPolicy.OFF:
                self._outputs &= ~signal_

    def fileno(self) -> int:
        """Something to keep."""
        return self._file

    def look(self) -> None:
        """It is there."""

    def pending(self) -> bytes:
        """What the driver has not taken."""
        return bytes(self._queue[KERNEL:])

    def detach(self) -> None:
        """Another process goes on."""
        self._stop_piece()
        self._drained = None
        self._events = None
        self._over = True
        Device.left[self.path] = self
        os.close(self._file)

    def close(self, closed: Callable[[], None] | None = None) -> None:
        """See `api.Line`."""
        if not self._over:
            os.close(self._file)
        super().close(closed)

    @property
    def breaking(self) -> bool:
        """Whether break is on."""
        return self._break

    @property
    def outputs(self) -> Signal:
        """DTR and RTS."""
        return self._outputs


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


class House:
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
        self.opened: list[str] = []
        self.busy = False
        """Whether the driver takes its time to open it."""
        self.refused: type[DeviceError] | None = None
        """How opening it ends, if not with an open device."""
        self.stuck: Pending | None = None
        """Done when the driver comes back."""
        self.kept: dict[str, list[int]] = {}
        """What the manager has."""
        self._begun = False
        self._runner: asyncio.Runner | None = None
        self._task: asyncio.Task[None]
        self._daemon: daemon.Daemon
        self.changed: asyncio.Event
        Device.left.clear()
        for module in (keeper, handover, adoption):
            monkeypatch.setattr(module, "SerialPortLine", Device)
        monkeypatch.setattr(keeper, "open_line", self._open_line)
        monkeypatch.setattr(adoption, "adopt_port", lambda fd, path: (Opened(path, fd), None))
        # Nobody here is slow, and somebody waits for each of these.
        monkeypatch.setattr(arbiter, "YOUNG_S", 0.02)
        monkeypatch.setattr(farewell, "QUIET_S", 0.05)
        monkeypatch.setattr(farewell, "TICK_S", 0.01)
        monkeypatch.setattr(reception, "HANG_UP_S", 0.02)
        monkeypatch.setattr(handover, "SETTLE_S", 0.05)
        monkeypatch.setattr(advertising, "SETTLE_S", 0.0)
        monkeypatch.setattr(recorder, "FLUSH_S", 0.01)
        monkeypatch.setattr(systemd, "under_systemd", lambda: True)
        monkeypatch.setattr(systemd, "store", self._store)
        monkeypatch.setattr(systemd, "unstore", self._unstore)
        monkeypatch.setattr(systemd, "listen_fds", self._pass)
        publisher = ModuleType("gatewayd.advertise.publisher")
        vars(publisher)["Publisher"] = partial(Publisher, self.published)
        monkeypatch.setitem(sys.modules, publisher.__name__, publisher)

    # ---- the process

    def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do something while the daemon runs; it is started if it does not."""

        async def bounded() -> None:
            async with asyncio.timeout(2 * PATIENCE):
                if starts:
                    await self._start()
                await work()

        starts = self._runner is None
        self._runner = self._runner or asyncio.Runner(loop_factory=GatewayLoop)
        self._runner.run(bounded())

    async def _start(self) -> None:
        self.write()
        if not self._begun:
            self.node.touch()
        self._begun = True
        ready = asyncio.Event()
        self.changed = asyncio.Event()

        async def served() -> None:
            ready.set()

        self._daemon = daemon.Daemon(load(str(self.file)), str(self.file))
        self._task = asyncio.get_running_loop().create_task(self._daemon.serve(served))
        waiting = asyncio.ensure_future(ready.wait())
        await asyncio.wait({waiting, self._task}, return_when=asyncio.FIRST_COMPLETED)
        if self._task.done():
            self._task.result()
        self.gateway.port_observers.append(lambda _: self.changed.set())

    def stop(self) -> None:
        """SIGTERM, and the end of the process: the manager keeps what was handed over."""
        if self._runner is None:
            return

        async def end() -> None:
            signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                await self._task

        runner, self._runner = self._runner, None
        gateway = self.gateway
        served = tuple(gateway.served.values())
        sockets = [one._sock for port in served for _, one in port.connections()]
        sockets += [one.socket for port in served for one in (*port.listeners, *port.retired)]
        try:
            runner.run(end())
        finally:
            self._end_process(runner, gateway, sockets)

    def _end_process(
        self, runner: asyncio.Runner, gateway: Gateway, sockets: list[socket.socket]
    ) -> None:
        if gateway.desk is not None:
            gateway.desk.stop()
        gateway.sockets.close()
        gateway._watch.close()
        runner.close()
        # As the end of a process does; the manager has its copies.
        for sock in sockets:
            sock.close()

    def close(self) -> None:
        """End all, and keep nothing."""
        for client in self.clients:
            client.closes()
        try:
            self.stop()
        finally:
            for name in tuple(self.kept):
                self._unstore(name)
            Device.left.clear()

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
        if self._runner is not None:
            self.write()

    async def reload(self) -> None:
        """Put the file in force."""
        await self._daemon.reload()

    # ---- the manager

    def _store(self, name: str, *fds: int) -> bool:
        self.kept.setdefault(name, []).extend(os.dup(fd) for fd in fds)
        return bool(fds)

    def _unstore(self, name: str) -> bool:
        for fd in self.kept.pop(name, []):
            os.close(fd)
        return True

    def _pass(self) -> dict[str, list[int]]:
        return {name: [os.dup(fd) for fd in fds] for name, fds in self.kept.items()}

    # ---- what is served

    @property
    def gateway(self) -> Gateway:
        return self._daemon._gateway

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

    async def _open_line(
        self,
        path: str,
        settings: LineSettings,
        policies: SignalPolicies,
        events: LineEvents,
        _gatherers: object = None,
    ) -> Device:
        self.opened.append(path)
        if not self.node.exists():
            raise DeviceAbsentError(f"{path}: no such device")
        while self.busy:  # noqa: ASYNC110 - it is the test that works it
            await asyncio.sleep(0.001)
        if self.stuck is not None:
            raise StuckError(path, self.stuck)
        if self.refused is not None:
            raise self.refused(f"{path}: cannot be opened")
        device = Device(Opened(path, os.open(path, os.O_RDONLY)), events, None, settings)
        device.obey(policies)
        return device

    async def reach(self, phase: Phase) -> None:
        """Wait for a phase of the device."""
        await self.until(lambda: self.port.phase is phase)

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop work until `condition` holds."""
        async with asyncio.timeout(PATIENCE):
            while not condition():  # noqa: ASYNC110 - what it waits for tells nobody
                await asyncio.sleep(0.001)

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
        stuck, self.stuck = self.stuck, None
        if stuck is not None:
            stuck.finish()
