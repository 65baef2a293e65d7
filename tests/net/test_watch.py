"""SocketWatch: told of urgent data and of hang-ups, and of nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from gatewayd.net.watch import SocketWatch
from tests.net.stand import Client, run
from tests.until import turning


class Pair:
    """A connected pair, and what the watch said of `ours`."""

    def __init__(self, watch: SocketWatch) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.theirs = socket.create_connection(listener.getsockname())
            self.ours, _ = listener.accept()
        self.ours.setblocking(False)
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_OOBINLINE, 1)
        self.told: list[str] = []
        self._watch = watch
        watch.add(self.ours.fileno(), self)

    def urgent(self) -> None:
        self.told.append("urgent")

    def half_closed(self) -> None:
        self.told.append("half closed")

    def hung_up(self) -> None:
        self.told.append("hung up")

    def remove(self) -> None:
        self._watch.remove(self.ours.fileno())

    def close(self) -> None:
        self.remove()
        self.ours.close()
        self.theirs.close()


@asynccontextmanager
async def watched() -> AsyncIterator[Pair]:
    watch = SocketWatch(asyncio.get_running_loop())
    pair = Pair(watch)
    try:
        yield pair
    finally:
        pair.close()
        watch.close()


async def seen_by_the_loop(pair: Pair) -> None:
    """Whatever has happened to the sockets by now, the loop has looked at."""
    for _ in range(3):
        await asyncio.sleep(0)


def test_ordinary_data_is_nothing_to_tell() -> None:
    async def scenario() -> None:
        async with watched() as pair:
            for _ in range(10):
                pair.theirs.sendall(bytes(1000))
                await seen_by_the_loop(pair)
            assert pair.told == []

    run(scenario())


def test_the_end_of_what_a_client_sends_is_told_also_while_data_is_unread() -> None:
    async def scenario() -> None:
        async with watched() as pair:
            pair.theirs.sendall(bytes(1000))
            pair.theirs.shutdown(socket.SHUT_WR)
            await turning(lambda: pair.told)
            assert pair.told == ["half closed"]

    run(scenario())


def test_each_announcement_of_urgent_data_is_told_once() -> None:
    async def scenario() -> None:
        async with watched() as pair:
            for number in range(1, 4):
                pair.theirs.send(b"x", socket.MSG_OOB)
                await turning(lambda: pair.told)
                await seen_by_the_loop(pair)
                assert pair.told == ["urgent"] * number
                assert pair.ours.recv(10) == b"x"

    run(scenario())


def test_a_reset_is_told() -> None:
    async def scenario() -> None:
        async with watched() as pair:
            Client(pair.theirs).resets()
            await turning(lambda: pair.told)
            assert pair.told == ["hung up"]

    run(scenario())


def test_nothing_is_told_of_a_socket_that_was_removed() -> None:
    async def scenario() -> None:
        async with watched() as pair:
            pair.remove()
            pair.theirs.send(b"x", socket.MSG_OOB)
            Client(pair.theirs).resets()
            await seen_by_the_loop(pair)
            assert pair.told == []

    run(scenario())


class Jealous(Pair):
    """Has the other one removed when it is told something."""

    other: Pair

    def urgent(self) -> None:
        super().urgent()
        self.other.remove()


def test_a_socket_that_was_removed_in_the_same_turn_is_told_nothing() -> None:
    async def scenario() -> None:
        watch = SocketWatch(asyncio.get_running_loop())
        one, other = Jealous(watch), Jealous(watch)
        one.other, other.other = other, one
        for pair in (one, other):
            pair.theirs.send(b"x", socket.MSG_OOB)
        await seen_by_the_loop(one)
        assert sorted([one.told, other.told]) == [[], ["urgent"]]
        one.close()
        other.close()
        watch.close()

    run(scenario())
