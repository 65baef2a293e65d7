"""Watching a port, and the changes of all, through the control interface's methods."""

from __future__ import annotations

import asyncio
import base64
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from gatewayd.config.schema import Face, PortConfig
from gatewayd.control import interface
from gatewayd.control.caller import Handed
from gatewayd.control.server import Stream
from gatewayd.control.varlink import Call, CallError
from gatewayd.line.model import LineErrors, LineSettings, Signal
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.port.phase import Phase
from gatewayd.service.commands import Commands
from gatewayd.service.gateway import Gateway
from gatewayd.service.status import describe
from gatewayd.service.store import Store
from gatewayd.service.watching import HIGH_BYTES, LOW_BYTES, Changes, Following, Watcher
from tests.control.description import parse
from tests.line.pty import Pty
from tests.until import until

DESCRIBED = parse(interface.DESCRIPTION)


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()

    asyncio.run(bounded())


class Told:
    """What a stream tells."""

    def __init__(self, method: str, stream: Stream, **parameters: object) -> None:
        self._kind = DESCRIBED.methods[method][1]
        self._answers: asyncio.Queue[Mapping[str, Any]] = asyncio.Queue()
        self.task = asyncio.ensure_future(stream(Call(method, parameters), self._answers.put))

    async def next(self) -> dict[str, Any]:
        answer = dict(await self._answers.get())
        assert DESCRIBED.fits(answer, self._kind), answer
        return answer

    async def bytes(self, line: str, size: int) -> bytes:
        """So many, one after the other; what else is told meanwhile goes."""
        got = b""
        while len(got) < size:
            got += base64.b64decode((await self.next())[line] or "")
        return got

    async def event(self, kind: str) -> dict[str, Any]:
        """The next of its kind."""
        while True:
            event: dict[str, Any] | None = (await self.next())["event"]
            if event is not None and event["kind"] == kind:
                return event

    async def state(self, port: str, key: str, value: object) -> dict[str, Any]:
        """Wait until a port is told with this value."""
        while True:
            for one in (await self.next())["ports"]:
                if one["name"] == port and one[key] == value:
                    found: dict[str, Any] = one
                    return found

    async def end(self) -> None:
        self.task.cancel()
        await asyncio.gather(self.task, return_exceptions=True)


@asynccontextmanager
async def gateway_with(pty: Pty) -> AsyncIterator[tuple[Gateway, Commands, tuple[str, int]]]:
    """A gateway that serves `psu1` on a PTY, and where its raw face listens."""
    gateway = Gateway(Store())
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        gateway.add(PortConfig("psu1", pty.path), [(Face.RAW, listening)])
        gateway.start()
        await ready(gateway)
        yield gateway, Commands(gateway, None), listening.getsockname()
        await gateway.stop()


async def ready(gateway: Gateway) -> None:
    """Wait until the device of `psu1` is open."""
    changed = asyncio.Event()
    gateway.port_observers.append(lambda _: changed.set())
    await until(lambda: gateway.served["psu1"].port.phase is Phase.READY, changed)


def test_both_directions_and_what_happens() -> None:
    async def work() -> None:
        with Pty() as pty:
            async with gateway_with(pty) as (_, commands, address):
                watch = Told("Watch", commands.methods.more["Watch"], port="psu1")
                look = Told("Watch", commands.looking.more["Watch"], port="psu1")
                events = Told("Watch", commands.looking.more["Watch"], port="psu1", bytes=False)
                for one in (watch, look, events):
                    first = await one.next()
                    assert (first["received"], first["from_line"], first["event"]) == (
                        0,
                        None,
                        None,
                    )
                await pty.write(b"boot\r\n")
                assert await watch.bytes("from_line", 6) == b"boot\r\n"
                reader, writer = await asyncio.open_connection(*address)
                opened = await watch.event("session-opened")
                assert (opened["face"], opened["peer"]) == (
                    "raw",
                    "{}:{}".format(*writer.get_extra_info("sockname")),
                )
                writer.write(b"secret")
                assert await watch.bytes("to_line", 6) == b"secret"
                assert await pty.read(6) == b"secret"
                await pty.write(b"answer")
                assert await reader.readexactly(6) == b"answer"
                assert await look.bytes("from_line", 12) == b"boot\r\nanswer"
                writer.close()
                closed = await events.event("session-closed")
                assert closed["peer"] == opened["peer"]
                for one in (watch, look, events):
                    await one.end()

    run(work)


def test_a_watcher_leaves_nothing_behind() -> None:
    async def work() -> None:
        with Pty() as pty:
            async with gateway_with(pty) as (gateway, commands, _):
                hub = gateway.served["psu1"].port.hub
                tellers = [
                    Told("Watch", commands.methods.more["Watch"], port="psu1"),
                    Told("Changes", commands.methods.more["Changes"]),
                ]
                for one in tellers:
                    await one.next()
                assert [len(hub.taps), len(gateway.observers)] == [2, 2]
                for one in tellers:
                    await one.end()
                assert [len(hub.taps), len(gateway.observers)] == [0, 0]

    run(work)


