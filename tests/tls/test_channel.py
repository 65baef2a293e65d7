"""The channel: what memory holds and the kernel does not know of, and how it ends."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from os import urandom
from time import process_time
from typing import Any

import pytest

from gatewayd.config.schema import ClientCertificate, Face
from gatewayd.line.model import LineSettings
from gatewayd.port import farewell
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.tls.channel import READ_BYTES, TlsChannel
from tests.net.stand import Stand, run, standing
from tests.same import same
from tests.spell import quiet
from tests.tls import far
from tests.until import turning


@asynccontextmanager
async def secured(face: Face = Face.RAW, **changes: Any) -> AsyncIterator[Stand]:
    async with standing(face, **changes) as stand:
        far.speaks_tls(stand)
        yield stand


def test_two_records_in_one_segment_are_both_delivered() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            client.sock.send(client.encrypts(b"one,") + client.encrypts(b"two"))
            await stand.device_gets(b"one,two")

    run(scenario())


def test_records_before_a_broken_one_in_the_same_segment_are_delivered() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            good, broken = client.encrypts(b"one"), bytearray(client.encrypts(b"two"))
            broken[-1] ^= 1
            client.sock.send(good + broken)
            await stand.device_gets(b"one")
            await stand.free()

    run(scenario())


def test_records_before_close_notify_in_the_same_segment_are_delivered() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            data = client.encrypts(b"one,") + client.encrypts(b"two")
            client.sock.send(data + client.says_close())
            await stand.device_gets(b"one,two")
            await stand.free()

    run(scenario())


def test_a_record_larger_than_a_read_is_delivered_whole() -> None:
    """On the raw face one read is what the line takes: the rest waits in memory, not in epoll."""

    async def scenario() -> None:
        async with secured(line=LineSettings(baudrate=115200)) as stand:
            client = await far.let_in(stand)
            data = bytes(range(250)) * 24
            await client.sends(data)
            await stand.device_gets(data)

    run(scenario())


def test_a_record_in_pieces_is_delivered_when_it_is_whole() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            for byte in client.encrypts(b"slowly"):
                client.sock.send(bytes((byte,)))
                await asyncio.sleep(0)
            await stand.device_gets(b"slowly")

    run(scenario())


@pytest.mark.parametrize("slow", [False, True])
def test_what_comes_with_the_end_of_the_handshake_is_answered(slow: bool) -> None:
    async def scenario() -> None:
        async with secured() as stand:
            far.speaks_tls(stand, replace(far.identity(), slow=slow))
            client = far.TlsClient(stand.connects())
            await client.shakes_hands(with_last=b"*IDN?\n")
            await stand.device_gets(b"*IDN?\n")
            await stand.device_sends(b"ACME\n")
            assert await client.gets(5) == b"ACME\n"

    run(scenario())


def test_close_notify_ends_the_session_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.3)

    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            await client.sends(b"*IDN?\n")
            client.half_closes()
            await stand.device_gets(b"*IDN?\n")
            await stand.device_sends(b"ACME\n")
            # It is still served; nothing is read again and again meanwhile.
            began, turns = process_time(), 0
            loop = asyncio.get_running_loop()
            over = loop.time() + 0.2
            while loop.time() < over:
                await quiet(0.05)
                turns += 1
            assert process_time() - began < 0.1
            assert await client.gets_all() == b"ACME\n"
            await stand.free()

    run(scenario())


def test_our_end_is_told_inside_of_tls() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            await stand.device_sends(b"last")
            await client.gets(4)
            assert stand.port.owner is not None
            stand.port.owner.end()
            # Not by FIN alone, which anybody on the way could send.
            with pytest.raises(ssl.SSLZeroReturnError):
                await client.reads_on()

    run(scenario())


def test_a_client_that_ends_without_close_notify_has_ended() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            client.sock.shutdown(socket.SHUT_WR)
            await stand.free()

    run(scenario())


def test_ciphertext_that_is_not_taken_counts_as_backlog() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            sent = await stand.device_sends_until_held_up()
            connection = stand.connection
            assert connection.backlog() > HIGH_BYTES
            # The kernel's buffers are bounded as well.
            received = await client.gets(len(sent))
            assert received == sent, "other bytes than were sent"
            await turning(lambda: not connection.backlog() and stand.line.is_read())

    run(scenario())


def test_a_broken_record_ends_its_connection_alone() -> None:
    async def scenario() -> None:
        async with secured() as stand:
            client = await far.let_in(stand)
            await client.sends(b"good")
            await stand.device_gets(b"good")
            record = bytearray(client.encrypts(b"bad"))
            record[-1] ^= 1
            client.sock.send(record)
            await stand.free()
            assert bytes(stand.line.sent) == b"good"
            other = await far.let_in(stand)
            await other.sends(b"!")
            await stand.device_gets(b"good!")

    run(scenario())


class _Told:
    """The ties of a channel, and who waits for its handshake."""

    done = turns = 0

    def read_again(self) -> None:
        self.turns += 1

    def wait_writable(self) -> None:
        raise AssertionError("the socket took less than all")

    def agreed(self, tls: ssl.SSLObject) -> None:
        self.done += 1

    def failed(self, reason: str) -> None:
        raise AssertionError(reason)

    def hold(self) -> None:
        raise AssertionError("it is not slow")

    go_on = hold


def test_a_stream_of_whole_records_takes_no_more_turns_where_a_read_has_torn_one() -> None:
    here, there = socket.socketpair()
    with here, there:
        here.setblocking(False)
        here.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        there.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        told, side = _Told(), far.identity().server_side(ClientCertificate.NONE)
        channel = TlsChannel(here, told, side, early=b"", waiting=told, slow=False, most=1 << 16)
        theirs, to_send = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = far.context().wrap_bio(theirs, to_send, server_hostname="localhost")
        while not told.done:
            with suppress(ssl.SSLWantReadError):
                client.do_handshake()
            there.send(to_send.read())
            with suppress(BlockingIOError):
                channel.recv(READ_BYTES)
            theirs.write(there.recv(1 << 16))
        data = urandom(12 * far.RECORD_BYTES)
        for start in range(0, len(data), far.RECORD_BYTES):
            client.write(data[start : start + far.RECORD_BYTES])
        wire, told.turns = to_send.read(), 0
        got = []
        # A piece of a record comes first, so that each read ends within one.
        for part in (wire[:10_000], wire[10_000:]):
            there.send(part)
            with suppress(BlockingIOError):
                while True:
                    got.append(channel.recv(READ_BYTES))
        same(b"".join(got), data)
        assert len(got) == 3
        assert not told.turns
