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
AGREEMENT_S: Final = 60.0
"""A port may have its clients wait until it is free."""
WATCHING: Final = "you watch"
"""What a port with `busy: watch` says to the second client."""
LEAVING_S: Final = 1.0
"""How long what was typed last has to be taken."""
UNSENT_BYTES: Final = 65536
"""So much may wait for the gateway before the browser is not read any more."""


class NotTaken(Exception):
    """The port is not to be had; the text says why."""


class Typist:
    """Types at a port. `ready` first; `ended` returns when the gateway has closed.

    Straight on the socket: a stream of asyncio forgets what was received when a write fails, and
    that would be the last words.
    """

    def __init__(self, port: str, sock: socket.socket) -> None:
        self._words = re.compile(rf"\[?{re.escape(port)}(?: \(.*\))?: (.*)")
        self._sock = sock
        self._engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.COM_PORT),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.ECHO),
        )
        self._tail = b""
        loop = asyncio.get_running_loop()
        self._agreed: asyncio.Future[bool] = loop.create_future()
        """Whether the port is ours."""
        self._unsent = bytearray()
        self._more, self._room = asyncio.Event(), asyncio.Event()
        self._reading = loop.create_task(self._read())
        self._writing = loop.create_task(self._write())

    async def ready(self) -> None:
        """Be let in, with Com Port Control. Raises NotTaken."""
        try:
            async with asyncio.timeout(AGREEMENT_S):
                await asyncio.wait(
                    (self._agreed, self._reading), return_when=asyncio.FIRST_COMPLETED
                )
        except TimeoutError:
            raise NotTaken(self.last_words or "the gateway does not answer") from None
        if not (self._agreed.done() and self._agreed.result()):
            raise NotTaken(self.last_words or "the gateway has closed")

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
        await asyncio.wait((self._reading,))
        return self.last_words

    async def type(self, data: bytes) -> None:
        """Bytes for the device; it waits until most of those before are taken."""
        self._put(self._engine.encode(data))
        await self._sent(UNSENT_BYTES)

    def send_break(self) -> None:
        """A break, as long as the gateway makes one."""
        self._engine.send_command(Command.BRK)
        self._put()

    def control(self, control: Control) -> None:
        """A modem line on or off."""
        self.set(Request(ComPort.SET_CONTROL, control))

    def set(self, *requests: Request) -> None:
        """Change the line."""
        for request in requests:
            self._engine.send_subnegotiation(Option.COM_PORT, encode_request(request))
        self._put()

    async def close(self) -> None:
        """Leave the port; what was typed is still sent."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LEAVING_S):
                await self._sent(0)
        for task in (self._reading, self._writing):
            task.cancel()
        await asyncio.wait((self._reading, self._writing))
        self._sock.close()

    async def _sent(self, size: int) -> None:
        """Wait until no more than `size` bytes are unsent, or nothing can be sent any more."""
        while len(self._unsent) > size and not self._reading.done() and not self._writing.done():
            self._room.clear()
            await self._room.wait()

    def _put(self, data: bytes = b"") -> None:
        self._unsent += self._engine.data_to_send() + data
        if self._unsent:
            self._more.set()

    async def _read(self) -> None:
        loop = asyncio.get_running_loop()
        with contextlib.suppress(OSError):
            while data := await loop.sock_recv(self._sock, READ_BYTES):
                for event in self._engine.receive_data(data):
                    self._event(event)
                # Never wait here: a session that is not read holds back its line.
                self._put()
        self._room.set()

    def _event(self, event: object) -> None:
        match event:
            case bytes():
                self._tail = (self._tail + event)[-TAIL_BYTES:]
                if not self._agreed.done() and self.last_words.endswith(WATCHING):
                    self._agreed.set_result(False)
            case OptionChanged(side=Side.LOCAL, option=Option.COM_PORT, enabled=True):
                if not self._agreed.done():
                    self._agreed.set_result(True)
            case _:
                pass

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        # Whoever waits finds out by the end of what is read.
        with contextlib.suppress(OSError):
            while True:
                await self._more.wait()
                self._more.clear()
                while data := bytes(self._unsent):
                    await loop.sock_sendall(self._sock, data)
                    del self._unsent[: len(data)]
                self._room.set()
        self._room.set()
