"""A port on a simulated line behind real sockets, on the event loop of the daemon."""

from __future__ import annotations

import asyncio
import itertools
import os
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Final

from hypothesis import strategies as st

from gatewayd.config.schema import Address, Face, PortConfig
from gatewayd.line.model import LineSettings
from gatewayd.net.address import bind
from gatewayd.net.connection import Connection
from gatewayd.net.listener import Listener
from gatewayd.net.lobby import Lobby
from gatewayd.net.pace import Turnstile
from gatewayd.net.watch import SocketWatch
from gatewayd.port.phase import Cue
from gatewayd.port.port import Port
from gatewayd.service.loop import GatewayLoop
from gatewayd.telnet.constants import Option
from tests.port.desk import Watched
from tests.port.wire import OPENING, do, will
from tests.same import same
from tests.until import PATIENCE, turning

HOLDING: Final = (Face.RFC2217, Face.RAW)
"""The faces whose clients can hold the port."""
LINE: Final = LineSettings(baudrate=40_000_000)
AGREED: Final = do(Option.BINARY) + will(Option.BINARY)


def run(scenario: Coroutine[None, None, None]) -> None:
    """Run to the end; what is left over then fails the test."""

    async def bounded() -> None:
        async with asyncio.timeout(2 * PATIENCE):
            await scenario

    with asyncio.Runner(loop_factory=GatewayLoop) as runner:
        runner.run(bounded())


def in_clear(*often: bytes) -> st.SearchStrategy[list[bytes]]:
    """What somebody may say who has not come in yet; some of it `often`."""
    return st.lists(st.one_of(st.binary(max_size=20), st.sampled_from(often)), max_size=6)