def test_a_port_that_is_not_there_or_goes_or_is_replaced() -> None:
    async def work() -> None:
        with Pty() as pty, Pty() as other:
            async with gateway_with(pty) as (gateway, commands, _):
                none = Told("Watch", commands.methods.more["Watch"], port="psu2")
                with pytest.raises(CallError, match="NoSuchPort"):
                    await none.task
                watch = Told("Watch", commands.methods.more["Watch"], port="psu1")
                await watch.next()
                await gateway.remove("psu1")
                gateway.add(PortConfig("psu1", other.path), ()).keeper.start()
                gateway.arranged()
                await ready(gateway)
                await other.write(b"after")
                assert await watch.bytes("from_line", 5) == b"after"
                await gateway.remove("psu1")
                gateway.order([])
                with pytest.raises(CallError, match="NoSuchPort"):
                    await watch.task

    run(work)


def test_changes_of_state_and_of_counters() -> None:
    async def work() -> None:
        with Pty() as pty:
            async with gateway_with(pty) as (gateway, commands, address):
                told = Told("Changes", commands.looking.more["Changes"])
                first = await told.next()
                assert first["names"] == ["psu1"]
                assert [port["name"] for port in first["ports"]] == ["psu1"]
                assert first["ports"][0]["state"] == "ready"
                _, writer = await asyncio.open_connection(*address)
                port = await told.state("psu1", "sessions", 1)
                assert port["session"]["face"] == "raw"
                await pty.write(b"12345")
                port = await told.state("psu1", "received", 5)
                assert (port["lost_at"], port["signals"]) == (None, None)
                gateway.add(PortConfig("psu2", "/dev/none"), ())
                gateway.order(["psu2", "psu1"])
                while (await told.next())["names"] != ["psu2", "psu1"]:
                    pass
                await gateway.remove("psu2")
                gateway.order(["psu1"])
                while (await told.next())["names"] != ["psu1"]:
                    pass
                pty.hang_up()
                assert pty.slave is not None
                port = await told.state("psu1", "losses", 1)
                # The state may have changed once more since, in another second.
                assert port["session"]["since"] <= port["lost_at"] <= port["state_since"]
                writer.close()
                await told.end()

    run(work)


def test_changes_are_told_together_and_nothing_wakes_up_when_nothing_changes() -> None:
    async def work() -> None:
        gateway = Gateway(Store())
        for number in range(8):
            gateway.add(PortConfig(f"p{number}", "/dev/none"), ())
        with Changes(gateway) as changes:
            assert len(await changes.wait()) == 8
            for served in gateway.served.values():
                for _ in range(100):
                    served.port.hub.from_line(b"x")
            assert len(await changes.wait()) == 8
            assert not changes.due
        await gateway.stop()

    run(work)


def told_of(watcher: Watcher) -> list[dict[str, Any]]:
    """All that waits in a watcher that has ended."""

    async def take() -> list[dict[str, Any]]:
        answers = []
        while (answer := await watcher.take()) is not None:
            answers.append(answer)
        return answers

    watcher.end()
    return asyncio.run(take())


def test_what_waits_is_told_in_few_pieces() -> None:
    watcher = Watcher(data=True, clients=True)
    for data in (b"a", b"b"):
        watcher.from_line(data)
    watcher.to_line(b"c")
    watcher.happened(PortEvent(EventKind.SETTINGS, settings=LineSettings(115200)))
    watcher.from_line(b"d")
    watcher.happened(PortEvent(EventKind.SIGNALS, signals=Signal.DTR | Signal.CTS))
    watcher.happened(PortEvent(EventKind.ERRORS, errors=LineErrors(1, 2, 3, 4, 5)))
    answers = told_of(watcher)
    lines = [(one["from_line"], one["to_line"]) for one in answers]
    assert lines[:2] == [("YWI=", None), (None, "Yw==")]
    events = [one["event"] for one in answers if one["event"]]
    assert events[0]["line"] == "115200 8N1"
    assert events[1]["signals"] == ["DTR", "CTS"]
    assert list(events[2]["errors"].values()) == [1, 2, 3, 4, 5]


def test_a_slow_caller_misses_bytes_and_is_told_where_and_how_many() -> None:
    async def work() -> None:
        watcher = Watcher(data=True, clients=True)
        sent = told = missed = events = 0
        for number in range(3000):
            watcher.from_line(b"x" * 100)
            sent += 100
            watcher.happened(PortEvent(EventKind.DEVICE, str(number)))
            assert watcher.size <= HIGH_BYTES + 2 * 256
            if number % 500 == 499:
                while watcher.size > LOW_BYTES // 2:
                    answer = await watcher.take()
                    assert answer is not None
                    told += len(base64.b64decode(answer["from_line"] or ""))
                    missed += answer["missed"]
                    events += answer["missed_events"] + (answer["event"] is not None)
        watcher.end()
        last: dict[str, Any] | None = None
        while (answer := await watcher.take()) is not None:
            last = answer
            told += len(base64.b64decode(answer["from_line"] or ""))
            missed += answer["missed"]
            events += answer["missed_events"] + (answer["event"] is not None)
        assert last is not None
        assert missed > 100_000
        assert (told + missed, events) == (sent, 3000)

    run(work)


