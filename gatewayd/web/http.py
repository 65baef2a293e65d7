"""One connection of a browser: requests one after the other, or a WebSocket from then on."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

import h11

from gatewayd.web.access import Ends
from gatewayd.web.message import SECURITY, Request, Response, text
from gatewayd.web.site import Site
from gatewayd.web.websocket import WebSocket, WebSocketError

READ_BYTES: Final = 65536
HEAD_BYTES: Final = 16384
"""Of a request without its body."""
BODY_BYTES: Final = 4096
REQUEST_S: Final = 10.0
"""A request comes within so long, the next one begins within so long."""
TAKING_S: Final = 60.0
PAGE_BYTES: Final = 1 << 20

_Upgrade = tuple[Request, h11.Request]


class Served(Exception):
    """The connection has served its purpose."""


async def serve(site: Site, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Serve a connection to its end. It raises nothing that a browser could bring about."""
    ends = Ends(_host(writer, "sockname"), _host(writer, "peername"))
    secure = writer.get_extra_info("sslcontext") is not None
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES)
    http = _Http(site, reader, writer, connection, ends, secure)
    with contextlib.suppress(Served, OSError, TimeoutError, WebSocketError, h11.LocalProtocolError):
        while True:
            await http.exchange()


def _host(writer: asyncio.StreamWriter, what: str) -> str:
    address = writer.get_extra_info(what) or ("",)
    return str(address[0]).partition("%")[0].removeprefix("::ffff:")


class _Http:
    def __init__(
        self,
        site: Site,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        connection: h11.Connection,
        ends: Ends,
        secure: bool,
    ) -> None:
        self._site = site
        self._reader = reader
        self._writer = writer
        self._connection = connection
        self._ends = ends
        self._secure = secure

    async def exchange(self) -> None:
        """One request and its answer. Raises Served when nothing follows, OSError, TimeoutError."""
        try:
            async with asyncio.timeout(REQUEST_S):
                asked, request = await self._request()
        except h11.RemoteProtocolError as error:
            await self._refuse(text(error.error_status_hint, "that is not HTTP"))
            raise Served from error
        refusal = self._site.refusal(request)
        if request.upgrades and refusal is None:
            refusal = self._site.no_socket(request)
            if refusal is None:
                await self._talk(asked, request)
                raise Served
        if refusal is not None:
            await self._refuse(refusal)
            raise Served
        await self._send(await self._site.answer(request), head=request.method == "HEAD")
        if self._connection.our_state is not h11.DONE:
            raise Served
        self._connection.start_next_cycle()

    async def _request(self) -> tuple[h11.Request, Request]:
        asked = await self._event()
        if not isinstance(asked, h11.Request):
            raise Served
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in asked.headers}
        path = asked.target.decode("latin-1").partition("?")[0]
        method = asked.method.decode("latin-1")
        body = b""
        if headers.get("upgrade", "").lower() != "websocket":
            body = b"".join([piece async for piece in self._body()])
        return asked, Request(method, path, headers, self._ends, body, self._secure)

    async def _body(self) -> AsyncIterator[bytes]:
        size = 0
        while isinstance(event := await self._event(), h11.Data):
            size += len(event.data)
            if size > BODY_BYTES:
                raise h11.RemoteProtocolError("too much", error_status_hint=413)
            yield bytes(event.data)

    async def _event(self) -> object:
        while (event := self._connection.next_event()) is h11.NEED_DATA:
            if self._connection.they_are_waiting_for_100_continue:
                raise h11.RemoteProtocolError("no 100 here", error_status_hint=417)
            self._connection.receive_data(await self._reader.read(READ_BYTES))
        if isinstance(event, h11.ConnectionClosed) or event is h11.PAUSED:
            raise Served
        return event

    async def _talk(self, asked: h11.Request, request: Request) -> None:
        trailing, _ = self._connection.trailing_data
        socket = WebSocket(self._reader, self._writer)
        try:
            await socket.accept(list(asked.headers), asked.target, trailing)
        except WebSocketError:
            await self._refuse(text(400, "that is no WebSocket"))
            return
        await self._site.talk(request, socket)

    async def _refuse(self, response: Response) -> None:
        """Answer, and close: what else the browser sends is not read."""
        if self._connection.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            await self._send(response, head=False, last=True)

    async def _send(self, response: Response, *, head: bool, last: bool = False) -> None:
        length = response.length if response.pieces is not None else len(response.body)
        headers = {**SECURITY, **response.headers}
        if response.status != 304:
            headers["Content-Length"] = str(length)
        if last:
            headers["Connection"] = "close"
        reply = h11.Response(status_code=response.status, headers=list(headers.items()))
        await self._write(self._connection.send(reply))
        if not head and response.status != 304:
            await self._write(self._connection.send(h11.Data(data=response.body)))
            if response.pieces is not None:
                async for piece in response.pieces:
                    await self._write(self._connection.send(h11.Data(data=piece)))
        elif response.pieces is not None:
            await response.pieces.aclose()  # type: ignore[attr-defined]
        await self._write(self._connection.send(h11.EndOfMessage()))

    async def _write(self, data: bytes | None) -> None:
        if data:
            self._writer.write(data)
            async with asyncio.timeout(TAKING_S):
                await self._writer.drain()
