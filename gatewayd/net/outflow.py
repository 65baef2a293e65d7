"""What goes to the client of a connection: sent at once, or kept until the socket takes it."""

from __future__ import annotations

import asyncio
import socket
from typing import Final

from gatewayd.net.channel import Channel
from gatewayd.port.peer import HIGH_BYTES, LOW_BYTES
from gatewayd.typed import Protocol

_BUSY: Final = (BlockingIOError, InterruptedError)


class Sender(Protocol):
    """Who is told how it goes."""

    def sent(self) -> None:
        """Something went out."""

    def full(self) -> None:
        """More waits than should."""

    def has_room(self) -> None:
        """It is little again."""

    def emptied(self) -> None:
        """Nothing waits any more."""

    def abort(self) -> None:
        """Nothing can be sent any more."""


class Outflow:
    """Sends on one socket, in order. `write` never blocks and never raises."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, sock: socket.socket, sender: Sender
    ) -> None:
        self._loop = loop
        self._sock = sock
        self._fd = sock.fileno()
        self._sender = sender
        self._kept = bytearray()
        self._flushed: asyncio.Event | None = None
        """While somebody waits for that."""
        self._full = False
        self._ended = False
        self.tells = True
        """Whether it matters that something went out."""
        self.waits = False
        """Whether the socket is waited for."""

    def take(self, channel: Channel) -> None:
        """Send by way of another channel from now on."""
        self._channel = channel
        self._send = channel.send

    def write(self, data: bytes) -> None:
        """Send; what the socket does not take is kept."""
        if self._ended:
            return
        if not self.waits:
            try:
                sent = self._send(data)
            except _BUSY:
                sent = 0
            except OSError:
                # Told in the next turn: who writes is in the middle of something.
                self._loop.call_soon(self._sender.abort)
                return
            if self.tells:
                self._sender.sent()
            if sent == len(data):
                return
            data = data[sent:]
        self.keep(data)
        self.look_full()

    def write_urgent(self, data: bytes) -> None:
        """Send with the last byte as TCP urgent data; in its turn, when something waits before."""
        if not self.waits and not self._ended and self._channel.can_urgent:
            try:
                data = data[self._sock.send(data, socket.MSG_OOB) :]
            except _BUSY:
                pass
            except OSError:
                return
        if data:
            self.write(data)

    def keep(self, data: bytes) -> None:
        """Send when the socket takes bytes again."""
        self._kept += data
        self.wait()

    def wait(self) -> None:
        """Go on when the socket takes bytes again."""
        if not self.waits:
            self.waits = True
            self._loop.add_writer(self._fd, self._writable)

    def look_full(self) -> None:
        """Tell if more waits than should."""
        if not self._full and self.backlog() > HIGH_BYTES:
            self._full = True
            self._sender.full()

    def _writable(self) -> None:
        try:
            if not self._channel.flush():
                return
            if self._kept:
                del self._kept[: self._send(self._kept)]
        except _BUSY:
            return
        except OSError:
            self._sender.abort()
            return
        if not self.backlog():
            self._wait_no_more()
            self._sender.emptied()
        if self._full and self.backlog() < LOW_BYTES:
            self._full = False
            self._sender.has_room()

    def _wait_no_more(self) -> None:
        if self.waits:
            self.waits = False
            self._loop.remove_writer(self._fd)
        if self._flushed is not None:
            self._flushed.set()
            self._flushed = None

    def backlog(self) -> int:
        """Bytes that wait for the client."""
        return len(self._kept) + self._channel.kept()

    async def flushed(self) -> None:
        """Wait until the socket has taken everything, or is closed."""
        if self.waits:
            self._flushed = self._flushed or asyncio.Event()
            await self._flushed.wait()

    def end(self) -> None:
        """Take nothing more; what is kept is still sent."""
        self._ended = True

    def release(self) -> bytes:
        """Let go of the loop; return what was not sent."""
        self._ended = True
        self._wait_no_more()
        return bytes(self._kept)
