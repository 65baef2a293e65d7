"""A gateway in one process after another, in the test's own loops: a manager keeps what each leaves
for the next. The devices are simulated, and stay as they are when their process goes.

A restart is a new loop: what the process before had set in motion is over, as with a real one.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import signal
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import Any, ClassVar, Final, NamedTuple, Protocol

import pytest

from gatewayd.config.schema import Config
from gatewayd.errors import DeviceAbsentError
from gatewayd.line.api import LineEvents
from gatewayd.line.model import LineSettings, Signal, SignalPolicies, SignalPolicy
from gatewayd.line.pending import Pending
from gatewayd.port.chronicle import Chronicle
from gatewayd.port.event import EventKind
from gatewayd.port.holder import Holder
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.service import adoption, handover, keeper, reload, systemd
from gatewayd.service.daemon import Daemon
from gatewayd.service.gateway import Gateway
from gatewayd.service.loop import GatewayLoop
from tests.port.desk import Watched
from tests.sim.line import SimLine
from tests.until import PATIENCE, turning, until

KERNEL: Final = 64
"""Bytes of a device's queue that the driver has taken; the rest is in the process."""


Step = tuple[str, int]
"""What is done, and a number for whom or how much; `restart` is a step as well."""


class Past(Protocol):
    """A history, in one process after another."""

    lives: Ports

    def look(self) -> None:
        """See that all is as it must be."""

    async def does(self, step: str, number: int) -> None:
        """One step of it."""

    def ended(self) -> None:
        """A process is over, and the next one goes on."""

    async def ends(self) -> None:
        """All go, and the books are closed."""

    def close(self) -> None:
        """End what is left, also after a failure."""


class Opened(NamedTuple):
    """A device that was opened, or taken over."""

    path: str
    file: int

    def close(self) -> None:
        os.close(self.file)


class Device(Watched):
    """A simulated line that is opened by a path, and stays as it is when its process goes."""

    left: ClassVar[dict[str, SimLine]] = {}
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
        super().__init__(asyncio.get_running_loop(), events, settings=settings)
        self.path, self._file = opened
        self.released = opened.close
        self.hangs: Pending | None = None
        before = Device.left.pop(opened.path, None)
        if before is not None:
            self.inherit(before, KERNEL)

    def obey(self, policies: SignalPolicies) -> None:
        """Have DTR and RTS as a line that is opened so."""
        for signal_, policy in ((Signal.DTR, policies.dtr), (Signal.RTS, policies.rts)):
            if policy is SignalPolicy.ON:
                self.set_signals(signal_, Signal.NONE)
            elif policy is SignalPolicy.OFF:
                self.set_signals(Signal.NONE, signal_)

    def fileno(self) -> int:
        """Something to keep."""
        return self._file

    def look(self) -> None:
        """It is there."""

    def pending(self) -> bytes:
        """What the driver has not taken."""
        return bytes(self.sender.queue[KERNEL:])

    def detach(self) -> None:
        """Another process goes on."""
        Device.left[self.path] = self.leave()
        self.released()


