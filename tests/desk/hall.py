"""A gateway with a front desk and ports on simulated lines, behind real sockets."""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from gatewayd.config.schema import Address, PortConfig
from gatewayd.line.model import LineSettings
from gatewayd.port.phase import Cue
from gatewayd.record.ring import Ring
from gatewayd.service.fronting import desk_of
from gatewayd.service.gateway import Gateway
from gatewayd.service.store import Store
from gatewayd.telnet.constants import Option
from gatewayd.value import replace
from tests.net.stand import Client
from tests.port.desk import Watched
from tests.port.wire import IAC, do, sub, will
from tests.until import PATIENCE, turning

LINE: Final = LineSettings(baudrate=115200)
CLEAN: Final = re.compile(rb"\xff(?:[\xfb-\xfe].|\xfa.*?\xff\xf0|[^\xfa-\xff])", re.DOTALL)


class Person(Client):
    """At a Telnet client that agrees to what the desk offers, or at one that answers nothing."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.screen = bytearray()
        self.wire = bytearray()

    async def agrees(self, user: str | None = None) -> None:
        """Answer what the menu asks; tell the name `user`."""
        answers = do(Option.ECHO) + do(3) + will(3)
        if user is None:
            await self.sends(answers + b"\xff\xfc\x27")
            return
        await self.sends(answers + will(Option.NEW_ENVIRON))
        await self.sees_wire(b"\xff\xfa\x27\x01\x00USER\xff\xf0")
        await self.sends(sub(Option.NEW_ENVIRON, b"\x00\x00USER\x01" + user.encode()))

    async def sees_wire(self, wanted: bytes) -> None:
        """Wait for bytes as they are sent."""
        async with asyncio.timeout(PATIENCE):
            while wanted not in self.wire:
                await self._more()

    async def sees(self, wanted: str) -> str:
        """Wait for text on the screen; what was there before it, which is gone then."""
        text = wanted.encode()
        try:
            async with asyncio.timeout(PATIENCE):
                while (at := self.screen.find(text)) < 0:
                    await self._more()
        except (TimeoutError, AssertionError) as error:
            raise AssertionError(f"{wanted!r} is not in {bytes(self.screen)!r}") from error
        before = bytes(self.screen[:at])
        del self.screen[: at + len(text)]
        return before.decode("latin-1")

    async def _more(self) -> None:
        data = await self.receives(65536)
        assert data, "closed"
        self.wire += data
        # What is split is not of interest here: the gateway writes it at once.
        self.screen += CLEAN.sub(b"", data).replace(IAC + IAC, IAC).replace(b"\r\0", b"\r")

    async def types(self, text: str) -> None:
        """Press keys."""
        await self.sends(text.encode("latin-1"))

    async def is_closed(self) -> None:
        """Wait for the end."""
        await self.gets_all()


class Hall:
    """The ports are open; `lines` has what is behind them."""

    def __init__(self, *ports: PortConfig, escape: bytes) -> None:
        self.gateway = Gateway(Store())
        self.gateway.escape = escape
        self.lines: dict[str, Watched] = {}
        for config in ports:
            served = self.gateway.add(config, ())
            if config.replay:
                served.ring = Ring(config.replay)
                served.port.hub.add(served.ring)
            self.opens(config.name)
        self.front = desk_of(self.gateway)
        self.front.follow((Address("127.0.0.1", 0),))
        (self.address,) = self.front.addresses
        self.people: list[Person] = []

    def opens(self, name: str) -> None:
        """The device of a port is there."""
        port = self.gateway.served[name].port
        port.move(Cue.TRY, "being opened")
        line = self.lines[name] = Watched(self.gateway.loop, port, settings=port.settling.wanted)
        port.move(Cue.OPENED)
        port.opened(line)

    async def comes(self) -> Person:
        """Somebody who says nothing yet."""
        sock = socket.create_connection((self.address.host, self.address.port), PATIENCE)
        sock.setblocking(False)
        person = Person(sock)
        self.people.append(person)
        return person

    async def person(self, user: str | None = None) -> Person:
        """Somebody who has a terminal."""
        person = await self.comes()
        await person.agrees(user)
        return person

    async def at_menu(self) -> Person:
        """Somebody who is asked which port, and says no name."""
        person = await self.person("")
        await person.sees("port> ")
        return person

    async def at(self, port: str, keys: str = "it is yours") -> Person:
        """Somebody who has chosen a port."""
        person = await self.at_menu()
        await person.types(f"{port}\r")
        await person.sees(f"[{port}: {keys}")
        await person.sees("]\r\n")
        return person

    async def device_gets(self, port: str, data: bytes) -> None:
        """Wait until just `data` has come to a device since the beginning."""
        line = self.lines[port]
        await turning(lambda: len(line.sent) >= len(data))
        assert bytes(line.sent) == data

    def device_sends(self, port: str, data: bytes) -> None:
        """A device says something."""
        self.lines[port].receive(data)

    def owner(self, port: str) -> Any:
        """Who holds a port."""
        return self.gateway.served[port].port.owner


@asynccontextmanager
async def hall(*, escape: bytes = b"\x05c", **changes: Any) -> AsyncIterator[Hall]:
    """A gateway with the ports psu1, psu2 and dut-a; `changes` are of psu1."""
    psu1 = PortConfig("psu1", "/dev/ttyS9", line=LINE, description="bench supply")
    built = Hall(
        replace(psu1, **changes),
        PortConfig("psu2", "/dev/ttyS8", line=LINE),
        PortConfig("dut-a", "/dev/ttyS7", line=LINE),
        escape=escape,
    )
    try:
        yield built
    finally:
        for person in built.people:
            person.closes()
        await built.gateway.stop()
