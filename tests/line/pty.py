"""A pseudo terminal: the slave for the line, the master for the test."""

from __future__ import annotations

import asyncio
import errno
import os
import tty
from types import TracebackType

from tests.until import PATIENCE, openings


class Pty:
    """Opened in raw mode; the slave stays open unless `release_slave`, as socat holds it not."""

    def __init__(self) -> None:
        self.master, slave = os.openpty()
        tty.setraw(slave)
        self.path = os.ttyname(slave)
        self.slave: int | None = slave
        os.set_blocking(self.master, False)

    def __enter__(self) -> Pty:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.hang_up()
        if self.slave is not None:
            os.close(self.slave)

    def hang_up(self) -> None:
        """Take the device away."""
        if self.master >= 0:
            os.close(self.master)
            self.master = -1

    def release_slave(self) -> None:
        """Leave the slave to the line alone."""
        assert self.slave is not None
        os.close(self.slave)
        self.slave = None

    async def read(self, size: int, seconds: float = PATIENCE) -> bytes:
        """Read exactly `size` bytes from the master."""
        got = bytearray()
        with openings(self.master) as opened:
            async with asyncio.timeout(seconds):
                while len(got) < size:
                    try:
                        got += os.read(self.master, size - len(got))
                    except BlockingIOError:
                        await _readable(self.master)
                    except OSError as error:
                        if error.errno != errno.EIO:
                            raise
                        await _readable(opened.fileno())
                        opened.read()
        return bytes(got)

    async def write(self, data: bytes, seconds: float = PATIENCE) -> None:
        """Write all of `data` to the master."""
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        loop.add_writer(self.master, ready.set)
        try:
            async with asyncio.timeout(seconds):
                while data:
                    ready.clear()
                    try:
                        data = data[os.write(self.master, data) :]
                    except BlockingIOError:
                        await ready.wait()
        finally:
            loop.remove_writer(self.master)


async def _readable(fd: int) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(fd, ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(fd)
