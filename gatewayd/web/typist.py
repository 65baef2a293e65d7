"""Somebody who types: a Telnet client of the port, on a connection that the daemon handed over.

What the device says is shown from the stream of those who watch; of this connection only the
answers count.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
from typing import Final

from gatewayd.comport.wire import Command as ComPort
from gatewayd.comport.wire import Control, Request, encode_request
from gatewayd.telnet.constants import Command, Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import OptionChanged

READ_BYTES: Final = 65536
TAIL_BYTES: Final = 512
"""The last words of the gateway are looked for in so much."""
AGREEMENT_S: Final = 5.0


class NotTaken(Exception):
    """The port is not to be had; the text says why."""


class Typist:
    """Types at a port. `ready` first; `ended` returns when the gateway has closed."""

    def __init__(self, port: str, sock: socket.socket) -> None:
        self._words = re.compile(rf"\[?{re.escape(port)}: (.*)")
        self._sock = sock
        self._engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.COM_PORT),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO),
        )
        self._tail = b""
        self._agreed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._reading: asyncio.Task[None] | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ready(self) -> None:
        """Be let in, with Com Port Control. Raises NotTaken."""
        reader, self._writer = await asyncio.open_unix_connection(sock=self._sock)
        self._reading = asyncio.get_running_loop().create_task(self._read(reader))
        try:
            async with asyncio.timeout(AGREEMENT_S):
                await asyncio.wait(
                    (self._agreed, self._reading), return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            raise NotTaken(self.last_words or "the gateway does not answer") from None
        if not self._agreed.done():
            raise NotTaken(self.last_words or "the gateway has closed")
        self._agreed.result()

    @property
    def echoed(self) -> bool:
        """Whether what is typed is taken to come back from the device."""
        return self._engine.is_enabled(Side.REMOTE, Option.ECHO)

    @property
    def last_words(self) -> str:
        """What the gateway said last, if it was about the session."""
        lines = self._tail.decode("utf-8", "replace").splitlines()
        found = [match[1].rstrip("]") for line in lines if (match := self._words.search(line))]
        return found[-1] if found else ""

    async def ended(self) -> str:
        """Wait for the end; why it was."""
        assert self._reading is not None
        await asyncio.wait((self._reading,))
        return self.last_words

    async def type(self, data: bytes) -> None:
        """Bytes for the device; it waits until most of those before are taken."""
        await self._send(self._engine.encode(data))

    async def send_break(self) -> None:
        """A break, as long as the gateway makes one."""
        self._engine.send_command(Command.BRK)
        await self._send()

    async def control(self, control: Control) -> None:
        """A modem line on or off."""
        await self.set(Request(ComPort.SET_CONTROL, control))

    async def set(self, *requests: Request) -> None:
        """Change the line."""
        for request in requests:
            self._engine.send_subnegotiation(Option.COM_PORT, encode_request(request))
        await self._send()

    async def close(self) -> None:
        """Leave the port; what was typed is still sent."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.wait((self._reading,))
        if self._writer is not None:
            self._writer.close()
            with contextlib.suppress(OSError):
                await self._writer.wait_closed()
        else:
            self._sock.close()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(READ_BYTES):
                for event in self._engine.receive_data(data):
                    self._event(event)
                # Never wait here: a session that is not read holds back its line.
                self._write()
        except OSError:
            return

    def _event(self, event: object) -> None:
        match event:
            case bytes():
                self._tail = (self._tail + event)[-TAIL_BYTES:]
            case OptionChanged(side=Side.LOCAL, option=Option.COM_PORT, enabled=True):
                if not self._agreed.done():
                    self._agreed.set_result(None)
            case _:
                pass

    def _write(self, data: bytes = b"") -> None:
        data = self._engine.data_to_send() + data
        if data and self._writer is not None:
            self._writer.write(data)

    async def _send(self, data: bytes = b"") -> None:
        self._write(data)
        if self._writer is not None:
            # Whoever waits here finds out by the end of the session, not by an error.
            with contextlib.suppress(OSError):
                await self._writer.drain()
