"""Lines of each kind with the far end in the test's hands, for the tests that all must pass."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest

from gatewayd.line import termios2
from gatewayd.line.api import Line
from gatewayd.line.model import LineSettings, SignalPolicies
from gatewayd.line.opening import open_line
from gatewayd.line.pending import Pending
from tests.line.pty import Pty
from tests.line.recorder import Recorder
from tests.sim.line import SimLine
from tests.until import turning


class Bench:
    """A line, who listens to it, and the device behind it."""

    line: Line
    recorder: Recorder

    async def device_sends(self, data: bytes) -> None:
        """Have the device send `data`."""
        raise NotImplementedError

    async def device_gets(self, size: int) -> bytes:
        """Wait for the next `size` bytes that left the line."""
        raise NotImplementedError

    def unplug(self) -> None:
        """Take the device away."""
        raise NotImplementedError

    async def done(self, begun: Pending | None) -> None:
        """Wait until what the line has begun is done."""
        if begun is not None:
            done = asyncio.Event()
            begun.then(done.set)
            async with asyncio.timeout(5):
                await done.wait()

    async def close(self) -> None:
        """Close the line and wait until it is free."""
        closed = asyncio.Event()
        self.line.close(closed.set)
        async with asyncio.timeout(5):
            await closed.wait()


class PtyBench(Bench):
    """A SerialPortLine on a PTY; the device is its master."""

    def __init__(self, pty: Pty) -> None:
        self.pty = pty
        self.recorder = Recorder()

    async def device_sends(self, data: bytes) -> None:
        await self.pty.write(data)

    async def device_gets(self, size: int) -> bytes:
        return await self.pty.read(size)

    def unplug(self) -> None:
        self.pty.hang_up()


class SimBench(Bench):
    """A SimLine on the event loop."""

    def __init__(self, settings: LineSettings) -> None:
        self.recorder = Recorder()
        loop = asyncio.get_running_loop()
        self.sim = SimLine(loop, self.recorder, settings=settings)
        self.line = self.sim

    async def device_sends(self, data: bytes) -> None:
        self.sim.receive(data)

    async def device_gets(self, size: int) -> bytes:
        await turning(lambda: len(self.sim.sent) >= size)
        data = bytes(self.sim.sent[:size])
        del self.sim.sent[:size]
        return data

    def unplug(self) -> None:
        self.sim.unplug()


OpenBench = Callable[[LineSettings], AbstractAsyncContextManager[Bench]]


@asynccontextmanager
async def pty_bench(settings: LineSettings) -> AsyncIterator[Bench]:
    """The line has the slave of a PTY to itself."""
    with Pty() as pty:
        pty.release_slave()
        bench = PtyBench(pty)
        bench.line = await open_line(pty.path, settings, SignalPolicies(), bench.recorder)
        try:
            yield bench
        finally:
            await bench.close()


@asynccontextmanager
async def apart_bench(settings: LineSettings) -> AsyncIterator[Bench]:
    """The same, treated as a device whose driver may sleep."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(termios2, "may_sleep", lambda fd: True)
        async with pty_bench(settings) as bench:
            yield bench


class SocatBench(PtyBench):
    """A SerialPortLine on one of two PTYs that socat joins; the device has the other one."""

    def __init__(self, pty: Pty, socat: asyncio.subprocess.Process) -> None:
        super().__init__(pty)
        self._socat = socat

    def unplug(self) -> None:
        self._socat.kill()


@asynccontextmanager
async def socat_bench(settings: LineSettings) -> AsyncIterator[Bench]:
    """Two PTYs joined by socat."""
    with tempfile.TemporaryDirectory() as directory, Pty() as pty:
        link = os.path.join(directory, "line")
        assert pty.slave is not None
        socat = await asyncio.create_subprocess_exec(
            "socat",
            "-d",
            "-d",
            f"pty,raw,echo=0,link={link}",
            "stdin!!stdout",
            stdin=pty.slave,
            stdout=pty.slave,
            stderr=subprocess.PIPE,
        )
        try:
            assert socat.stderr is not None
            async with asyncio.timeout(5):
                while b"starting data transfer" not in await socat.stderr.readline():
                    pass
            bench = SocatBench(pty, socat)
            bench.line = await open_line(link, settings, SignalPolicies(), bench.recorder)
            try:
                yield bench
            finally:
                await bench.close()
        finally:
            with contextlib.suppress(ProcessLookupError):
                socat.kill()
            await socat.communicate()


@asynccontextmanager
async def sim_bench(settings: LineSettings) -> AsyncIterator[Bench]:
    """A simulated line with a device that the test plays."""
    bench = SimBench(settings)
    yield bench
    await bench.close()
