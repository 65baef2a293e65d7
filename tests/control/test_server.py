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
from gatewayd.control.server import ControlError, ControlServer
from gatewayd.control.varlink import Call

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Served:
    """A control server with one method, `Echo`; it answers when `go` is set."""

    def __init__(self, path: Path) -> None:
        self.path = str(path)
        self.calls: list[Call] = []
        self.called, self.go = asyncio.Event(), asyncio.Event()
        self.go.set()
        self.server = ControlServer(self.path, {"Echo": self._echo})

    async def _echo(self, call: Call) -> Mapping[str, Any]:
        self.calls.append(call)
        self.called.set()
        await self.go.wait()
        return call.parameters

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
