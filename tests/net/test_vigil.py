"""A client that does not read is not gone, and one that is gone is noticed."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from contextlib import AsyncExitStack
from typing import Final

from gatewayd.config.schema import Address, Face
from gatewayd.net.address import bind
from gatewayd.net.vigil import LOOK
from tests.net.hosts import GATEWAY, Hosts
from tests.net.stand import Stand, run, standing
from tests.same import same
from tests.spell import pace, quiet
from tests.until import turning

TIMEOUT: Final = 1.0
"""Seconds; keepalive knows no shorter time."""


def user_timeout(stand: Stand) -> int:
    return stand.option(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def kept(stand: Stand) -> bool:
    return stand.connection.vigil is not None


def test_a_client_that_does_not_read_for_long_keeps_its_session_and_gets_all() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=TIMEOUT) as stand:
            client = await stand.let_in(receive_buffer=4096)
            limit = user_timeout(stand)
            assert limit == TIMEOUT * 1000
            sent = await stand.device_sends_until_held_up()
            await turning(lambda: user_timeout(stand) == 0)
            await pace(2.5 * TIMEOUT)
            assert stand.port.owner is not None
            await client.sends(b"alive")
            await stand.device_gets(b"alive")
            same(await client.gets(len(sent)), sent)
            await turning(lambda: user_timeout(stand) == limit)
            await stand.device_sends(b"and on")
            assert await client.gets(6) == b"and on"

    run(scenario())


def test_one_that_does_not_read_for_long_is_there_after_a_restart_too() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=TIMEOUT) as stand:
            client = await stand.let_in(receive_buffer=4096)
            limit = user_timeout(stand)
            sent = await stand.device_sends_until_held_up()
            before = stand.connection
            session = before.session
            assert session is not None
            snapshot = session.snapshot()
            before.stop_reading()
            kept: list[int] = []
            unsent = before.give_away(lambda fd: kept.append(os.dup(fd)))
            # Between the two nobody is there who could see that the client lives.
            handed = socket.socket(fileno=kept[0])
            assert handed.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 0
            await pace(1.5 * TIMEOUT)
            stand.port.clients.leave(session)
            stand.listener.inherit(handed, snapshot, unsent)
            before.drop()
            await asyncio.sleep(0)
            await turning(lambda: user_timeout(stand) == 0)
            same(await client.gets(len(sent)), sent)
            await turning(lambda: user_timeout(stand) == limit)

    run(scenario())


def test_another_timeout_holds_for_one_that_does_not_read_once_it_reads_again() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=TIMEOUT) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            assert kept(stand)
            # Before it was looked at, and while the kernel's limit is off.
            stand.connection.expect(1.5 * TIMEOUT)
            assert user_timeout(stand) == 1500 * TIMEOUT
            await turning(lambda: user_timeout(stand) == 0)
            stand.connection.expect(2 * TIMEOUT)
            assert user_timeout(stand) == 0
            same(await client.gets(len(sent)), sent)
            await turning(lambda: not kept(stand))
            assert user_timeout(stand) == 2000 * TIMEOUT

    run(scenario())


def test_an_idle_connection_has_no_timer() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217, peer_timeout=TIMEOUT / 4) as stand:
            client = await stand.let_in()
            assert len(await client.gets(15)) == 15
            assert not kept(stand)
            await stand.device_sends(b"x")
            await turning(lambda: kept(stand))
            await turning(lambda: not kept(stand))

    run(scenario())


def test_a_session_that_ends_takes_its_vigil_along() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=TIMEOUT / 4) as stand:
            client = await stand.let_in()
            await stand.device_sends(b"x")
            await turning(lambda: kept(stand))
            client.resets()
            await stand.free()
            await quiet(TIMEOUT / 4 * LOOK)  # whatever was left over would act by now

    run(scenario())


def test_peers_that_vanish_free_their_ports(hosts: Hosts) -> None:
    async def gone(stand: Stand) -> float:
        """Wait until the port is free; how long that took."""
        began = time.monotonic()
        freed = asyncio.Event()
        stand.port.on_change = freed.set
        await freed.wait()
        assert stand.port.owner is None
        return time.monotonic() - began

    async def scenario() -> None:
        async with AsyncExitStack() as stack:
            idle, busy, full = [
                await stack.enter_async_context(
                    standing(
                        Face.RAW,
                        listening=hosts.at_gateway(lambda: bind(Address(GATEWAY, 0))),
                        peer_timeout=TIMEOUT,
                    )
                )
                for _ in range(3)
            ]
            await idle.let_in(made=hosts.far_away(socket.socket))
            await busy.let_in(made=hosts.far_away(socket.socket))
            await full.let_in(made=hosts.far_away(socket.socket), receive_buffer=4096)
            await full.device_sends_until_held_up()
            await turning(lambda: user_timeout(full) == 0)
            hosts.vanish()
            await busy.device_sends(bytes(1000))
            for seconds in await asyncio.gather(gone(idle), gone(busy), gone(full)):
                assert seconds < 6 * TIMEOUT

    run(scenario())
