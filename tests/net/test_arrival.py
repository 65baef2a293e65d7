"""The way in: each step has its own bytes and no others, nothing is lost, and nothing leaks."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Final

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatewayd.config.schema import Face
from gatewayd.net.arrival import MOST_BYTES, Arrival, Step
from gatewayd.net.channel import Carrier, PlainChannel
from gatewayd.net.lobby import MOST_OF_ONE, Lobby
from gatewayd.port import farewell
from gatewayd.telnet.constants import Option, Side
from tests.net.choppy import choppy
from tests.net.stand import Client, Stand, run, standing
from tests.net.steps import Ciphered, Thinking, Took, UpTo, cipher, up_to
from tests.port.wire import IAC, OPENING, do, sub, will, wont
from tests.until import turning

FACES: Final = (Face.RAW, Face.RFC2217)
KINDS: Final = (UpTo, Thinking)
LAYERS: Final[dict[str, Callable[[], Carrier]]] = {
    "plain": lambda: PlainChannel,
    "choppy": lambda: choppy(1),
}
PIECES = st.lists(st.integers(1, 40), min_size=1, max_size=8)
LINES = st.lists(st.binary(max_size=60).map(lambda data: data.replace(b"\n", b"")), max_size=4)


@pytest.fixture(autouse=True)
def _no_long_goodbyes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(farewell, "QUIET_S", 0.02)
    monkeypatch.setattr(farewell, "TICK_S", 0.02)


async def sends_in_pieces(client: Client, data: bytes, pieces: list[int]) -> None:
    """With some turns of the loop between them."""
    at = 0
    for size in pieces:
        await client.sends(data[at : at + size])
        at += size
        for _ in range(3):
            await asyncio.sleep(0)
    await client.sends(data[at:])


def arriving(stand: Stand) -> list[Arrival]:
    stages = [connection.stage for connection in stand.listener.connections]
    return [stage for stage in stages if isinstance(stage, Arrival)]


@pytest.mark.parametrize("layer", LAYERS)
@settings(max_examples=25, deadline=None)
@given(LINES, st.binary(max_size=200), PIECES, st.randoms(use_true_random=False))
def test_each_step_has_its_own_bytes_and_the_line_has_the_rest(
    layer: str, lines: list[bytes], rest: bytes, pieces: list[int], chance: random.Random
) -> None:
    async def scenario() -> None:
        took = Took()
        async with standing(Face.RAW) as stand:
            stand.listener.carrier = LAYERS[layer]()
            stand.listener.way = [up_to(took, kind=chance.choice(KINDS)) for _ in lines]
            client = stand.connects()
            sent = b"".join(line + b"\n" for line in lines)
            await sends_in_pieces(client, sent + rest, pieces)
            client.half_closes()
            await stand.device_gets(rest)
            await turning(lambda: stand.port.counters.sessions == 1)
        assert [bytes(had) for had in took.had] == [line + b"\n" for line in lines]
        assert took.over == len(lines)

    run(scenario())


@pytest.mark.parametrize("layer", LAYERS)
@settings(max_examples=25, deadline=None)
@given(LINES, st.binary(max_size=200), PIECES, st.randoms(use_true_random=False))
def test_telnet_goes_on_where_the_step_before_was(
    layer: str, lines: list[bytes], rest: bytes, pieces: list[int], chance: random.Random
) -> None:
    """A network virtual terminal: options anywhere, IAC doubled, CR NUL, whatever is split."""
    noise = (b"", will(Option.SUPPRESS_GO_AHEAD), do(99), wont(7), sub(3, b"x"), b"\xff\xf1")

    def encoded(data: bytes) -> bytes:
        data = data.replace(IAC, IAC + IAC).replace(b"\r", b"\r\0").replace(b"\r\0\n", b"\r\n")
        return chance.choice(noise) + data + chance.choice(noise)

    async def scenario() -> None:
        took = Took()
        async with standing(Face.RFC2217) as stand:
            stand.listener.carrier = LAYERS[layer]()
            stand.listener.way = [up_to(took, kind=chance.choice(KINDS)) for _ in lines]
            client = stand.connects()
            sent = b"".join(encoded(line + b"\n") for line in lines)
            await sends_in_pieces(client, sent + encoded(rest), pieces)
            await stand.device_gets(rest)
            await turning(lambda: stand.port.counters.sessions == 1)
        assert [bytes(had) for had in took.had] == [line + b"\n" for line in lines]

    run(scenario())


@settings(max_examples=25, deadline=None)
@given(st.binary(max_size=30), st.binary(min_size=1, max_size=200), PIECES)
def test_another_channel_gets_what_was_read_behind_the_step(
    before: bytes, inside: bytes, pieces: list[int]
) -> None:
    clear = before.replace(b"\n", b"").replace(IAC, b"").replace(b"\r", b"") + b"\n"

    async def scenario() -> None:
        took = Took()
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [up_to(took, kind=Ciphered), up_to(took, b"!")]
            client = stand.connects()
            wire = b"user!" + inside.replace(IAC, IAC + IAC).replace(b"\r", b"\r\0")
            await sends_in_pieces(client, clear + cipher(wire), pieces)
            await stand.device_gets(inside)
            assert cipher(await client.gets(len(OPENING))) == OPENING
        assert took.had == [clear, b"user!"]

    run(scenario())


@pytest.mark.parametrize("face", FACES)
def test_who_has_sent_all_before_the_device_is_open_has_its_turn(face: Face) -> None:
    async def scenario() -> None:
        async with standing(face, plugged=False) as stand:
            stand.tries()
            stand.listener.way = [up_to(Took())]
            client = stand.connects()
            await client.sends(b"line\nquestion")
            client.half_closes()
            await turning(lambda: stand.port.clients.awaited)
            (waiting,) = stand.port.clients.waiting
            await turning(lambda: waiting.unserved)
            stand.opens()
            await stand.device_gets(b"question")

    run(scenario())


def test_what_was_agreed_before_the_session_is_not_asked_again() -> None:
    class Asks(UpTo):
        def start(self) -> None:
            super().start()
            assert self.arrival.telnet is not None
            self.arrival.telnet.ask(Side.LOCAL, Option.ECHO)

    async def scenario() -> None:
        took = Took()
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [up_to(took, kind=Asks)]
            client = stand.connects()
            assert await client.gets(3) == will(Option.ECHO)
            # COM-PORT is for a session, and asked for then.
            await client.sends(do(Option.ECHO) + will(Option.COM_PORT) + b"\n")
            assert await client.gets(3) == b"\xff\xfe\x2c"
            assert await client.gets(15) == OPENING.replace(will(Option.ECHO), b"")

    run(scenario())


# ---- limits, and the end


class Impatient(UpTo):
    patience = 0.01


def test_a_newcomer_that_says_nothing_is_told_and_closed_in_time() -> None:
    async def scenario() -> None:
        took = Took()
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [up_to(took, kind=Impatient)]
            client = stand.connects()
            assert await client.gets_all() == b"\r\npsu1: that took too long\r\n"
            client.closes()
            await stand.free()
            assert stand.port.counters.sessions == 0
        assert (took.begun, took.over) == (1, 1)

    run(scenario())


@pytest.mark.parametrize("face", FACES)
def test_a_newcomer_may_send_so_much_and_no_more(face: Face) -> None:
    async def scenario() -> None:
        took = Took()
        async with standing(face) as stand:
            stand.listener.way = [up_to(took)]
            client = stand.connects()
            await client.sends(b"x" * (MOST_BYTES - 1) + b"\n" + b"y" * 100_000)
            await stand.device_gets(b"y" * 100_000)
            client.closes()
            await stand.free()
            client = stand.connects()
            await client.sends(b"x" * 100_000)
            await client.gets_all()
            client.closes()
            await stand.free()
            assert stand.port.counters.sessions == 1
        assert took.had[0] == b"x" * (MOST_BYTES - 1) + b"\n"
        assert set(took.had[1]) == {ord("x")}
        assert len(took.had[1]) <= MOST_BYTES
        assert took.over == 2

    run(scenario())


def test_a_crowd_from_one_host_leaves_room_for_others() -> None:
    async def scenario() -> None:
        took = Took()
        async with standing(Face.RAW) as stand:
            stand.listener.way = [up_to(took)]
            crowd = [stand.connects() for _ in range(MOST_OF_ONE)]
            await turning(lambda: took.begun == MOST_OF_ONE)
            assert await stand.connects().gets_all() == b""
            other = stand.connects(host="127.0.0.2")
            await turning(lambda: took.begun == MOST_OF_ONE + 1)
            await other.sends(b"\nx")
            await stand.device_gets(b"x")
            crowd[0].closes()
            await turning(lambda: took.over == 2)
            again = stand.connects()
            await turning(lambda: took.begun == MOST_OF_ONE + 2)
            again.closes()

    run(scenario())


def test_so_many_are_on_their_way_and_no_more() -> None:
    lobby = Lobby(most=3, most_of_one=2)
    assert lobby.enter("a") == ""
    assert lobby.enter("a") == ""
    assert "2 connections of a" in lobby.enter("a")
    assert lobby.enter("b") == ""
    assert "3 connections" in lobby.enter("c")
    lobby.leave("a")
    assert lobby.enter("c") == ""
    for host in ("a", "b", "c"):
        lobby.leave(host)
    assert len(lobby) == 0
    assert not lobby.hosts


def test_a_host_may_come_to_many_doors_at_once() -> None:
    lobby = Lobby(most=6, most_of_one=2, most_of_host=4)
    for door in ("psu1", "psu1", "scope", "dmm"):
        assert lobby.enter("a", door) == ""
    assert "2 connections of a" in lobby.enter("a", "psu1")
    assert "4 connections of a" in lobby.enter("a", "load")
    assert lobby.enter("b", "load") == ""
    lobby.leave("a", "dmm")
    assert lobby.enter("a", "load") == ""
    for host, door in (("a", "psu1"), ("a", "psu1"), ("a", "scope"), ("a", "load"), ("b", "load")):
        lobby.leave(host, door)
    assert len(lobby) == 0
    assert not lobby.hosts


class Fragile(UpTo):
    def receive(self, data: bytes) -> None:
        if b"f" in data:
            raise RuntimeError("a step that is broken")
        if b"r" in data:
            self.arrival.refuse("not you")
        else:
            super().receive(data)


ENDS: Final = ("close", "reset", "half-close", "fail", "refused", "pass", "away", "stay")


@pytest.mark.parametrize("face", FACES)
@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ENDS), st.integers(0, 5)), max_size=7))
def test_nothing_is_left_however_it_ends(face: Face, ends: list[tuple[str, int]]) -> None:
    async def scenario() -> None:
        took = Took()
        lobby = Lobby()
        async with standing(face, lobby=lobby) as stand:
            stand.listener.way = [up_to(took, kind=kind) for kind in (Fragile, Thinking)]
            for end, turns in ends:
                client = stand.connects()
                for _ in range(turns):
                    await asyncio.sleep(0)
                await client.sends(b"x")
                match end:
                    case "close":
                        client.closes()
                    case "reset":
                        client.resets()
                    case "half-close":
                        client.half_closes()
                    case "fail":
                        await client.sends(b"f")
                    case "refused":
                        await client.sends(b"r")
                    case "pass":
                        await client.sends(b"\nx\n")
                    case "away":
                        stand.listener.send_away("come again")
                    case _:
                        pass
            await turning(lambda: took.begun >= len(ends))
            for client in stand.clients:
                client.closes()
            await stand.free()
            assert len(lobby) == 0
        assert took.begun == took.over

    run(scenario())


def test_who_is_sent_away_is_told_and_who_has_a_session_stays() -> None:
    async def scenario() -> None:
        took = Took()
        async with standing(Face.RFC2217) as stand:
            seated = await stand.let_in()
            assert await seated.gets(len(OPENING)) == OPENING
            stand.listener.way = [up_to(took)]
            client = stand.connects()
            await turning(lambda: arriving(stand))
            stand.listener.send_away("come again")
            assert await client.gets_all() == b"\r\npsu1: come again\r\n"
            await seated.sends(b"on")
            await stand.device_gets(b"on")

    run(scenario())


def test_a_step_that_passes_at_once_costs_no_turn() -> None:
    class Open(Step):
        def start(self) -> None:
            self.arrival.passed()

    async def scenario() -> None:
        async with standing(Face.RFC2217) as stand:
            stand.listener.way = [Open, Open]
            client = stand.connects()
            assert await client.gets(len(OPENING)) == OPENING
            assert stand.connection.session is stand.port.owner

    run(scenario())
