"""TCP urgent data: the Synch of Telnet (RFC 854), in every order that the network may make."""

from __future__ import annotations

import fcntl
import socket
from functools import partial

import pytest

from gatewayd.config.schema import Face
from gatewayd.port import telnet_session
from gatewayd.telnet.constants import Command
from tests.net.stand import AGREED, run, standing, telnet_client
from tests.port.wire import DM, IAC, command
from tests.until import turning

pytestmark = pytest.mark.usefixtures("reading")


def test_data_and_synch_in_one_burst() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            client.sends_urgent(b"discarded" + DM)
            await client.sends(b"kept")
            await stand.device_gets(b"kept")

    run(scenario())


def test_data_that_was_passed_on_before_the_synch_stays() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            await client.sends(b"before")
            await stand.device_gets(b"before")
            client.sends_urgent(DM)
            await client.sends(b"behind")
            await stand.device_gets(b"beforebehind")

    run(scenario())


def test_a_dm_that_comes_alone_behind_its_iac() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            await client.sends(b"before" + IAC)
            await stand.device_gets(b"before")
            client.sends_urgent(DM[1:])
            await client.sends(b"behind")
            await stand.device_gets(b"beforebehind")

    run(scenario())


def test_an_urgent_pointer_that_is_one_further_on() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            client.sends_urgent(b"discarded" + DM + b"k")
            await client.sends(b"ept")
            await stand.device_gets(b"kept")

    run(scenario())


def test_functions_before_the_dm_act() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            client.sends_urgent(b"lost" + command(Command.IP) + b"lost" + DM)
            await client.sends(b"on")
            await stand.device_gets(b"\x03on")

    run(scenario())


def test_one_synch_after_the_other() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            passed = b""
            for number in range(5):
                client.sends_urgent(b"discarded" + DM)
                await client.sends(b"%d" % number)
                passed += b"%d" % number
                await stand.device_gets(passed)

    run(scenario())


def test_a_synch_reaches_a_gateway_that_does_not_read() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            stand.line.stop(True)
            session = stand.connection.session
            assert session is not None

            def all_read(sent: int) -> bool:
                return session.bytes_in == sent

            sent = len(AGREED)
            while stand.port.outbox.load <= telnet_session.LOOK_AHEAD_BYTES:
                await client.sends(bytes(16384))
                sent += 16384
                await turning(partial(all_read, sent))
            await client.sends(b"not read")
            client.sends_urgent(command(Command.IP) + DM)
            await client.sends(b"on")
            await turning(lambda: stand.port.outbox.waiting == len(b"\x03on"))
            assert stand.connection.reading
            taken = stand.line.unsent()
            stand.line.stop(False)
            await stand.device_gets(bytes(taken) + b"\x03on")

    run(scenario())


def at_mark(sock: socket.socket) -> bool:
    return any(fcntl.ioctl(sock, 0x8905, bytes(4)))


def test_abort_output_is_answered_with_a_synch() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
            await client.sends(command(Command.AO))
            assert await client.gets(1) == IAC
            assert at_mark(client.sock)
            assert await client.gets(1) == DM[1:]

    run(scenario())


def test_urgent_data_is_data_on_the_raw_face() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            client.sends_urgent(b"abc")
            await client.sends(b"def")
            await stand.device_gets(b"abcdef")

    run(scenario())
