"""Clients that come one upon the other: each has its turn, with what it sent."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.config.schema import Face
from gatewayd.port import arbiter, farewell
from tests.net.stand import HOLDING, Client, Stand, run, standing
from tests.until import turning

pytestmark = pytest.mark.usefixtures("reading")

FACES = pytest.mark.parametrize("face", HOLDING, ids=lambda face: face.value)


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.1)
    monkeypatch.setattr(farewell, "TICK_S", 0.02)


def said(count: int) -> list[bytes]:
    return [b"CMD %d\n" % number for number in range(count)]


async def says(stand: Stand, words: bytes) -> Client:
    """A client that connects, sends and closes at once, as `echo > /dev/tcp/...` does."""
    client = stand.connects()
    await client.sends(words)
    client.closes()
    return client


@FACES
def test_each_command_of_a_script_that_opens_the_port_for_each_arrives_in_order(
    face: Face,
) -> None:
    async def scenario() -> None:
        async with standing(face) as stand:
            for words in said(6):
                await says(stand, words)
            await stand.device_gets(b"".join(said(6)))
            await stand.free()
            assert stand.port.counters.refused == 0

    run(scenario())


@FACES
def test_so_does_each_of_a_script_that_opens_them_all_at_once(face: Face) -> None:
    async def scenario() -> None:
        async with standing(face) as stand:
            clients = [stand.connects() for _ in range(4)]
            for client, words in zip(clients, said(4), strict=True):
                await client.sends(words)
            for client in clients:
                client.closes()
            await stand.device_gets(b"".join(said(4)))
            await stand.free()
            assert stand.port.counters.refused == 0

    run(scenario())


@FACES
def test_clients_that_send_and_close_before_they_are_accepted_have_their_turn(face: Face) -> None:
    async def scenario() -> None:
        async with standing(face) as stand:
            stand.listener.pause()
            for words in said(4):
                await says(stand, words)
            stand.listener.resume()
            await stand.device_gets(b"".join(said(4)))

    run(scenario())


@FACES
def test_what_came_while_the_device_was_being_opened_goes_to_it_in_order(face: Face) -> None:
    async def scenario() -> None:
        async with standing(face, plugged=False) as stand:
            stand.tries()
            for words in said(4):
                await says(stand, words)
            await turning(lambda: len(stand.listener.connections) == 4)
            stand.opens()
            await stand.device_gets(b"".join(said(4)))

    run(scenario())


@pytest.mark.parametrize("end", ["closes", "resets"])
def test_one_that_waits_and_goes_without_a_word_is_forgotten_at_once(end: str) -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, plugged=False) as stand:
            stand.tries()
            for _ in range(5):
                client = stand.connects()
                await turning(lambda: stand.port.clients.awaited)
                getattr(client, end)()
                await turning(lambda: not stand.listener.connections)
                assert not stand.port.clients.awaited
            live = stand.connects()
            stand.opens()
            await turning(lambda: stand.port.owner is not None)
            await live.sends(b"alive")
            await stand.device_gets(b"alive")

    run(scenario())


def test_a_client_of_a_person_waits_for_scripts_and_is_not_refused_for_them() -> None:
    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            await says(stand, b"quick\n")
            person = stand.connects()
            await person.sends(b"mine\n")
            await stand.device_gets(b"quick\nmine\n")

    run(scenario())


def test_behind_one_that_stays_newcomers_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arbiter, "YOUNG_S", 0.05)

    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            await stand.let_in()
            second = stand.connects()
            assert b"in use by" in await second.gets_all()

    run(scenario())


def test_those_who_wait_are_bounded() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW, plugged=False) as stand:
            stand.tries()
            clients = [stand.connects() for _ in range(arbiter.MOST_WAITING + 5)]
            await turning(lambda: stand.port.counters.refused == 5)
            for client in clients[-5:]:
                assert await client.gets_all() == b""

    run(scenario())


def test_what_is_sent_by_one_that_waits_stays_where_it_is_until_its_turn() -> None:
    async def scenario() -> None:
        async with standing(Face.RAW) as stand:
            first = await stand.let_in()
            stand.line.stop(True)
            await first.sends(b"first" * 10)
            first.half_closes()
            second = stand.connects()
            sent = 0
            while chunk := second.sends_what_fits(bytes(65536)):
                sent += chunk
                await asyncio.sleep(0)
            assert stand.port.outbox.waiting < 65536
            stand.line.stop(False)
            await stand.device_gets_count(50 + sent)
            assert stand.line.sent[:50] == b"first" * 10

    run(scenario())


def test_the_break_of_a_client_ends_when_it_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The session itself does not end yet.
    monkeypatch.setattr(farewell, "QUIET_S", 60.0)

    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            client = await stand.let_in()
            await client.sends(b"\xff\xfb\x2c" + b"\xff\xfa\x2c\x05\x05\xff\xf0")
            await turning(lambda: stand.line.breaks)
            client.closes()
            await turning(lambda: not stand.line.breaks[-1][1])

    run(scenario())
