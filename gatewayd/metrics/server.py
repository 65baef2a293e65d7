"""The address where metrics are scraped: requests are bounded in bytes, time and number."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Awaitable, Callable
from typing import Final

from gatewayd.config.schema import Address
from gatewayd.log import Happening, note
from gatewayd.metrics import http
from gatewayd.metrics.http import BadRequest
from gatewayd.metrics.text import Form
from gatewayd.net.address import bind, exposed
from gatewayd.net.admission import refused

REQUEST_S: Final = 2.0
"""A request is there within so long, or the connection ends."""
ANSWER_S: Final = 10.0
"""So long a client may take for its answer."""
VISITS: Final = 8
"""Connections at once; one more ends the oldest."""
RETRY_S: Final = 1.0
_BLOCK: Final = 65536
_BLOCKS: Final = 16
"""So much of what follows a request is read, and thrown away."""

Make = Callable[[Form], Awaitable[str]]


class MetricsServer:
    """Serves what `make` makes, at `address`, until it is closed."""

    def __init__(self, address: Address, make: Make) -> None:
        self._address = address
        self.door = address.door
        """Who may come: others get no byte."""
        self._make = make
        self._loopback = not exposed(address.host)
        self._loop = asyncio.get_running_loop()
        self._sock: socket.socket | None = None
        self._pause: asyncio.TimerHandle | None = None
        self._visits: dict[asyncio.Task[None], None] = {}

    def start(self) -> None:
        """Listen. Raises BindError."""
        self._sock = bind(self._address)
        self._resume()
        happening, text = Happening.LISTENING, "metrics on %s, for this machine only"
        if not self._loopback:
            who = "those of allow" if self.door.allow else "whoever can reach it"
            text = f"metrics on %s, in clear text and without login for {who}"
            happening = Happening.EXPOSED
        note(happening, text, self._address)

    def close(self) -> None:
        """Listen no more, and end all connections."""
        for visit in self._visits:
            visit.cancel()
        if self._pause is not None:
            self._pause.cancel()
        if self._sock is not None:
            self._loop.remove_reader(self._sock.fileno())
            self._sock.close()
            self._sock = None

    def _resume(self) -> None:
        if self._sock is not None:
            self._loop.add_reader(self._sock.fileno(), self._accept)

    def _accept(self) -> None:
        assert self._sock is not None
        try:
            sock, peer = self._sock.accept()
        except (BlockingIOError, InterruptedError, ConnectionAbortedError):
            return
        except OSError as error:
            text = "cannot accept who asks for metrics: %s; trying again in %g s"
            note(Happening.FAULT, text, error, RETRY_S, level=logging.WARNING)
            self._loop.remove_reader(self._sock.fileno())
            self._pause = self._loop.call_later(RETRY_S, self._resume)
            return
        if refused(self.door, peer):
            sock.close()
            return
        sock.setblocking(False)
        if len(self._visits) >= VISITS:
            next(iter(self._visits)).cancel()
        visit = self._loop.create_task(self._visit(sock))
        self._visits[visit] = None
        visit.add_done_callback(self._visits.pop)

    async def _visit(self, sock: socket.socket) -> None:
        try:
            reply = await self._reply(sock)
            async with asyncio.timeout(ANSWER_S):
                await self._loop.sock_sendall(sock, reply)
                sock.shutdown(socket.SHUT_WR)
                # The client closes first: on bytes that are not read, ours would be a reset, and
                # might cost it the answer.
                for _ in range(_BLOCKS):
                    if not await self._loop.sock_recv(sock, _BLOCK):
                        break
        except (OSError, TimeoutError):
            return
        except Exception as error:  # noqa: BLE001 - our fault, and this visit's end alone
            note(Happening.FAULT, "no metrics", level=logging.ERROR, exc_info=error)
        finally:
            sock.close()

    async def _reply(self, sock: socket.socket) -> bytes:
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await self._head(sock)
            request = http.parse(head, loopback=self._loopback)
        except TimeoutError:
            return http.refusal(BadRequest(408, f"there was no request within {REQUEST_S:g} s"))
        except BadRequest as error:
            return http.refusal(error)
        text = await self._make(request.form)
        return http.answer(200, request.form.value, text.encode(), with_body=request.body)

    async def _head(self, sock: socket.socket) -> bytes:
        """A request with the empty line at its end. Raises BadRequest and OSError."""
        received = bytearray()
        while (end := received.find(http.END)) < 0:
            if len(received) >= http.LONGEST_HEAD:
                raise BadRequest(431, f"a request has {http.LONGEST_HEAD} bytes at most")
            data = await self._loop.sock_recv(sock, http.LONGEST_HEAD)
            if not data:
                raise ConnectionResetError
            received += data
        return bytes(received[: end + len(http.END)])
