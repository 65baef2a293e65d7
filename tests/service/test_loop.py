"""The loop with direct callbacks: it must do all that asyncio's own does."""

from __future__ import annotations

import asyncio
import errno
import os
import select
import signal
import socket
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, cast

import pytest

from gatewayd.service.loop import GatewayLoop
from tests.same import same
from tests.spell import pace, quiet

Pair = tuple[socket.socket, socket.socket]


def run(main: Callable[[], Coroutine[Any, Any, None]], miser: Miser | None = None) -> None:
    with asyncio.Runner(loop_factory=lambda: GatewayLoop(cast("Any", miser))) as runner:
        runner.run(main())


@pytest.fixture
def pair() -> Iterator[Pair]:
    one, other = socket.socketpair()
    one.setblocking(False)
    other.setblocking(False)
    with one, other:
        yield one, other


def test_what_asyncio_watches_has_no_reader_beside(pair: Pair) -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        waiting = asyncio.create_task(loop.sock_recv(pair[0], 1))
        await asyncio.sleep(0)
        with pytest.raises(KeyError):
            cast("GatewayLoop", loop).direct.set_reader(pair[0].fileno(), print)
        pair[1].send(b"x")
        assert await waiting == b"x"

    run(main)


def test_a_reader_is_called_until_it_is_removed(pair: Pair) -> None:
    one, other = pair
    got: list[bytes] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = loop.create_future()

        def readable() -> None:
            got.append(one.recv(2))
            if len(got) == 2:
                assert loop.remove_reader(one)
                done.set_result(None)

        loop.add_reader(one, readable)
        other.send(b"aabbcc")
        await done
        assert not loop.remove_reader(one)
        await asyncio.sleep(0)

    run(main)
    assert got == [b"aa", b"bb"]
    assert one.recv(9) == b"cc"


def test_a_reader_and_a_writer_of_one_descriptor_are_independent(pair: Pair) -> None:
    one, other = pair
    calls: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def writable(word: str) -> None:
            calls.append(word)
            loop.remove_writer(one)
            other.send(b"x")

        def readable() -> None:
            calls.append(one.recv(9).decode())
            done.set()

        loop.add_reader(one, readable)
        loop.add_writer(one, writable, "w")
        await done.wait()
        loop.remove_reader(one)

    run(main)
    assert calls == ["w", "x"]


def test_timers_tasks_and_other_threads_are_served_while_a_reader_is_busy(pair: Pair) -> None:
    one, other = pair

    async def main() -> None:
        loop = asyncio.get_running_loop()
        rounds = 0

        def echo() -> None:
            nonlocal rounds
            rounds += 1
            other.send(one.recv(1))

        def back() -> None:
            one.send(other.recv(1))

        loop.add_reader(one, echo)
        loop.add_reader(other, back)
        other.send(b"x")
        await pace(0.01)
        assert await loop.run_in_executor(None, lambda: 7) == 7
        assert await asyncio.wait_for(asyncio.shield(asyncio.sleep(0.01, 8)), 5) == 8
        assert rounds
        loop.remove_reader(one)
        loop.remove_reader(other)

    run(main)


def test_a_callback_may_remove_another_that_is_ready_too(pair: Pair) -> None:
    one, other = pair
    calls: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()

        def first(name: str) -> None:
            calls.append(name)
            loop.remove_reader(one)
            loop.remove_reader(other)

        one.send(b"x")
        other.send(b"x")
        loop.add_reader(one, first, "one")
        loop.add_reader(other, first, "other")
        await quiet(0.01)

    run(main)
    assert len(calls) == 1


def test_an_exception_is_told_and_ends_nothing(pair: Pair) -> None:
    one, other = pair
    told: list[dict[str, Any]] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, context: told.append(context))
        done = asyncio.Event()
        failures = 0

        def readable() -> None:
            nonlocal failures
            one.recv(1)
            failures += 1
            if failures == 1:
                raise ValueError("once")
            done.set()

        loop.add_reader(one, readable)
        other.send(b"xy")
        await done.wait()
        loop.remove_reader(one)

    run(main)
    assert [str(context["exception"]) for context in told] == ["once"]