def test_what_a_slow_caller_misses_counts_for_the_port() -> None:
    async def work() -> None:
        with Pty() as pty:
            async with gateway_with(pty) as (gateway, _, _):
                port = gateway.served["psu1"].port
                watcher = Watcher(data=True, clients=False)
                with Following(gateway, "psu1", watcher):
                    port.hub.deliver(b"x" * HIGH_BYTES)
                    port.hub.deliver(b"yz")
                port.hub.deliver(b"nobody watches")
                assert describe(gateway.served["psu1"])["missed"] == 2

    run(work)


def test_a_chunk_longer_than_all_that_may_wait() -> None:
    watcher = Watcher(data=True, clients=False)
    watcher.from_line(b"x" * (HIGH_BYTES + 1))
    watcher.from_line(b"y")
    answers = told_of(watcher)
    assert [one["missed"] for one in answers] == [HIGH_BYTES + 1, 0]
    assert answers[1]["from_line"] == "eQ=="


async def attach(commands: Commands, **parameters: object) -> socket.socket:
    """What `Attach` hands over to root."""
    answer = await commands.methods.once["Attach"](
        Call("Attach", {"port": "psu1", **parameters}, caller="root (pid 7)")
    )
    assert isinstance(answer, Handed)
    assert DESCRIBED.fits(answer.parameters, DESCRIBED.methods["Attach"][1])
    return socket.socket(fileno=answer.fds[answer.parameters["fd"]])


async def error_of(commands: Commands, method: str, **parameters: object) -> str:
    """What a call is refused with."""
    with pytest.raises(CallError) as caught:
        await commands.methods.once[method](Call(method, parameters))
    return caught.value.name.rpartition(".")[2]


def test_what_is_attached_is_a_client_as_any_other() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with Pty() as pty:
            async with gateway_with(pty) as (gateway, commands, address):
                port = gateway.served["psu1"].port
                with await attach(commands, mode="raw", peer="alice\n\x1b[1m") as sock:
                    sock.setblocking(False)
                    assert port.owner is not None
                    assert port.owner.peername == "alice[1m through root (pid 7)"
                    await loop.sock_sendall(sock, b"\xff*IDN?")
                    assert await pty.read(6) == b"\xff*IDN?"
                    await pty.write(b"GATEWAYD\xff")
                    assert await loop.sock_recv(sock, 100) == b"GATEWAYD\xff"
                    second = await attach(commands, mode="raw")
                    second.setblocking(False)
                    assert await loop.sock_recv(second, 100) == b""
                    second.close()
                    third = await attach(commands, mode="raw", takeover=True)
                    third.setblocking(False)
                    assert await loop.sock_recv(sock, 100) == b""
                    await pty.write(b"x")
                    assert await loop.sock_recv(third, 100) == b"x"
                left = asyncio.Event()
                gateway.port_observers.append(lambda _: left.set())
                third.close()
                await left.wait()
                reader, writer = await asyncio.open_connection(*address)
                await pty.write(b"y")
                assert await reader.readexactly(1) == b"y"
                writer.close()

    run(work)


def test_a_telnet_client_is_attached_also_where_the_port_has_no_telnet() -> None:
    async def work() -> None:
        loop = asyncio.get_running_loop()
        with Pty() as pty:
            async with gateway_with(pty) as (_, commands, _address):
                with await attach(commands) as sock:
                    sock.setblocking(False)
                    assert (await loop.sock_recv(sock, 100))[:1] == b"\xff"
                    # IAC and a DM would be urgent on TCP.
                    await loop.sock_sendall(sock, b"\xff\xf2a\xff\xffb")
                    assert await pty.read(3) == b"a\xffb"

    run(work)


def test_what_cannot_be_attached() -> None:
    async def work() -> None:
        with Pty() as pty:
            async with gateway_with(pty) as (_, commands, _address):
                assert await error_of(commands, "Attach", port="psu2") == "NoSuchPort"
                assert await error_of(commands, "Attach", port="psu1", mode="x") == (
                    "InvalidParameter"
                )
                before = len(os.listdir("/proc/self/fd"))
                assert await error_of(commands, "Attach") == "InvalidParameter"
                assert len(os.listdir("/proc/self/fd")) == before
                assert commands.looking.denied == {"Attach", "Free", "Kick", "Lease", "Reload"}

    run(work)
