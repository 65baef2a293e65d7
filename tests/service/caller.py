"""A client of the RFC 2217 face in the test's loop."""

from __future__ import annotations

import asyncio

from gatewayd.comport.wire import ANSWER, Command
from tests.net.stand import Client
from tests.service.client import Talk
from tests.until import PATIENCE


class Caller:
    """Speaks on a socket of a `Client`."""

    def __init__(self, client: Client, *, com_port: bool = True) -> None:
        self.client = client
        self.talk = Talk(com_port=com_port)

    async def ask(self, command: Command, value: int = 0) -> int:
        """Make a request; the value of its answer."""
        self.talk.tell(command, value)
        return await self.wait_for(command + ANSWER)

    async def wait_for(self, command: int) -> int:
        """The value of the next answer or notification of this kind; those before it go."""
        while (value := self.talk.answer(command)) is None:
            assert await self.hear(), f"closed before {command}"
        return value

    async def send(self, data: bytes) -> None:
        """Bytes for the device."""
        await self.flush()
        await self.client.sends(self.talk.engine.encode(data))

    async def read(self, size: int) -> bytes:
        """`size` bytes of what the device said."""
        while len(self.talk.data) < size:
            assert await self.hear(), f"closed after {self.talk.data!r}"
        return self.talk.take(size)

    async def read_to_end(self) -> bytes:
        """What the device, or the gateway, says until the gateway closes."""
        while await self.hear():
            pass
        return self.talk.data

    async def hear(self) -> bool:
        """Take what comes next; False when the gateway has closed."""
        await self.flush()
        async with asyncio.timeout(PATIENCE):
            data = await self.client.receives(65536)
        self.talk.hear(data)
        await self.flush()
        return bool(data)

    async def flush(self) -> None:
        """Send what the negotiation has to say."""
        data = self.talk.engine.data_to_send()
        if data:
            await self.client.sends(data)