def test_asyncios_own_transports_and_signals_work() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        signalled = asyncio.Event()
        loop.add_signal_handler(signal.SIGUSR1, signalled.set)

        async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(await reader.readexactly(100_000))
            await writer.drain()
            writer.close()

        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        host, port = server.sockets[0].getsockname()
        for _ in range(3):  # the same descriptor again
            with socket.socket() as sock:
                sock.setblocking(False)
                await loop.sock_connect(sock, (host, port))
                await loop.sock_sendall(sock, bytes(100_000))
                assert await loop.sock_recv(sock, 1) == b"\0"
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(bytes(100_000))
        same(await reader.read(-1), bytes(100_000))
        writer.close()
        server.close()
        os.kill(os.getpid(), signal.SIGUSR1)
        await signalled.wait()
        loop.remove_signal_handler(signal.SIGUSR1)

    run(main)


def test_a_hang_up_reaches_reader_and_writer() -> None:
    read_end, write_end = os.pipe()
    calls: list[str] = []

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def broken() -> None:
            calls.append("writer")
            loop.remove_writer(write_end)
            done.set()

        os.set_blocking(write_end, False)
        while True:
            try:
                os.write(write_end, bytes(65536))
            except BlockingIOError:
                break
        loop.add_writer(write_end, broken)
        os.close(read_end)
        await done.wait()

    run(main)
    os.close(write_end)
    assert calls == ["writer"]


def test_an_idle_loop_is_not_woken(pair: Pair) -> None:
    one, _ = pair

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.add_reader(one, lambda: None)
        before = os.times().user + os.times().system
        switches = _voluntary_switches()
        await quiet(0.3)
        assert _voluntary_switches() - switches <= 3
        assert os.times().user + os.times().system - before < 0.1
        loop.remove_reader(one)

    run(main)


def _voluntary_switches() -> int:
    with open("/proc/thread-self/status") as file:
        for line in file:
            if line.startswith("voluntary_ctxt_switches"):
                return int(line.split()[1])
    raise AssertionError("no counter")


class Miser:
    """An epoll set that refuses changes, as the kernel does when it has no memory for them."""

    def __init__(self) -> None:
        self.refusing = False
        self.starving = 0
        """How often there is no memory for what it has to tell."""
        self.refused = 0
        self.refused_again = asyncio.Event()
        self._epoll = select.epoll()
        self.close, self.fileno = self._epoll.close, self._epoll.fileno

    def poll(self, timeout: float | None = None, limit: int = -1) -> list[tuple[int, int]]:
        if self.starving:
            self.starving -= 1
            raise MemoryError
        return self._epoll.poll(timeout, limit)

    def register(self, fd: int, mask: int) -> None:
        self._refuse()
        self._epoll.register(fd, mask)

    def modify(self, fd: int, mask: int) -> None:
        self._refuse()
        self._epoll.modify(fd, mask)

    def unregister(self, fd: int) -> None:
        self._refuse()
        self._epoll.unregister(fd)

    def _refuse(self) -> None:
        if self.refusing:
            self.refused += 1
            if self.refused == 3:
                self.refused_again.set()
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_what_the_kernel_refuses_to_watch_is_watched_once_it_agrees(pair: Pair) -> None:
    one, other = pair
    got: list[bytes] = []

    miser = Miser()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def readable() -> None:
            got.append(one.recv(9))
            done.set()

        miser.refusing = True
        loop.add_reader(one, readable)
        other.send(b"first")
        await asyncio.wait_for(miser.refused_again.wait(), 10)
        assert got == []
        miser.refusing = False
        await asyncio.wait_for(done.wait(), 10)
        # Nor is a refusal to let go the end of anything.
        miser.refusing = True
        assert loop.remove_reader(one)
        done.clear()
        loop.add_reader(one, readable)
        other.send(b"second")
        await asyncio.wait_for(done.wait(), 10)
        miser.refusing = False
        loop.remove_reader(one)

    run(main, miser)
    assert got == [b"first", b"second"]


def test_a_number_that_was_closed_while_the_kernel_refused_is_another_files(pair: Pair) -> None:
    one, other = pair

    miser = Miser()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        first, second = socket.socketpair()
        number = first.fileno()
        loop.add_reader(number, first.close)
        miser.refusing = True
        loop.remove_reader(number)
        first.close()
        second.close()
        os.dup2(one.fileno(), number)
        miser.refusing = False
        loop.add_reader(number, done.set)
        other.send(b"x")
        await asyncio.wait_for(done.wait(), 10)
        loop.remove_reader(number)
        os.close(number)

    run(main, miser)


def test_no_memory_for_what_epoll_has_to_tell_is_no_end(pair: Pair) -> None:
    one, other = pair

    miser = Miser()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = asyncio.Event()
        miser.starving = 2
        loop.add_reader(one, done.set)
        other.send(b"x")
        await asyncio.wait_for(done.wait(), 10)
        loop.remove_reader(one)

    run(main, miser)
