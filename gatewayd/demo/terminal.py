"""The simulated instrument at the end of its wire: a pseudo terminal."""

from __future__ import annotations

import asyncio
import os
import tty
from types import TracebackType
from typing import Final

from gatewayd.demo.instrument import Instrument

READ_SIZE: Final = 4096


class InstrumentTerminal:
    """A pseudo terminal with an instrument behind it; a context manager that gives both ends back.

    `path` is the device to open. It outlives whoever opens and closes it.
    """

    def __init__(self, instrument: Instrument) -> None:
        """Raises OSError when the machine has no pseudo terminal left."""
        self._instrument = instrument
        self._master, self._slave = os.openpty()
        # Our own hold on the slave keeps the master readable while nobody has opened the device.
        tty.setraw(self._slave)
        os.set_blocking(self._master, False)
        self.path = os.ttyname(self._slave)
        self._unsent = b""

    def __enter__(self) -> InstrumentTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._master)
        os.close(self._slave)

    async def serve(self) -> None:
        """Answer until cancelled."""
        loop = asyncio.get_running_loop()
        loop.add_reader(self._master, self._readable, loop)
        try:
            await loop.create_future()
        finally:
            loop.remove_reader(self._master)
            loop.remove_writer(self._master)

    def _readable(self, loop: asyncio.AbstractEventLoop) -> None:
        try:
            data = os.read(self._master, READ_SIZE)
        except BlockingIOError:
            return
        self._unsent = self._instrument.receive(data)
        self._send(loop)

    def _send(self, loop: asyncio.AbstractEventLoop) -> None:
        """Write what the wire takes. No command is read before its forerunner's answer has left."""
        try:
            sent = os.write(self._master, self._unsent) if self._unsent else 0
        except BlockingIOError:
            sent = 0
        self._unsent = self._unsent[sent:]
        if self._unsent:
            loop.remove_reader(self._master)
            loop.add_writer(self._master, self._send, loop)
        else:
            loop.remove_writer(self._master)
            loop.add_reader(self._master, self._readable, loop)