class Lives:
    """What runs is made by `make`, and `opening` is what becomes of a device that is opened: a
    subclass has both."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.kept: dict[str, list[int]] = {}
        """What the manager has."""
        self._runner: asyncio.Runner | None = None
        self._task: asyncio.Task[None]
        self.daemon: Daemon
        self.changed: asyncio.Event
        """Set when a session came or went, or a device changed its state."""
        self.driver: asyncio.Event
        """Set when the driver takes no more time for something."""
        Device.left.clear()
        for module in (keeper, handover, adoption):
            monkeypatch.setattr(module, "SerialPortLine", Device)
        monkeypatch.setattr(keeper, "open_line", self.open_line)
        monkeypatch.setattr(adoption, "adopt_port", lambda fd, path: (Opened(path, fd), None))
        monkeypatch.setattr(systemd, "under_systemd", lambda: True)
        monkeypatch.setattr(systemd, "store", self._store)
        monkeypatch.setattr(systemd, "unstore", self.unstore)
        monkeypatch.setattr(systemd, "listen_fds", self._pass)

    def make(self) -> Daemon:
        """The next process."""
        raise NotImplementedError

    async def open_line(
        self,
        path: str,
        settings: LineSettings,
        policies: SignalPolicies,
        events: LineEvents,
        gatherers: object = None,
    ) -> Device:
        """See `gatewayd.line.opening.open_line`."""
        await self.opening(path)
        device = Device(Opened(path, os.open(path, os.O_RDONLY)), events, None, settings)
        device.obey(policies)
        self.opened(device)
        return device

    async def opening(self, path: str) -> None:
        """Wait as long as the driver takes to open it. Raises DeviceError."""
        raise NotImplementedError

    def opened(self, device: Device) -> None:
        """It is open."""

    @property
    def gateway(self) -> Gateway:
        """All ports."""
        return self.daemon.gateway

    @property
    def runs(self) -> bool:
        """Whether there is a process."""
        return self._runner is not None

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
        ready = asyncio.Event()
        self.changed, self.driver = asyncio.Event(), asyncio.Event()

        async def served() -> None:
            ready.set()

        self.daemon = self.make()
        self._task = asyncio.get_running_loop().create_task(self.daemon.serve(served))
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
            if not self._task.done():
                signal.raise_signal(signal.SIGTERM)
            async with asyncio.timeout(PATIENCE):
                await self._task

        runner, self._runner = self._runner, None
        try:
            runner.run(end())
        finally:
            runner.close()

    def close(self) -> None:
        """End all, and keep nothing."""
        try:
            self.stop()
        finally:
            for name in tuple(self.kept):
                self.unstore(name)
            Device.left.clear()

    async def until(self, condition: Callable[[], object]) -> None:
        """Let the loop turn until `condition` holds."""
        await turning(condition)

    # ---- the manager

    def _store(self, name: str, *fds: int) -> bool:
        self.kept.setdefault(name, []).extend(os.dup(fd) for fd in fds)
        return bool(fds)

    def unstore(self, name: str) -> bool:
        """Keep it no more."""
        for fd in self.kept.pop(name, []):
            os.close(fd)
        return True

    def _pass(self) -> dict[str, list[int]]:
        return {name: [os.dup(fd) for fd in fds] for name, fds in self.kept.items()}


def lived(make: Callable[[pytest.MonkeyPatch], Past], history: Iterable[Step]) -> None:
    """Go through a history, which leaves nothing open."""
    before = len(os.listdir("/proc/self/fd"))
    with pytest.MonkeyPatch.context() as monkeypatch:
        past = make(monkeypatch)
        try:
            past.lives.live(history, past)
        finally:
            past.close()
    assert len(os.listdir("/proc/self/fd")) == before


class Ports(Lives):
    """Ports of a `Config` that has no file. The device of each is a path, and there unless the test
    says otherwise."""

    def __init__(self, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(monkeypatch)
        monkeypatch.setattr(keeper, "RETRY_S", (0.02, 0.1))
        self.config = config
        self.away: set[str] = set()
        """Devices that are not there."""
        self.slow: set[str] = set()
        """Devices whose driver takes its time to open them."""
        self.heard: dict[str, list[bytearray]] = {}
        """What came to each device, for each time that it was plugged in."""
        self.seated: dict[str, list[str]] = {}
        """By port, who held it, one after the other, by address."""
        session = Chronicle.session

        def told(
            chronicle: Chronicle, kind: EventKind, client: Holder, *args: str, **more: Any
        ) -> None:
            session(chronicle, kind, client, *args, **more)
            if kind is EventKind.SESSION_OPENED:
                assert isinstance(client, Session)
                assert not client.only_watches
                seated = self.seated.setdefault(client.port.name, [])
                seated.append(client.peername.partition(" ")[0])

        # From the first moment of each process, in which some come back.
        monkeypatch.setattr(Chronicle, "session", told)

    def make(self) -> Daemon:
        """The next process."""
        return Daemon(self.config, None)

    async def put_in_force(self, config: Config) -> None:
        """Have another configuration from now on, as a reload does."""
        await reload.apply(self.gateway, self.config, config)
        self.config = config

    async def opening(self, path: str) -> None:
        await until(lambda: path not in self.slow, self.driver)
        if path in self.away:
            raise DeviceAbsentError(f"{path}: no such device")

    def opened(self, device: Device) -> None:
        self.heard.setdefault(device.path, []).append(device.sent)

    def live(self, history: Iterable[Step], past: Past) -> None:
        """Go through a history; `restart` in it begins another process."""
        processes: list[list[Step]] = [[]]
        for step in history:
            if step[0] == "restart":
                processes.append([])
            else:
                processes[-1].append(step)

        async def process(steps: list[Step]) -> None:
            past.look()
            for step, number in steps:
                await past.does(step, number)

        *former, last = processes
        for steps in former:
            self.run(partial(process, steps))
            self.stop()
            past.ended()
        self.run(partial(process, last))
        self.run(past.ends)

    def judge(self, name: str, heard: Iterable[int], marks: Mapping[str, int]) -> None:
        """See that each wrote to a port's device in its turn; `heard` are marks as they came
        there, `marks` is whose is which, by address."""
        turns = iter([marks[peername] for peername in self.seated.get(name, ())])
        runs = [mark for mark, _ in itertools.groupby(heard)]
        assert all(mark in turns for mark in runs), "one wrote out of turn"

    def port(self, name: str) -> Port:
        """A port as it is served now."""
        return self.gateway.served[name].port

    def device(self, name: str) -> Device | None:
        """The device of a port, while it is open."""
        line = self.port(name).line
        assert line is None or isinstance(line, Device)
        return line

    def _path(self, name: str) -> str:
        return str(self.port(name).config.device)

    async def unplug(self, name: str) -> int:
        """Take an open device away; how many bytes were in it."""
        device = self.device(name)
        assert device is not None
        self.away.add(self._path(name))
        unsent = device.unsent()
        device.unplug()
        await self.until(lambda: self.port(name).line is None)
        return unsent

    def tries(self, name: str) -> None:
        """Somebody looks for a device, and has to wait."""
        self.slow.add(self._path(name))
        self.gateway.served[name].keeper.look()

    async def opens(self, name: str) -> None:
        """The device is there, and open."""
        self.away.discard(self._path(name))
        self.slow.discard(self._path(name))
        self.driver.set()
        self.gateway.served[name].keeper.look()
        await self.until(lambda: self.port(name).line is not None)
