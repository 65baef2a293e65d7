"""The control socket, as a socket, with callers of all kinds."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import socket
import stat
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from gatewayd import __version__
from gatewayd.control import interface, server, varlink
from gatewayd.control.caller import Handed
from gatewayd.control.server import ControlError, ControlServer, Methods, Tell, Turns
from gatewayd.control.varlink import Call, CallError
from tests.spell import quiet

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A control server with one method, `Echo`; it answers when `go` is set."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.calls: list[Call] = []
        self.called, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.told = 0
        self.over = asyncio.Event()
        methods = Methods(
            {"Echo": self._echo, "Hand": self._hand},
            {"Count": self._count, "Flood": self._flood},
            frozenset({"Forbidden"}),
        )
        self.server = ControlServer(self.path, methods)

    async def _echo(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        self.called.set()
        await self.go.wait()
        return call.parameters

    async def _hand(self, call: Call) -> Handed:
        reading, writing = os.pipe()
        os.write(writing, b"handed")
        os.close(writing)
        return Handed({"x": call.parameters["x"]}, (reading,))

    async def _count(self, call: Call, tell: Tell) -> None:
        for number in range(call.parameters["to"]):
            await tell({"number": number})
        if "x" in call.parameters:
            raise CallError("io.example.Over")
        try:
            await self.go.wait()
            await asyncio.Event().wait()
        finally:
            self.over.set()

    async def _flood(self, call: Call, tell: Tell) -> None:
        while True:
            await tell({"text": "x" * 1000})
            self.told += 1

    async def caller(self) -> Streams:
        return await asyncio.open_unix_connection(self.path)

    async def __aenter__(self) -> Served:
        await self.server.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.server.stop()


def run(work: Callable[[], Awaitable[None]]) -> None:
    async def bounded() -> None:
        async with asyncio.timeout(20):
            await work()
            # A transport that was closed closes its socket in the next turn.
            await asyncio.sleep(0)

    asyncio.run(bounded())


async def call(streams: Streams, method: str, **parameters: object) -> dict[str, Any]:
    reader, writer = streams
    writer.write(varlink.encode({"method": method, "parameters": parameters}))
    return await answer(reader)


async def answer(reader: asyncio.StreamReader) -> dict[str, Any]:
    message: dict[str, Any] = json.loads((await reader.readuntil(b"\0"))[:-1])
    return message


ECHO = f"{interface.NAME}.Echo"


def test_its_owner_and_its_group_may_call(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "run" / "control"
        async with Served(path) as served:
            status = path.stat()
            assert stat.S_ISSOCK(status.st_mode)
            assert stat.S_IMODE(status.st_mode) == 0o660
            assert stat.S_IMODE(path.parent.stat().st_mode) == 0o750
            streams = await served.caller()
            assert await call(streams, ECHO, x=1) == {"parameters": {"x": 1}}
            streams[1].close()
        assert not path.exists()

    before = os.umask(0o022)
    try:
        run(work)
        assert os.umask(0o022) == 0o022, "the umask of the process is another one now"
    finally:
        os.umask(before)


def test_what_a_dead_daemon_left_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "control"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))

    async def work() -> None:
        async with Served(path) as served:
            streams = await served.caller()
            assert await call(streams, ECHO) == {"parameters": {}}
            streams[1].close()

    run(work)


def test_a_second_daemon_is_refused(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as first:
            with pytest.raises(ControlError, match="another gatewayd answers there"):
                await Served(tmp_path / "control").server.start()
            streams = await first.caller()
            assert await call(streams, ECHO) == {"parameters": {}}
            streams[1].close()

    run(work)


def test_a_daemon_that_hangs_does_not_make_the_next_one_hang(tmp_path: Path) -> None:
    path = str(tmp_path / "control")
    with socket.socket(socket.AF_UNIX) as hung, socket.socket(socket.AF_UNIX) as waiting:
        hung.bind(path)
        hung.listen(0)
        waiting.connect(path)
        with pytest.raises(ControlError, match="another gatewayd is busy there"):
            server.listening_socket(path)
        assert Path(path).exists()


def test_paths_that_will_not_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    for path, why in (
        (tmp_path / "file", "something else is there"),
        (tmp_path / "no" / "directory" / "control", "No such file or directory"),
        (tmp_path / ("x" * 120), "path too long"),
        (tmp_path / "file" / "control", "Not a directory"),
    ):
        with pytest.raises(ControlError, match=why):
            server.listening_socket(str(path))
    assert (tmp_path / "file").read_text() == "kept"


def test_the_standard_interface(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            streams = await served.caller()
            info = await call(streams, "org.varlink.service.GetInfo")
            assert info["parameters"]["version"] == __version__
            names = info["parameters"]["interfaces"]
            assert names == ["org.varlink.service", interface.NAME]
            for name in names:
                described = await call(
                    streams, "org.varlink.service.GetInterfaceDescription", interface=name
                )
                assert f"interface {name}\n" in described["parameters"]["description"]
            streams[1].close()

    run(work)


@pytest.mark.parametrize(
    ("method", "parameters", "error", "details"),
    [
        ("a.b.C", {}, "InterfaceNotFound", {"interface": "a.b"}),
        ("x", {}, "InterfaceNotFound", {"interface": ""}),
        (f"{interface.NAME}.Dance", {}, "MethodNotFound", {"method": f"{interface.NAME}.Dance"}),
        ("org.varlink.service.X", {}, "MethodNotFound", {"method": "org.varlink.service.X"}),
        (
            "org.varlink.service.GetInterfaceDescription",
            {},
            "InvalidParameter",
            {"parameter": "interface"},
        ),
        (
            "org.varlink.service.GetInterfaceDescription",
            {"interface": "a.b"},
            "InterfaceNotFound",
            {"interface": "a.b"},
        ),
    ],
)
def test_refusals_leave_the_connection_open(
    tmp_path: Path,
    method: str,
    parameters: dict[str, object],
    error: str,
    details: dict[str, object],
) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            streams = await served.caller()
            refused = await call(streams, method, **parameters)
            assert refused == {"error": f"org.varlink.service.{error}", "parameters": details}
            assert await call(streams, ECHO, x=1) == {"parameters": {"x": 1}}
            streams[1].close()

    run(work)


def test_a_oneway_call_has_no_answer(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            writer.write(varlink.encode({"method": ECHO, "oneway": True, "parameters": {"x": 1}}))
            writer.write(varlink.encode({"method": "a.b.C", "oneway": True}))
            assert await call((reader, writer), ECHO, x=2) == {"parameters": {"x": 2}}
            assert [one.parameters["x"] for one in served.calls] == [1, 2]
            writer.close()

    run(work)


def test_calls_at_once_are_answered_in_turn(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            calls = [{"method": ECHO, "parameters": {"x": number}} for number in range(20)]
            writer.write(b"".join(varlink.encode(one) for one in calls))
            for number in range(20):
                assert await answer(reader) == {"parameters": {"x": number}}
            writer.close()

    run(work)


@pytest.mark.parametrize(
    "garbage", [b"\0", b"{}\0", b"GET / HTTP/1.1\r\n\r\n\0", b'{"method": 7}\0', b"x" * 200_000]
)
def test_garbage_ends_its_own_connection(
    tmp_path: Path, garbage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            good, bad = await served.caller(), await served.caller()
            bad[1].write(garbage)
            # A reset when some of it was not read.
            with contextlib.suppress(ConnectionResetError):
                assert await bad[0].read() == b""
            assert await call(good, ECHO, x=1) == {"parameters": {"x": 1}}
            good[1].close()
            bad[1].close()

    run(work)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


def test_half_of_a_surrogate_pair_is_a_name_like_any_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            writer.write(b'{"method": "\\ud800.X"}\0')
            assert (await answer(reader))["error"] == "org.varlink.service.InterfaceNotFound"
            writer.close()

    run(work)
    assert not caplog.records


def test_an_idle_caller_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.05)

    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            assert await reader.read() == b""
            writer.close()

    run(work)


def test_a_caller_that_does_not_read_is_not_answered_on_and_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What its answers take stays bounded, and it is closed."""
    monkeypatch.setattr(server, "IDLE_S", 0.2)

    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            _, writer = await served.caller()
            long = {"method": ECHO, "parameters": {"text": "x" * 50_000}}
            with contextlib.suppress(ConnectionError):
                while True:
                    writer.write(varlink.encode(long))
                    await writer.drain()
            assert len(served.calls) < 20
            writer.transport.abort()

    run(work)


