"""What was found out about a client that waits goes with it to the next process."""

from __future__ import annotations

import os
import socket
from types import SimpleNamespace
from typing import Any, cast

from gatewayd.comport.wire import Command
from gatewayd.config.schema import Face
from gatewayd.net.arrival import Step
from gatewayd.port.proof import Proof
from gatewayd.service import guests
from gatewayd.service.gateway import Served
from gatewayd.service.store import Store
from gatewayd.telnet.constants import Option, Side
from gatewayd.telnet.events import Event
from tests.net.stand import run, standing
from tests.port.wire import ask, will
from tests.until import turning


class Agreeing(Step):
    """Has Com Port Control agreed, and knows who comes."""

    def start(self) -> None:
        telnet = self.arrival.telnet
        assert telnet is not None
        telnet.welcome(Side.REMOTE, Option.COM_PORT)
        telnet.ask(Side.REMOTE, Option.COM_PORT)
        telnet.flush()

    def receive(self, data: bytes) -> None:
        newcomer = self.arrival.newcomer
        newcomer.proof = Proof(name="alice", by="a key")
        newcomer.insists = True
        self.arrival.passed()

    def event(self, event: Event) -> None: ...


class Kept(Store):
    def __init__(self) -> None:
        self.fds: list[int] = []

    def guest(self, port: str, number: int, fd: int) -> None:
        self.fds.append(os.dup(fd))


def test_who_waits_is_served_after_a_restart_as_before_it() -> None:
    async def scenario() -> None:
        async with (
            standing(Face.RFC2217, plugged=False) as before,
            standing(Face.RFC2217, plugged=False) as after,
        ):
            before.listener.way = (Agreeing,)
            before.tries()
            client = before.connects()
            await client.sends(will(Option.COM_PORT) + b"\rto the device")
            await turning(lambda: before.port.clients.waiting)
            was = before.port.clients.waiting[0]
            (connection,) = before.listener.connections
            connection.stop_reading()
            served = SimpleNamespace(
                port=before.port, connections=lambda: [(Face.RFC2217, connection)]
            )
            store = Kept()
            told: list[dict[str, Any]] = guests.give(cast("Served", served), store)
            handed = socket.socket(fileno=store.fds[0])
            arrives = guests.restore(told[0], handed, lambda _: after.listener)
            assert arrives is not None
            connection.drop()
            after.tries()
            arrives()
            now = after.port.clients.waiting[0]
            assert (now.peername, now.name) == (was.peername, "alice")
            assert (now.proof, now.insists) == (was.proof, True)
            after.opens()
            await after.device_gets(b"to the device")
            # Agreed before: a client does not say so again.
            await client.sends(ask(Command.SET_BAUDRATE, 9600))
            await turning(lambda: after.line.settings().baudrate == 9600)

    run(scenario())
