"""The exporter's side of labgrid's protocol (labgrid-coordinator.proto), and gatewayd's changes.

A place that acquires a port gets a lease of it and a TCP port (`gate`); what is refused is answered
with the reason, which labgrid logs and does not show.
"""

from __future__ import annotations

import asyncio
import json
import logging
import signal
from collections.abc import AsyncIterator, Iterable
from contextlib import suppress
from typing import Any, Final

import grpc
from labgrid.remote.common import ResourceEntry
from labgrid.remote.generated import labgrid_coordinator_pb2 as pb2
from labgrid.remote.generated import labgrid_coordinator_pb2_grpc as pb2_grpc
from labgrid.util import labgrid_version

from gatewayd.control import interface
from gatewayd.errors import GatewayError
from gatewayd.labgrid.book import RESOURCE, Book
from gatewayd.labgrid.gate import Gate

LOG: Final = logging.getLogger(__name__)
RETRY_S: Final = (1.0, 30.0)
"""First and longest pause before the coordinator, or gatewayd, is tried again."""
GRACE_S: Final = 60.0
"""A place keeps what it has so long without its coordinator."""
MOST: Final = 1 << 24
"""Bytes of one answer of gatewayd."""
KEEPALIVE: Final = (
    ("grpc.keepalive_time_ms", 7500),
    ("grpc.keepalive_timeout_ms", 10000),
    ("grpc.http2.ping_timeout_ms", 10000),
    ("grpc.http2.max_pings_without_data", 0),
)
"""As labgrid's own exporter: a coordinator that is gone is noticed."""