def test_who_called_is_in_the_log(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            streams = await served.caller()
            await call(streams, ECHO)
            streams[1].close()

    with caplog.at_level(logging.INFO, "gatewayd"):
        run(work)
    (record,) = caplog.records
    assert record.getMessage().startswith("Echo by ")
    assert f"(pid {os.getpid()})" in record.getMessage()


def test_stopping_ends_callers_and_leaving_does_not(tmp_path: Path) -> None:
    path = tmp_path / "control"

    async def work() -> None:
        async with Served(path) as served:
            served.go.clear()
            reader, writer = await served.caller()
            writer.write(varlink.encode({"method": ECHO, "parameters": {"x": 1}}))
            writer.write(varlink.encode({"method": ECHO, "parameters": {"x": 2}}))
            await served.called.wait()
            served.server.leave()
            assert not path.exists()
            served.go.set()
            assert await answer(reader) == {"parameters": {"x": 1}}
            await answer(reader)
            await served.server.stop()
            assert await reader.read() == b""
            writer.close()

    run(work)


MORE = {"more": True}


def test_a_stream_of_answers_and_the_call_behind_it(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            count = {"method": f"{interface.NAME}.Count", "parameters": {"to": 3, "x": 1}, **MORE}
            writer.write(varlink.encode(count))
            writer.write(varlink.encode({"method": ECHO, "parameters": {"x": 1}}))
            for number in range(3):
                told = {"parameters": {"number": number}, "continues": True}
                assert await answer(reader) == told
            assert await answer(reader) == {"error": "io.example.Over", "parameters": {}}
            assert await answer(reader) == {"parameters": {"x": 1}}
            writer.close()

    run(work)


def test_a_stream_ends_with_its_caller(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            reader, writer = await served.caller()
            count = {"method": f"{interface.NAME}.Count", "parameters": {"to": 1}, **MORE}
            writer.write(varlink.encode(count))
            await answer(reader)
            writer.close()
            await served.over.wait()

    run(work)


def test_a_stream_waits_for_a_caller_that_does_not_read_and_outlives_the_time_for_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "IDLE_S", 0.05)

    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            sock = socket.socket(socket.AF_UNIX)
            with sock:
                sock.connect(served.path)
                sock.sendall(varlink.encode({"method": f"{interface.NAME}.Flood", **MORE}))
                before = -1
                while served.told != before or not before:
                    before = served.told
                    await quiet(0.1)
                assert served.told < 1000
                sock.setblocking(False)
                assert (await asyncio.get_running_loop().sock_recv(sock, 65536))[:1] == b"{"

    run(work)


@pytest.mark.parametrize(
    ("method", "error"), [("Count", "ExpectedMore"), ("Forbidden", "PermissionDenied")]
)
def test_what_is_asked_for_in_another_way_or_not_allowed(
    tmp_path: Path, method: str, error: str
) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            streams = await served.caller()
            refused = await call(streams, f"{interface.NAME}.{method}")
            assert refused == {"error": f"org.varlink.service.{error}", "parameters": {}}
            streams[1].close()

    run(work)


def test_an_answer_with_a_descriptor(tmp_path: Path) -> None:
    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            with socket.socket(socket.AF_UNIX) as sock:
                sock.connect(served.path)
                hand = {"method": f"{interface.NAME}.Hand", "parameters": {"x": 1}}
                sock.sendall(varlink.encode(hand))
                sock.settimeout(20)
                received = asyncio.to_thread(socket.recv_fds, sock, 1000, 4)
                data, (fd,), *_ = await received
                assert json.loads(data[:-1]) == {"parameters": {"x": 1}}
                assert os.read(fd, 100) == b"handed"
                os.close(fd)

    run(work)


def test_however_many_calls_come_at_once_others_have_their_turn_between_them(
    tmp_path: Path,
) -> None:
    async def work() -> None:
        turns = Turns()
        rounds = 0
        seen: list[int] = []

        def count() -> None:
            nonlocal rounds
            rounds += 1
            loop.call_soon(count)

        async def look(call: Call) -> Mapping[str, Any]:
            seen.append(rounds)
            return {}

        loop = asyncio.get_running_loop()
        paths = [str(tmp_path / "control"), str(tmp_path / "look")]
        servers = [ControlServer(path, Methods({"Status": look}), turns=turns) for path in paths]
        callers = []
        for one in servers:
            await one.start()
            callers += [await asyncio.open_unix_connection(one.path) for _ in range(3)]
        loop.call_soon(count)
        for _, writer in callers:
            writer.write(varlink.encode({"method": f"{interface.NAME}.Status"}) * 200)
        for reader, writer in callers:
            for _ in range(200):
                await answer(reader)
            writer.close()
        assert len(seen) == len(set(seen)) == 1200
        for one in servers:
            await one.stop()

    run(work)


def test_one_caller_too_many_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CALLERS", 2)

    async def work() -> None:
        async with Served(tmp_path / "control") as served:
            callers = [await served.caller() for _ in range(2)]
            assert await call(callers[1], ECHO, x=1) == {"parameters": {"x": 1}}
            reader, writer = await served.caller()
            assert await reader.read() == b""
            writer.close()
            callers[0][1].write_eof()
            assert await callers[0][0].read() == b""
            callers.append(await served.caller())
            assert await call(callers[2], ECHO, x=2) == {"parameters": {"x": 2}}
            for _, writer in callers:
                writer.close()

    run(work)
