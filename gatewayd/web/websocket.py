"""A WebSocket (RFC 6455) on a connection that has been upgraded: texts both ways."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from typing import Any, Final

from wsproto import ConnectionType, WSConnection
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Ping,
    TextMessage,
)
from wsproto.events import Request as Upgrade
from wsproto.utilities import ProtocolError

READ_BYTES: Final = 65536
MOST_BYTES: Final = 65536
"""Of one message."""
TAKING_S: Final = 60.0
"""A browser that does not take a message for so long is gone."""
TOO_BIG: Final = 1009
POLICY: Final = 1008


class WebSocketError(Exception):
    """It is of no more use."""


class WebSocket:
    """One of them. `accept` first."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._connection = WSConnection(ConnectionType.SERVER)
        self._parts: list[str] = []
        self._size = 0
        self._texts: list[str] = []

    async def accept(
        self, headers: list[tuple[bytes, bytes]], target: bytes, trailing: bytes
    ) -> None:
        """Agree to the upgrade that a request asks for, `trailing` being what came behind it.

        Raises WebSocketError when it is no good.
        """
        try:
            self._connection.initiate_upgrade_connection(headers, target)
            if not any(isinstance(event, Upgrade) for event in self._connection.events()):
                raise WebSocketError("no upgrade")
            self._writer.write(self._connection.send(AcceptConnection()))
            if trailing:
                self._connection.receive_data(trailing)
        except (ProtocolError, ValueError) as error:
            raise WebSocketError(str(error)) from error
        await self._drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next message, a JSON object; None when the browser has closed.

        Raises WebSocketError.
        """
        while not self._texts:
            if not await self._events():
                return None
            if self._texts:
                break
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError:
                return None
            try:
                self._connection.receive_data(data or None)
            except ProtocolError as error:
                raise WebSocketError(str(error)) from error
        try:
            message = json.loads(self._texts.pop(0))
        except (ValueError, RecursionError) as error:
            raise WebSocketError("not JSON") from error
        if not isinstance(message, dict):
            raise WebSocketError("not a JSON object")
        return message

    async def _events(self) -> bool:
        """Deal with what came; False when that was the end."""
        try:
            for event in self._connection.events():
                match event:
                    case TextMessage(data=data, message_finished=finished):
                        self._parts.append(data)
                        self._size += len(data)
                        if self._size > MOST_BYTES:
                            await self.close(TOO_BIG)
                            return False
                        if finished:
                            self._texts.append("".join(self._parts))
                            self._parts.clear()
                            self._size = 0
                    case BytesMessage():
                        raise WebSocketError("not a text")
                    case Ping():
                        self._writer.write(self._connection.send(event.response()))
                        await self._drain()
                    case CloseConnection():
                        with contextlib.suppress(ProtocolError):
                            self._writer.write(self._connection.send(event.response()))
                        return False
                    case _:
                        pass
        except ProtocolError as error:
            raise WebSocketError(str(error)) from error
        return True

    async def send(self, message: Mapping[str, object]) -> None:
        """Send a message, as JSON; it waits until the browser has taken most of what was before.

        Raises WebSocketError.
        """
        try:
            self._writer.write(self._connection.send(TextMessage(json.dumps(message))))
        except ProtocolError as error:
            raise WebSocketError(str(error)) from error
        await self._drain()

    async def close(self, code: int) -> None:
        """Say why it ends; the connection is closed by who has it."""
        with contextlib.suppress(ProtocolError, WebSocketError):
            self._writer.write(self._connection.send(CloseConnection(code)))
            await self._drain()

    async def _drain(self) -> None:
        try:
            async with asyncio.timeout(TAKING_S):
                await self._writer.drain()
        except (OSError, TimeoutError) as error:
            # Whoever receives finds out as well.
            self._writer.transport.abort()
            raise WebSocketError(str(error)) from error