class Agent:
    """Registers the ports of the gatewayd at `control` with `coordinator`, as exporter `name`.

    Clients reach an acquired port at `host`, where it listens at the address `listen`; through ssh
    to `proxy`, if there is one.
    """

    def __init__(
        self, control: str, coordinator: str, name: str, *, listen: str, host: str, proxy: str = ""
    ) -> None:
        self._control = control
        self._coordinator = coordinator if ":" in coordinator else f"{coordinator}:20408"
        self._name = name
        self._listen = listen
        self._host = host
        self._proxy = proxy
        self._book = Book()
        self._gates: dict[str, Gate] = {}
        self._out: asyncio.Queue[Any] | None = None
        """What the coordinator is to be told; None while there is none."""
        self._dropping: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Until SIGTERM or SIGINT; then what was acquired is given back."""
        loop = asyncio.get_running_loop()
        task = asyncio.current_task()
        assert task is not None
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
        try:
            async with asyncio.TaskGroup() as both:
                both.create_task(self._follow_gateway())
                both.create_task(self._follow_coordinator())
        except asyncio.CancelledError:
            LOG.info("stopping")
        finally:
            await self._drop_all()

    # ---- gatewayd's side

    async def _follow_gateway(self) -> None:
        pause = RETRY_S[0]
        while True:
            try:
                async for answer in self._changes():
                    pause = RETRY_S[0]
                    self._tell(self._book.told(answer.get("names"), answer.get("ports", ())))
                why = "it closed the connection"
            except (OSError, ValueError, KeyError, asyncio.IncompleteReadError) as error:
                why = str(error)
            LOG.warning("gatewayd at %s: %s", self._control, why)
            self._tell(self._book.silent())
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_S[1])

    async def _changes(self) -> AsyncIterator[dict[str, Any]]:
        reader, writer = await asyncio.open_unix_connection(self._control, limit=MOST)
        try:
            call = {"method": f"{interface.NAME}.Changes", "more": True}
            writer.write(json.dumps(call).encode() + b"\0")
            while True:
                message = json.loads((await reader.readuntil(b"\0"))[:-1])
                if "error" in message:
                    raise ValueError(message["error"])
                yield message["parameters"]
        finally:
            writer.close()

    # ---- the coordinator's side

    async def _follow_coordinator(self) -> None:
        pause = RETRY_S[0]
        while True:
            try:
                async with grpc.aio.insecure_channel(
                    self._coordinator, options=KEEPALIVE
                ) as channel:
                    self._out = asyncio.Queue()
                    self._out.put_nowait(self._startup())
                    stream = pb2_grpc.CoordinatorStub(channel).ExporterStream(self._sent())
                    async for message in stream:
                        pause = RETRY_S[0]
                        await self._take(message)
                why = "it closed the connection"
            except grpc.aio.AioRpcError as error:
                why = error.details() or str(error.code())
            self._out = None
            LOG.warning("coordinator %s: %s", self._coordinator, why)
            if self._dropping is None:
                self._dropping = asyncio.create_task(self._drop_late())
            await asyncio.sleep(pause)
            pause = min(2 * pause, RETRY_S[1])

    async def _sent(self) -> AsyncIterator[Any]:
        assert self._out is not None
        while True:
            yield await self._out.get()

    def _startup(self) -> Any:
        message = pb2.ExporterInMessage()
        message.startup.version = labgrid_version()
        message.startup.name = self._name
        return message

    async def _take(self, message: Any) -> None:
        match message.WhichOneof("kind"):
            case "hello":
                LOG.info("exporter %s is ready", self._name)
                if self._dropping is not None:
                    self._dropping.cancel()
                    self._dropping = asyncio.create_task(self._drop_late())
                # The coordinator asks again for what its places had.
                for name in self._gates:
                    self._book.released(name)
                self._tell(self._book.resources)
            case "set_acquired_request":
                await self._asked(message.set_acquired_request)
            case other:
                LOG.warning("the coordinator sent %s, which is not known here", other)

    async def _asked(self, request: Any) -> None:
        name, place = request.group_name, request.place_name
        answer = pb2.ExporterInMessage()
        try:
            if request.resource_name != RESOURCE or name not in self._book.resources:
                raise GatewayError(f"there is no {name}/{request.resource_name}")
            if place:
                await self._acquire(name, place)
            else:
                await self._release(name)
            answer.response.success = True
        except GatewayError as error:
            LOG.warning("%s is refused to %s: %s", name, place or "be released", error)
            answer.response.success = False
            answer.response.reason = str(error)
        if self._out is not None:
            self._tell((name,))
            self._out.put_nowait(answer)

    async def _acquire(self, name: str, place: str) -> None:
        gate = self._gates.get(name)
        if gate is not None and gate.place != place:
            await self._release(name)
            gate = None
        if gate is None:
            gate = Gate(self._control, name, place)
            await gate.open(self._listen)
            self._gates[name] = gate
        self._book.acquired(name, place, gate.port)
        LOG.info("%s is acquired by %s, at TCP port %d", name, place, gate.port)

    async def _release(self, name: str) -> None:
        gate = self._gates.pop(name, None)
        self._book.released(name)
        if gate is not None:
            await gate.close()
            LOG.info("%s is released by %s", name, gate.place)

    async def _drop_late(self) -> None:
        """Give back what nobody has asked for again in time."""
        await asyncio.sleep(GRACE_S)
        self._dropping = None
        for name in [
            name for name in self._gates if not self._book.of(name).place or not self._out
        ]:
            await self._release(name)

    async def _drop_all(self) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
        for name in tuple(self._gates):
            with suppress(GatewayError):
                await self._release(name)

    def _tell(self, names: Iterable[str]) -> None:
        """Tell the coordinator of these resources."""
        if self._out is None:
            return
        for name in names:
            one = self._book.of(name)
            params: dict[str, Any] = {
                "host": self._host,
                "port": one.port or None,
                "speed": one.speed,
                "protocol": "rfc2217",
                "extra": {"proxy": self._proxy, "proxy_required": bool(self._proxy)},
            }
            data = {
                "cls": RESOURCE,
                "params": params,
                "acquired": one.place or None,
                "avail": one.available,
            }
            message = pb2.ExporterInMessage()
            message.resource.CopyFrom(ResourceEntry(data).as_pb2())
            message.resource.path.group_name = name
            message.resource.path.resource_name = RESOURCE
            self._out.put_nowait(message)
