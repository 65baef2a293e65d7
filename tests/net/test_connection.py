"""A connection as the peer of a session: real sockets, every way to end, urgent data."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Callable, Coroutine
from typing import Final

import pytest

from gatewayd.config.schema import Face
from gatewayd.line.model import Purge
from gatewayd.log import Happening
from gatewayd.net import connection as module
from gatewayd.net.tcp import peer_name
from gatewayd.port import farewell, leftover, telnet_face, telnet_session
from gatewayd.port.peer import HIGH_BYTES
from gatewayd.port.phase import Cue
from tests.net.stand import HOLDING, Client, Stand, run, standing, telnet_client
from tests.port.desk import SINCE
from tests.same import same
from tests.until import turning

pytestmark = pytest.mark.usefixtures("reading")

EVERY_BYTE: Final = bytes(range(256))
PLENTY: Final = EVERY_BYTE * 2048


# ---- bytes


def test_half_a_megabyte_passes_both_ways_at_once() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            sends = asyncio.gather(client.sends(PLENTY), stand.device_sends(PLENTY))
            assert await client.gets(len(PLENTY)) == PLENTY
            await sends
            await stand.device_gets(PLENTY)

    run(scenario())


def test_a_client_that_does_not_read_stops_the_line_and_gets_all_later() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            assert stand.connection.backlog() < HIGH_BYTES + 2 * 4096
            same(await client.gets(len(sent)), sent)
            assert stand.line.is_read()
            assert stand.connection.backlog() == 0

    run(scenario())


def test_a_device_that_takes_nothing_stops_the_client_and_gets_all_later() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            client.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65536)
            stand.line.stop(True)
            sending = asyncio.ensure_future(client.sends(PLENTY * 2))
            await turning(lambda: stand.port.outbox.waiting)
            assert stand.port.outbox.waiting <= stand.port.settling.window
            assert not sending.done()
            stand.line.stop(False)
            await sending
            await stand.device_gets(PLENTY * 2)

    run(scenario())


def test_a_slow_client_holds_up_nobody_else() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as slow, standing(Face.RAW) as other:
            await slow.let_in(receive_buffer=4096)
            await slow.device_sends_until_held_up()
            client = await other.let_in()
            await client.sends(PLENTY)
            await other.device_gets(PLENTY)

    run(scenario())


# ---- how a client leaves


def test_a_half_closed_client_gets_the_answer_and_then_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.1)

    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            await client.sends(b"*IDN?\n")
            client.half_closes()
            await stand.device_gets(b"*IDN?\n")
            await stand.device_sends(b"ACME,PSU\n")
            assert await client.gets_all() == b"ACME,PSU\n"
            await stand.free()

    run(scenario())


@pytest.mark.parametrize("read", [True, False], ids=["read", "not read"])
def test_a_client_that_is_sent_away_and_closes_its_side_gets_what_was_kept_for_it(
    read: bool,
) -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            if not read:
                stand.line.stop(True)
                client.sends_what_fits(PLENTY)
                await turning(lambda: not stand.connection.reading)
            owner = stand.port.owner
            assert owner is not None
            stand.port.clients.dismiss("by hand")
            assert stand.connection.backlog()
            client.half_closes()
            same(await client.gets_all(), sent[: owner.bytes_out])
            await stand.free()

    run(scenario())


def test_what_a_client_sent_before_it_closed_goes_to_the_line_when_the_line_takes_it() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            stand.line.stop(True)
            data = PLENTY[: 4 * stand.port.settling.window]
            await client.sends(data)
            await turning(lambda: stand.port.outbox.waiting)
            client.closes()
            stand.line.stop(False)
            await stand.device_gets(data)

    run(scenario())


async def reading(stand: Stand, client: Client) -> None:
    """An idle session."""


async def line_full(stand: Stand, client: Client) -> None:
    """The client is not read, because the line is stuck."""
    stand.line.stop(True)
    await client.sends(bytes(2 * stand.port.settling.window))
    await turning(lambda: stand.port.outbox.waiting)


async def client_full(stand: Stand, client: Client) -> None:
    """The line is not read, because the client does not read."""
    await stand.device_sends_until_held_up()


async def half_closed(stand: Stand, client: Client) -> None:
    """The client has closed its side, the line still sends."""
    client.half_closes()
    session = stand.connection.session
    assert session is not None
    await turning(lambda: session.leaving)


async def closing(stand: Stand, client: Client) -> None:
    """The gateway has closed, the client has not yet."""
    assert stand.port.owner is not None
    stand.port.owner.end()


async def closing_with_unsent(stand: Stand, client: Client) -> None:
    """The gateway has closed, and the client has not read everything."""
    await stand.device_sends_until_held_up()
    await closing(stand, client)


async def device_away(stand: Stand, client: Client) -> None:
    """The device is unplugged."""
    stand.line.unplug()
    await turning(lambda: stand.port.line is None)


def test_a_client_that_closed_behind_a_stuck_line_makes_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(leftover, "HURRY_S", 0.05)

    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            await line_full(stand, client)
            await client.sends(b"never read")
            client.closes()
            session = stand.connection.session
            assert session is not None
            await turning(lambda: session.leaving)
            second = await stand.let_in()
            assert stand.port.owner is not session
            await stand.device_sends(b"for the second")
            assert await second.gets(14) == b"for the second"

    run(scenario())


def test_all_that_is_kept_for_a_client_is_sent_before_it_counts_as_flushed() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            await stand.connection.flushed()
            sent = await stand.device_sends_until_held_up()
            flushed = asyncio.ensure_future(stand.connection.flushed())
            assert stand.connection.backlog()
            assert not flushed.done()
            same(await client.gets(len(sent)), sent)
            await flushed
            assert stand.connection.backlog() == 0

    run(scenario())


def test_a_connection_that_ends_counts_as_flushed() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            await stand.device_sends_until_held_up()
            flushed = asyncio.ensure_future(stand.connection.flushed())
            client.resets()
            await flushed

    run(scenario())


State = Callable[[Stand, Client], Coroutine[None, None, None]]
STATES: list[State] = [
    reading,
    line_full,
    client_full,
    half_closed,
    closing,
    closing_with_unsent,
    device_away,
]


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_a_reset_ends_the_session_in_every_state(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nothing else ends it.
    monkeypatch.setattr(module, "CLOSE_S", 60.0)
    monkeypatch.setattr(farewell, "QUIET_S", 60.0)

    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            await state(stand, client)
            client.resets()
            await stand.free()
            if stand.port.line is not None:
                stand.line.stop(False)
                stand.line.purge(Purge.BOTH)
                second = await stand.let_in()
                await stand.device_sends(b"next")
                assert await second.gets(4) == b"next"

    run(scenario())


def test_a_reset_of_a_client_that_waits_for_the_device_is_noticed() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, plugged=False) as stand:
            stand.port.move(Cue.TRY, "being opened")
            client = stand.connects()
            await turning(lambda: stand.listener.connections)
            client.resets()
            await stand.free()

    run(scenario())


def test_a_reset_that_comes_before_all_was_read_is_noticed_when_reading_stops(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(telnet_face, "READ_BYTES", 1000)
    monkeypatch.setattr(telnet_session, "LOOK_AHEAD_BYTES", 10_000)

    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await telnet_client(stand)
            stand.line.stop(True)
            await client.sends(bytes(stand.port.settling.window))
            await turning(lambda: stand.line.unsent() == stand.port.settling.window)
            assert client.sends_what_fits(bytes(40_000)) == 40_000
            client.resets()
            await stand.free()

    run(scenario())


def test_a_client_that_is_gone_before_it_was_accepted_harms_nothing() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            host, number = stand.listener.socket.getsockname()
            for _ in range(10):
                sock = socket.create_connection((host, number))
                Client(sock).resets()
            await turning(lambda: stand.port.counters.sessions + stand.port.counters.refused >= 10)
            await stand.free()
            client = await telnet_client(stand)
            await client.sends(b"works")
            await stand.device_gets(b"works")

    run(scenario())


# ---- how the gateway closes


def test_the_last_words_arrive_although_the_clients_own_were_not_read() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            await stand.let_in()
            second = stand.connects()
            sending = asyncio.ensure_future(second.sends(bytes(100_000)))
            said = await second.gets_all()
            assert b"in use by 127.0.0.1" in said
            await sending

    run(scenario())


def test_everything_that_the_device_sent_arrives_before_the_gateway_closes() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            session = stand.port.owner
            assert session is not None
            session.end()
            got = await client.gets_all()
            assert len(got) == session.bytes_out
            assert sent.startswith(got)

    run(scenario())


def error_of(client: Client) -> int:
    return client.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


def test_a_client_that_does_not_close_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CLOSE_S", 0.05)

    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            assert stand.port.owner is not None
            stand.port.owner.end()
            assert await client.gets_all() == b""
            await stand.free()
            client.sends_what_fits(b"too late")
            await turning(lambda: error_of(client) in (errno.ECONNRESET, errno.EPIPE))

    run(scenario())


def test_a_fault_of_ours_costs_that_client_only(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()

            def broken(data: bytes) -> None:
                raise ZeroDivisionError

            session = stand.connection.session
            assert session is not None
            session.receive = broken  # type: ignore[method-assign]
            await client.sends(b"x")
            await stand.free()
            second = await stand.let_in()
            await second.sends(b"works")
            await stand.device_gets(b"works")

    run(scenario())
    (record,) = (r for r in caplog.records if vars(r)["happening"] is Happening.FAULT)
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None


# ---- hand-over


def test_a_connection_goes_on_in_other_hands_with_what_was_unsent() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in(receive_buffer=4096)
            sent = await stand.device_sends_until_held_up()
            before = stand.connection
            session = before.session
            assert session is not None
            snapshot = session.snapshot()
            before.stop_reading()
            kept: list[int] = []
            unsent = before.give_away(lambda fd: kept.append(os.dup(fd)))
            assert unsent
            stand.port.clients.leave(session)
            stand.listener.inherit(socket.socket(fileno=kept[0]), snapshot, unsent)
            before.drop()
            same(await client.gets(len(sent)), sent)
            await client.sends(b"on")
            await stand.device_gets(b"on")

    run(scenario())


def test_nothing_is_read_once_reading_was_stopped() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            client = await stand.let_in()
            stand.connection.stop_reading()
            stand.connection.resume_reading()
            await client.sends(b"for the next process")
            await stand.device_sends(b"x")
            assert await client.gets(1) == b"x"
            assert stand.line.sent == b""
            assert not stand.connection.reading

    run(scenario())


def test_a_snapshot_that_is_none_closes_the_connection() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            ours, theirs = socket.socketpair()
            ours.setblocking(False)
            with pytest.raises(KeyError):
                stand.listener.inherit(
                    ours, {"since": SINCE.isoformat(), "peername": "192.0.2.1:1"}, b""
                )
            assert theirs.recv(1) == b""
            theirs.close()

    run(scenario())


# ---- options


@pytest.mark.parametrize("face", HOLDING)
def test_the_options_of_a_connection_are_really_set(face: Face) -> None:
    async def scenario() -> None:
        async with standing(face, peer_timeout=42.0) as stand:
            await stand.let_in()
            found = {
                name: stand.option(level, getattr(socket, name))
                for level, names in (
                    (socket.SOL_SOCKET, ["SO_KEEPALIVE", "SO_OOBINLINE"]),
                    (
                        socket.IPPROTO_TCP,
                        [
                            "TCP_NODELAY",
                            "TCP_KEEPIDLE",
                            "TCP_KEEPINTVL",
                            "TCP_KEEPCNT",
                            "TCP_USER_TIMEOUT",
                        ],
                    ),
                )
                for name in names
            }
            assert found == {
                "SO_KEEPALIVE": 1,
                "SO_OOBINLINE": 1,
                "TCP_NODELAY": 1,
                "TCP_KEEPIDLE": 21,
                "TCP_KEEPINTVL": 7,
                "TCP_KEEPCNT": 3,
                "TCP_USER_TIMEOUT": 42_000,
            }

    run(scenario())


@pytest.mark.parametrize(
    ("address", "text"),
    [
        (("192.0.2.7", 4001), "192.0.2.7:4001"),
        (("::ffff:192.0.2.7", 4001, 0, 0), "192.0.2.7:4001"),
        (("2001:db8::7", 4001, 0, 0), "[2001:db8::7]:4001"),
    ],
)
def test_a_client_is_called_by_its_address(address: tuple[object, ...], text: str) -> None:
    assert peer_name(address) == text
