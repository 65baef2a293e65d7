"""The loop's alarm: finer than its timers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from gatewayd.service.loop import GatewayLoop


def run(main: Callable[[GatewayLoop], Coroutine[Any, Any, None]]) -> None:
    with asyncio.Runner(loop_factory=GatewayLoop) as runner:
        loop = runner.get_loop()
        assert isinstance(loop, GatewayLoop)
        runner.run(main(loop))


def test_an_alarm_rings_once_and_not_before_its_time() -> None:
    rung: list[float] = []

    async def main(loop: GatewayLoop) -> None:
        done = loop.create_future()

        def ring() -> None:
            rung.append(loop.time())
            if len(rung) == 2:
                done.set_result(None)
            else:
                loop.direct.alarm(0.0015, ring)

        one, other = socket.socketpair()
        with one, other:
            one.setblocking(False)
            # What is read meanwhile does not hurry it.
            loop.add_reader(one, lambda: one.recv(1))
            other.send(b"x" * 50)
            began = loop.time()
            loop.direct.alarm(0.0015, ring)
            await done
            loop.remove_reader(one)
        assert rung[0] >= began + 0.0015
        assert rung[1] >= rung[0] + 0.0015

    run(main)
    assert len(rung) == 2


def test_an_alarm_is_taken_back() -> None:
    rung: list[str] = []

    async def main(loop: GatewayLoop) -> None:
        loop.direct.alarm(0, lambda: rung.append("no"))
        loop.direct.alarm(0, None)
        done = loop.create_future()
        loop.call_later(0.001, done.set_result, None)
        await done

    run(main)
    assert not rung


def test_an_alarm_that_fails_ends_nothing() -> None:
    told: list[dict[str, Any]] = []

    async def main(loop: GatewayLoop) -> None:
        done = loop.create_future()

        def note(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
            told.append(context)
            done.set_result(None)

        loop.set_exception_handler(note)

        def fail() -> None:
            raise ValueError("no")

        loop.direct.alarm(0, fail)
        await done

    run(main)
    assert [type(one["exception"]) for one in told] == [ValueError]