class Client:
    """A TCP client."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock

    async def sends(self, data: bytes) -> None:
        rest = memoryview(data)
        async with asyncio.timeout(PATIENCE):
            while rest:
                try:
                    rest = rest[self.sock.send(rest) :]
                except BlockingIOError:
                    loop = asyncio.get_running_loop()
                    await self._ready(loop.add_writer, loop.remove_writer)

    def sends_what_fits(self, data: bytes) -> int:
        """Without waiting; the count of bytes that the kernel took."""
        try:
            return self.sock.send(data)
        except BlockingIOError:
            return 0

    def sends_urgent(self, data: bytes) -> None:
        """With the last byte as TCP urgent data."""
        assert self.sock.send(data, socket.MSG_OOB) == len(data)

    async def gets(self, count: int) -> bytes:
        """The next `count` bytes."""
        received = bytearray()
        async with asyncio.timeout(PATIENCE):
            while len(received) < count:
                data = await self.receives(count - len(received))
                assert data, f"closed after {bytes(received[-100:])!r}"
                received += data
        return bytes(received)

    async def gets_all(self) -> bytes:
        """What comes until the gateway closes; ConnectionResetError if it does so with a reset."""
        received = bytearray()
        async with asyncio.timeout(PATIENCE):
            while data := await self.receives(65536):
                received += data
        return bytes(received)

    async def receives(self, most: int) -> bytes:
        while True:
            try:
                return self.sock.recv(most)
            except BlockingIOError:
                loop = asyncio.get_running_loop()
                await self._ready(loop.add_reader, loop.remove_reader)

    async def _ready(
        self, add: Callable[[int, Callable[[], None]], None], remove: Callable[[int], bool]
    ) -> None:
        ready, fd = asyncio.Event(), self.sock.fileno()
        add(fd, ready.set)
        try:
            await ready.wait()
        finally:
            remove(fd)

    def half_closes(self) -> None:
        self.sock.shutdown(socket.SHUT_WR)

    def closes(self) -> None:
        self.sock.close()

    def resets(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()


class Stand:
    """A port, its listener and its line."""

    def __init__(
        self,
        config: PortConfig,
        face: Face,
        sock: socket.socket,
        lobby: Lobby | None = None,
        turnstile: Turnstile | None = None,
    ) -> None:
        loop = asyncio.get_running_loop()
        self.watch = SocketWatch(loop)
        self.port = Port(config, loop)
        self.listener = Listener(
            self.port,
            face,
            sock,
            next_number=itertools.count(1).__next__,
            watch=self.watch,
            lobby=lobby,
            turnstile=turnstile,
        )
        self.listener.start()
        self.clients: list[Client] = []

    def plug(self) -> None:
        self.tries()
        self.opens()

    def tries(self) -> None:
        """The device is being opened."""
        self.port.move(Cue.TRY, "being opened")

    def opens(self) -> None:
        loop = asyncio.get_running_loop()
        self.line = Watched(loop, self.port, settings=self.port.settling.wanted)
        self.port.move(Cue.OPENED)
        self.port.opened(self.line)

    def connects(
        self,
        *,
        receive_buffer: int | None = None,
        made: socket.socket | None = None,
        to: Listener | None = None,
        host: str | None = None,
    ) -> Client:
        """A client, connected by the socket `made`, or from the address `host`; whether it was let
        in is the port's affair."""
        listening = (to or self.listener).socket
        sock = made or socket.socket(listening.family)
        if receive_buffer is not None:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        if host is not None:
            sock.bind((host, 0))
        # The kernel answers for the listener, at once, as long as its backlog has room.
        sock.settimeout(PATIENCE)
        sock.connect(listening.getsockname()[:2])
        sock.setblocking(False)
        client = Client(sock)
        self.clients.append(client)
        return client

    async def let_in(
        self, *, receive_buffer: int | None = None, made: socket.socket | None = None
    ) -> Client:
        """A client that has got the line."""
        sessions = self.port.counters.sessions
        client = self.connects(receive_buffer=receive_buffer, made=made)
        await turning(lambda: self.port.counters.sessions > sessions)
        return client

    @property
    def connection(self) -> Connection:
        """The one connection that there is."""
        (connection,) = self.listener.connections
        return connection

    def option(self, level: int, name: int) -> int:
        """An option of its socket."""
        with socket.socket(fileno=os.dup(self.connection.fileno())) as sock:
            return sock.getsockopt(level, name)

    async def free(self) -> None:
        """Wait until nobody holds the port and no connection is left."""
        await turning(lambda: self.port.owner is None and not self.listener.connections)

    async def lets_nothing_through(self, data: bytes, *, resets: bool) -> None:
        """Whoever says `data` on the way in and goes has done nothing to the line."""
        client = self.connects()
        await client.sends(data)
        await client.gets(3)  # what is asked first
        if resets:
            client.resets()
        else:
            client.half_closes()
        await turning(lambda: not self.listener.connections)
        assert not self.line.sent
        assert self.port.counters.sessions == 0
        assert self.line.settings() == self.port.config.line

    async def device_sends(self, data: bytes) -> None:
        """The device sends, in pieces that its FIFO holds; stops as long as nobody takes them."""
        for start in range(0, len(data), 4096):
            await turning(lambda: self.line.fifo_room() >= 4096)
            self.line.receive(data[start : start + 4096])
            await asyncio.sleep(0)

    async def device_sends_until_held_up(self) -> bytes:
        """The device sends until the gateway does not read it any more; what it has sent."""
        sent = bytearray()
        piece = bytes(range(256)) * 16
        while self.line.is_read():
            self.line.receive(piece)
            sent += piece
            await asyncio.sleep(0)
        return bytes(sent)

    async def device_gets(self, data: bytes) -> None:
        """Wait until just `data` has left the line since the beginning."""
        await turning(lambda: len(self.line.sent) >= len(data))
        same(self.line.sent, data)

    async def device_gets_count(self, count: int) -> None:
        """Wait until just so many bytes have left the line since the beginning."""
        await turning(lambda: len(self.line.sent) >= count)
        assert len(self.line.sent) == count

    async def close(self) -> None:
        for client in self.clients:
            client.closes()
        self.listener.pause()
        for connection in tuple(self.listener.connections):
            connection.abort()
        self.listener.socket.close()
        self.watch.close()


@asynccontextmanager
async def standing(
    face: Face,
    *,
    plugged: bool = True,
    listening: socket.socket | None = None,
    lobby: Lobby | None = None,
    turnstile: Turnstile | None = None,
    **changes: Any,
) -> AsyncIterator[Stand]:
    """A stand on `listening`, or a free port; its device is open unless `plugged` is false."""
    config = PortConfig("psu1", "/dev/ttyS9", **{"line": LINE, **changes})
    stand = Stand(config, face, listening or bind(Address("127.0.0.1", 0)), lobby, turnstile)
    try:
        if plugged:
            stand.plug()
        yield stand
    finally:
        await stand.close()


async def telnet_client(stand: Stand) -> Client:
    """A client of the Telnet face that has agreed to BINARY."""
    client = await stand.let_in()
    assert await client.gets(len(OPENING)) == OPENING
    await client.sends(AGREED)
    return client
