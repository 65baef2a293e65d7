"""Streams are read in gulps, dialogues at once; on pipes in place of ttys, and a real loop."""

from __future__ import annotations

import asyncio
import errno
import os
import resource
import tty
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from gatewayd.line.api import Gathering
from gatewayd.line.gather import (
    FORGET_TICKS,
    FURTHEST,
    GAP_S,
    STILL_WORTH,
    TICK_S,
    WORTH,
    Gatherer,
    Gatherers,
)
from gatewayd.line.model import LineErrors, LineSettings, Signal, SignalPolicies
from gatewayd.line.opening import open_line
from gatewayd.line.serial_line import SerialPortLine
from tests.spell import pace, quiet

TICK = 0.002


class Line:
    """A member: a pipe, and what was read from it when."""

    def __init__(self, gatherer: Gatherer) -> None:
        self.read_end, self.write_end = os.pipe()
        os.set_blocking(self.read_end, False)
        self.gatherer = gatherer
        self.got: list[bytes] = []
        self.left = False
        self.gone = asyncio.Event()
        self.heard = asyncio.Event()
        gatherer.add(self.read_end, self)

    def read_ready(self) -> None:
        self.got.append(os.read(self.read_end, 65536))
        self.heard.set()

    def gathered_no_more(self) -> None:
        self.left = True
        self.gone.set()
        self.gatherer.remove(self.read_end)

    def close(self) -> None:
        self.gatherer.remove(self.read_end)
        os.close(self.read_end)
        os.close(self.write_end)


