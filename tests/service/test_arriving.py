"""Who has connected and has no session yet is told when that will not come to be."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from gatewayd.config.schema import Address, Config, Face, PortConfig
from gatewayd.net.address import bind
from gatewayd.net.arrival import Step
from gatewayd.service import reload
from gatewayd.service.gateway import Gateway
from gatewayd.service.handover import give
from gatewayd.service.store import Store
from gatewayd.value import replace
from tests.until import turning


async def removed(gateway: Gateway) -> None:
    await gateway.remove("psu1")


async def handed_over(gateway: Gateway) -> None:
    await give(gateway, Store())
    await gateway.stop()


async def moved(gateway: Gateway) -> None:
    served = gateway.served["psu1"]
    at = served.listeners[0].address
    before = replace(served.port.config, rfc2217=(at,))
    after = replace(before, rfc2217=(Address("127.0.0.2", 0),))
    await reload.apply(gateway, Config((before,)), Config((after,)))


@pytest.mark.parametrize(
    ("happens", "word"),
    [
        (removed, b"psu1: the port is closed by the gateway"),
        (handed_over, b"psu1: the gateway is restarted, come again"),
        (moved, b"psu1: this address is served no more"),
    ],
)
def test_it_is_closed_with_a_word(
    happens: Callable[[Gateway], Awaitable[None]], word: bytes
) -> None:
    async def scenario() -> None:
        gateway = Gateway(Store())
        sock = bind(Address("127.0.0.1", 0))
        served = gateway.add(PortConfig("psu1", "/dev/none"), [(Face.RFC2217, sock)])
        (listener,) = served.listeners
        listener.way = [Step]
        reader, writer = await asyncio.open_connection(*sock.getsockname()[:2])
        await turning(lambda: listener.connections)
        _, got = await asyncio.gather(happens(gateway), reader.read())
        assert got.strip() == word
        writer.close()
        if gateway.served:
            await gateway.stop()

    asyncio.run(scenario())
