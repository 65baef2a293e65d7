"""A client that does not read is not gone, and one that is gone is noticed."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Final

import pytest

from gatewayd.config.schema import Address, Face
from gatewayd.net.listener import bind
from gatewayd.net.vigil import LOOK
from tests.net.hosts import GATEWAY, Hosts
from tests.net.stand import Stand, run, standing, until

TIMEOUT: Final = 1.0
"""Seconds; keepalive knows no shorter time."""
SHORT: Final = 0.4


def user_timeout(stand: Stand) -> int:
    return stand.connection._sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)


def kept(stand: Stand) -> bool:
    return stand.connection._vigil is not None


def test_a_client_that_does_not_read_for_long_keeps_its_session_and_gets_all() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=SHORT) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            await asyncio.sleep(4 * SHORT)  # the time that it is about
            assert stand.port.owner is not None
            await client.sends(b"alive")
            await stand.device_gets(b"alive")
            assert await client.gets(len(sent)) == sent
            await stand.device_sends(b"and on")
            assert await client.gets(6) == b"and on"

    run(scenario())


def test_the_kernels_limit_is_back_when_the_client_reads_again() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=SHORT) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            assert user_timeout(stand) == SHORT * 1000
            await until(lambda: user_timeout(stand) == 0)
            assert await client.gets(len(sent)) == sent
            await until(lambda: user_timeout(stand) == SHORT * 1000)

    run(scenario())


def test_an_idle_connection_has_no_timer() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217, peer_timeout=SHORT) as stand:
            client = await stand.let_in()
            assert len(await client.gets(15)) == 15
            assert not kept(stand)
            await stand.device_sends(b"x")
            await until(lambda: kept(stand))
            await until(lambda: not kept(stand))

    run(scenario())


def test_a_session_that_ends_takes_its_vigil_along() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, peer_timeout=SHORT) as stand:
            client = await stand.let_in()
            await stand.device_sends(b"x")
            client.resets()
            await stand.free()
            await asyncio.sleep(SHORT * LOOK)  # whatever was left over would act by now

    run(scenario())


# ---- ghosts


@pytest.mark.parametrize("what", ["idle", "in mid transfer", "not reading"])
def test_a_peer_that_vanishes_frees_the_port(hosts: Hosts, what: str) -> None:
    async def scenario() -> None:
        listening = hosts.at_gateway(lambda: bind(Address(GATEWAY, 0)))
        async with standing(Face.RAW, listening=listening, peer_timeout=TIMEOUT) as stand:
            buffer = 4096 if what == "not reading" else None
            await stand.let_in(receive_buffer=buffer, made=hosts.far_away(socket.socket))
            if what == "not reading":
                await stand.device_sends_until_held_up()
                await until(lambda: user_timeout(stand) == 0)
            hosts.vanish()
            if what == "in mid transfer":
                await stand.device_sends(bytes(1000))
            began = time.monotonic()
            freed = asyncio.Event()
            stand.port.on_change = freed.set
            await freed.wait()
            assert stand.port.owner is None
            assert time.monotonic() - began < 6 * TIMEOUT

    run(scenario())