def run(main: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(10):
            await main()

    asyncio.run(bounded())


async def hear(line: Line) -> None:
    await line.heard.wait()
    line.heard.clear()


def test_pieces_between_two_ticks_are_one_read() -> None:
    async def main() -> None:
        line = Line(Gatherer(asyncio.get_running_loop(), TICK))
        for piece in (b"a", b"b", b"c"):
            os.write(line.write_end, piece)
        await hear(line)
        assert line.got == [b"abc"]
        line.close()

    run(main)


def test_after_silence_the_first_piece_waits_for_no_tick() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        gatherer = Gatherer(loop, TICK)
        line = Line(gatherer)
        # The first look finds nothing: from then on the loop waits for the set itself.
        await quiet(10 * TICK)
        gatherer.tick = 3600
        os.write(line.write_end, b"x")
        await hear(line)
        line.close()

    run(main)


def test_each_look_reads_in_the_same_order_whoever_spoke_first() -> None:
    # Or one that is read early now and late the next time would wait for two looks.
    async def main() -> None:
        gatherer = Gatherer(asyncio.get_running_loop(), TICK)
        order: list[int] = []

        class Noting(Line):
            def read_ready(self) -> None:
                super().read_ready()
                order.append(self.read_end)

        lines = [Noting(gatherer) for _ in range(5)]
        for spoken in (lines[::-1], lines):
            for line in spoken:
                os.write(line.write_end, b"x")
            for line in lines:
                await hear(line)
        fds = sorted(line.read_end for line in lines)
        assert order == fds + fds
        for line in lines:
            line.close()

    run(main)


def test_looks_that_take_long_are_further_apart() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        looks: list[tuple[float, float]] = []

        class Alarms:
            timer: asyncio.TimerHandle | None = None

            def alarm(self, seconds: float, callback: Callable[[], None] | None) -> None:
                if self.timer is not None:
                    self.timer.cancel()
                if callback is not None:
                    looks.append((loop.time(), seconds))
                    self.timer = loop.call_later(seconds, callback)

        class Slow(Line):
            def read_ready(self) -> None:
                super().read_ready()
                while loop.time() < looks[-1][0] + TICK:
                    pass

        line = Slow(Gatherer(loop, TICK, Alarms()))
        os.write(line.write_end, b"x")
        await hear(line)
        (_, first), (began, tick), (ended, rest) = looks
        assert first == tick == TICK
        assert ended - began >= TICK
        # The next look was to be a tick after this one began; that is put off, to two ticks.
        assert rest <= FURTHEST * TICK - TICK
        line.close()

    run(main)


def test_a_line_that_fell_silent_goes_back_to_the_loop() -> None:
    async def main() -> None:
        gatherer = Gatherer(asyncio.get_running_loop(), TICK)
        talker, silent = Line(gatherer), Line(gatherer)
        for _ in range(2 * FORGET_TICKS + 2):
            os.write(talker.write_end, b"x")
            await hear(talker)
        assert silent.left
        assert not talker.left
        talker.close()
        silent.close()

    run(main)


def test_a_member_may_leave_while_it_is_read_and_come_back() -> None:
    async def main() -> None:
        gatherer = Gatherer(asyncio.get_running_loop(), TICK)

        class Leaver(Line):
            def read_ready(self) -> None:
                super().read_ready()
                self.gathered_no_more()

        line = Leaver(gatherer)
        os.write(line.write_end, b"x")
        await hear(line)
        assert line.left
        gatherer.add(line.read_end, line)
        os.write(line.write_end, b"y")
        await hear(line)
        assert line.got == [b"x", b"y"]
        line.close()

    run(main)


def test_lines_are_gathered_where_ticks_are_fewer_than_their_pieces() -> None:
    async def main() -> None:
        gatherers = Gatherers(asyncio.get_running_loop())
        assert gatherers.choose(3, 2 * GAP_S) is None
        # One line of many pieces, or many lines of few.
        assert gatherers.choose(3, 1.1 / WORTH) is None
        assert gatherers.choose(3, 0.9 / WORTH) is not None
        gatherers.forget(3)
        count = int(GAP_S * WORTH) + 2
        places = [gatherers.choose(fd, GAP_S) for fd in range(count)]
        assert places[0] is None
        assert places[-1] is not None
        assert places[-1] is gatherers.choose(0, GAP_S)
        for fd in range(1, count):
            gatherers.forget(fd)
        assert gatherers.choose(0, GAP_S) is None

    run(main)


def test_a_line_that_is_gathered_stays_though_its_pieces_come_in_one() -> None:
    async def main() -> None:
        gatherers = Gatherers(asyncio.get_running_loop())
        place = gatherers.choose(3, 0.9 / WORTH)
        assert place is not None
        line = Line(place)
        gatherers.forget(3)
        assert gatherers.choose(3, TICK_S) is None
        gatherers.forget(3)
        assert gatherers.choose(line.read_end, TICK_S) is place
        assert gatherers.choose(line.read_end, 1.1 / STILL_WORTH) is None
        line.close()

    run(main)


def test_a_stream_on_a_tty_is_gathered_until_something_is_written_to_it() -> None:
    async def main() -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        path = os.ttyname(slave)
        recorder = Recorder()
        gatherers = Gatherers(asyncio.get_running_loop())
        gatherers.choose(-1, 1 / WORTH)  # another line that streams
        line = await open_line(path, LineSettings(), SignalPolicies(), recorder, gatherers)
        sent = 0
        for _ in range(40):
            os.write(master, b"piece")
            sent += 5
            await pace(0.001)
        await recorder.bytes_came(sent)
        pieces = len(recorder.chunks)
        assert pieces < 40, "every piece was an event"
        line.write(b"?")
        os.write(master, b"answer")
        await recorder.bytes_came(sent + 6)
        assert recorder.chunks[-1] == b"answer"
        assert b"".join(recorder.chunks) == b"piece" * 40 + b"answer"
        closed = asyncio.Event()
        line.close(closed.set)
        await closed.wait()
        os.close(master)
        os.close(slave)

    run(main)


@asynccontextmanager
async def streaming() -> AsyncIterator[tuple[SerialPortLine, Recorder, int, Gatherer]]:
    """A line that streams both ways and is gathered for it, its user, and the far end."""
    with pty() as (far, path):
        recorder = Recorder()
        gatherers = Gatherers(asyncio.get_running_loop())
        gatherers.choose(-1, 1 / WORTH)  # another line that streams
        line = await open_line(path, LineSettings(), SignalPolicies(), recorder, gatherers)
        recorder.both_ways = True
        sent = 0
        while not recorder.places:
            os.write(far, b"piece")
            line.write(b"x")
            sent += 5
            await pace(0.001)
        await recorder.bytes_came(sent)
        recorder.chunks.clear()
        assert recorder.places == [gatherers.place]
        yield line, recorder, far, gatherers.place
        closed = asyncio.Event()
        line.close(closed.set)
        await closed.wait()


def test_what_streams_both_ways_is_gathered_though_it_is_written_to() -> None:
    async def main() -> None:
        async with streaming() as (line, recorder, far, place):
            for _ in range(5):
                for _ in range(3):
                    os.write(far, b"piece")
                    line.write(b"x")
                await recorder.more()
            assert recorder.chunks == [b"piece" * 3] * 5
            assert set(recorder.places) == {place}

    run(main)


def test_what_streams_both_ways_no_more_is_read_at_once_and_so_is_its_client() -> None:
    async def main() -> None:
        async with streaming() as (line, recorder, far, place):
            recorder.both_ways = False
            while recorder.places[-1] is place:
                os.write(far, b"piece")
                line.write(b"x")
                await recorder.more()
            assert recorder.places[-1] is None
            place.tick = 3600
            for _ in range(3):
                os.write(far, b"answer")
                await recorder.more()
                assert recorder.chunks[-1] == b"answer"
                line.write(b"x")

    run(main)


def test_a_line_that_goes_on_alone_is_gathered_without_its_client() -> None:
    async def main() -> None:
        async with streaming() as (_, recorder, far, place):
            while recorder.places[-1] is place:
                os.write(far, b"piece")
                await recorder.more()
            assert recorder.places[-1] is None
            for _ in range(3):
                for _ in range(3):
                    os.write(far, b"piece")
                await recorder.more()
            assert recorder.chunks[-3:] == [b"piece" * 3] * 3

    run(main)


@pytest.mark.parametrize("what", ["paused", "closed", "bulk", "lost", "given away"])
def test_a_line_that_is_not_gathered_any_more_tells_so(what: str) -> None:
    async def main() -> None:
        async with streaming() as (line, recorder, far, place):
            before = len(recorder.places)
            match what:
                case "paused":
                    line.pause_reading()
                case "closed":
                    line.close()
                case "bulk":
                    os.write(far, bytes(4000))
                    while recorder.places[-1] is place:
                        await recorder.more()
                case "lost":
                    line.failed("anything", OSError(errno.EIO, "gone"))
                case _:
                    os.close(line.detach())
            assert recorder.places[before:] == [None]

    run(main)


@contextmanager
def pty() -> Iterator[tuple[int, str]]:
    """Its far end, and the path of the near one."""
    far, near = os.openpty()
    try:
        tty.setraw(near)
        yield far, os.ttyname(near)
    finally:
        os.close(far)
        os.close(near)


class Recorder:
    """The user of a line: keeps what came."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.both_ways = False
        self.places: list[Gathering | None] = []
        """What was told of where the line is read."""
        self._more = asyncio.Event()

    async def more(self) -> None:
        self._more.clear()
        await self._more.wait()

    async def bytes_came(self, count: int) -> None:
        while sum(map(len, self.chunks)) < count:
            await self.more()

    def line_data(self, data: bytes) -> None:
        self.chunks.append(data)
        self._more.set()

    def line_writable(self) -> None: ...

    def line_signals(self, signals: Signal) -> None: ...

    def line_errors(self, errors: LineErrors) -> None: ...

    def line_refused(self, what: str, error: OSError) -> None: ...

    def line_streams_both_ways(self) -> bool:
        return self.both_ways

    def line_gathered(self, place: Gathering | None) -> None:
        self.places.append(place)

    def line_lost(self, cause: OSError | None) -> None: ...


def test_a_stream_that_cannot_be_gathered_is_read_where_it_was() -> None:
    """Out of descriptors: no piece is lost, and once there are some it is gathered."""

    async def main() -> None:
        master, slave = os.openpty()
        tty.setraw(slave)
        recorder = Recorder()
        gatherers = Gatherers(asyncio.get_running_loop())
        path = os.ttyname(slave)
        line = await open_line(path, LineSettings(), SignalPolicies(), recorder, gatherers)
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
        try:
            for sent in range(1, 60):
                os.write(master, bytes((sent,)))
                await recorder.bytes_came(sent)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert recorder.chunks == [bytes((number,)) for number in range(1, 60)]
        closed = asyncio.Event()
        line.close(closed.set)
        await closed.wait()
        os.close(master)
        os.close(slave)

    run(main)
