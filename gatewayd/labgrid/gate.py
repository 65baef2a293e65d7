"""An acquired port: a lease of it, and a TCP port behind which whoever comes is the lease's.

labgrid tells an exporter which place acquires, not whose clients will come from where; and none of
its clients can say a name. So they come here, and enter gatewayd in the place's name.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
from typing import Final

from gatewayd.control.client import ANSWER_S, Conversation, Refused, call
from gatewayd.errors import GatewayError

LOG: Final = logging.getLogger(__name__)
LEASE_S: Final = 3600
"""A lease is renewed at half of this; without us it ends by itself."""
CHUNK: Final = 1 << 16
LAST_S: Final = 10.0
"""How long a client has for the last bytes of a session."""


class Held(GatewayError):
    """Somebody has the port."""


class Gate:
    """One port while it is acquired; use `open` to get one."""

    def __init__(self, control: str, name: str, place: str) -> None:
        self.name = name
        self.place = place
        self.port = 0
        self._control = control
        self._server: asyncio.Server | None = None
        self._renewing: asyncio.Task[None] | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self, listen: str) -> None:
        """Lease the port and listen. Raises GatewayError: nothing is leased or listened at then."""
        lease = await asyncio.to_thread(self._lease)
        if lease:
            await asyncio.to_thread(self._free)
            raise Held(f"{self.name} is held by {lease}")
        try:
            self._server = await asyncio.start_server(self._came, listen, 0, limit=CHUNK)
        except OSError as error:
            await asyncio.to_thread(self._free)
            raise GatewayError(f"{listen}: {error.strerror}") from None
        self.port = self._server.sockets[0].getsockname()[1]
        self._renewing = asyncio.create_task(self._renew())

    async def close(self) -> None:
        """End the sessions and the lease."""
        if self._server is not None:
            self._server.close()
        if self._renewing is not None:
            self._renewing.cancel()
        for one in tuple(self._open):
            one.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await asyncio.to_thread(self._free)

    def _lease(self) -> str:
        """Lease it, or for longer; who holds the port and is not of the lease."""
        answer = call(
            self._control,
            "Lease",
            port=self.name,
            holder=self.place,
            seconds=LEASE_S,
            note="labgrid place",
        )
        return answer["holding"] or ""

    def _free(self) -> None:
        try:
            call(self._control, "Free", port=self.name)
        except Refused as refused:
            # It is over already, or the port is gone.
            LOG.info("%s: %s", self.name, refused)
        except GatewayError as error:
            LOG.warning("%s: the lease stays: %s", self.name, error)

    async def _renew(self) -> None:
        while True:
            await asyncio.sleep(LEASE_S / 2)
            try:
                await asyncio.to_thread(self._lease)
            except GatewayError as error:
                LOG.warning("%s: the lease is not renewed: %s", self.name, error)

    async def _came(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            sock = await asyncio.to_thread(self._attach)
            line_reader, line_writer = await asyncio.open_connection(sock=sock, limit=CHUNK)
            try:
                await _serve(reader, writer, line_reader, line_writer)
            finally:
                line_writer.transport.abort()
            writer.close()
            async with asyncio.timeout(LAST_S):
                await writer.wait_closed()
        except (GatewayError, OSError) as error:
            # TimeoutError is an OSError.
            LOG.warning("%s: a connection of %s: %s", self.name, self.place, error)
        except asyncio.CancelledError:
            # The place gave the port back; asyncio would make a complaint of it.
            LOG.info("%s: a session of %s is cut off", self.name, self.place)
        finally:
            self._open.discard(task)
            writer.transport.abort()

    def _attach(self) -> socket.socket:
        wanted = {"port": self.name, "mode": "rfc2217", "peer": self.place}
        with Conversation(self._control, "Attach", wanted) as conversation:
            answer = conversation.answer(ANSWER_S)
            if answer is None:
                raise GatewayError("gatewayd does not answer")
            return conversation.handed(int(answer.get("fd", 0)))


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    line_reader: asyncio.StreamReader,
    line_writer: asyncio.StreamWriter,
) -> None:
    """Until gatewayd ends the session, or the client fails. Raises OSError."""
    down = asyncio.create_task(_pass_on(line_reader, writer))
    up = asyncio.create_task(_pass_on(reader, line_writer))
    try:
        await asyncio.wait((down, up), return_when=asyncio.FIRST_COMPLETED)
        if not down.done():
            # A client may have said all and still listen.
            up.result()
            await down
        down.result()
    finally:
        for one in (down, up):
            one.cancel()
        await asyncio.gather(down, up, return_exceptions=True)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
