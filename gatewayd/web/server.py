"""The process: listens, counts who is there, and goes when nobody has been for a while."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from gatewayd.log import Happening, note
from gatewayd.net.tcp import expect_peer, peer_name
from gatewayd.web import http
from gatewayd.web.access import is_loopback
from gatewayd.web.site import Site

if TYPE_CHECKING:
    import ssl

CONNECTIONS: Final = 192
"""At once; a browser has a few of them. One more is closed."""
PEER_S: Final = 60.0
"""A browser that is gone without a word is noticed within so long."""
STOP_S: Final = 1.0
HANDSHAKE_S: Final = 10.0


class Server:
    """Serves `site` on listening sockets. `idle` is after how many seconds without a connection it
    ends by itself, None for never; `tls` is for all of them."""

    def __init__(
        self,
        site: Site,
        sockets: Sequence[socket.socket],
        *,
        idle: float | None,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._site = site
        self._sockets = sockets
        self._idle = idle
        self._tls = tls
        self._ending: asyncio.TimerHandle | None = None
        self._stopping = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Until SIGTERM, SIGINT, or nobody is there."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        servers = []
        for sock in self._sockets:
            expect_peer(sock, PEER_S)
            limits = {"ssl_handshake_timeout": HANDSHAKE_S, "ssl_shutdown_timeout": STOP_S}
            more: dict[str, Any] = {"ssl": self._tls, **limits} if self._tls is not None else {}
            servers.append(await asyncio.start_server(self._serve, sock=sock, **more))
            _tell(sock, secure=self._tls is not None)
        self._nobody()
        await self._stopping.wait()
        for server in servers:
            server.close()
        for task in tuple(self._connections):
            task.cancel()
        if self._connections:
            await asyncio.wait(self._connections, timeout=STOP_S)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._connections) >= CONNECTIONS:
            writer.transport.abort()
            return
        if self._ending is not None:
            self._ending.cancel()
            self._ending = None
        self._connections.add(task)
        try:
            await http.serve(self._site, reader, writer)
        except asyncio.CancelledError:
            # Ours, at the end; the streams of asyncio would log it.
            writer.transport.abort()
        except Exception as error:  # noqa: BLE001 - our fault, and the end of this connection alone
            note(Happening.FAULT, "a request failed", level=logging.ERROR, exc_info=error)
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._connections.discard(task)
            if not self._connections:
                self._nobody()

    def _nobody(self) -> None:
        if self._idle is not None:
            loop = asyncio.get_running_loop()
            self._ending = loop.call_later(self._idle, self._stopping.set)


def _tell(sock: socket.socket, *, secure: bool) -> None:
    name = sock.getsockname()
    if secure:
        note(Happening.PAGE, "the page is at https://%s/", peer_name(name))
    elif is_loopback(str(name[0])):
        note(Happening.PAGE, "the page is at http://%s/", peer_name(name))
    else:
        text = "the page is at http://%s/ in clear text: whoever is on the way can read along"
        note(Happening.PAGE, text, peer_name(name), level=logging.WARNING)
