"""A stop waits for no reload, and one port's failure costs that port."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from pathlib import Path

import pytest

from gatewayd.config.load import load
from gatewayd.config.schema import Address, Face, PortConfig
from gatewayd.log import Happening
from gatewayd.net.address import bind
from gatewayd.service import reload
from gatewayd.service.daemon import Daemon
from gatewayd.service.gateway import Gateway
from gatewayd.service.handover import give
from gatewayd.service.store import Store
from tests.line.pty import Pty
from tests.ports import free_ports
from tests.until import turning


class Kept(Store):
    """A store that remembers the state, and has a fault with one port's session."""

    def __init__(self) -> None:
        super().__init__()
        self.said: dict[str, object] = {}

    def session(self, port: str, fd: int) -> None:
        if port == "p1":
            raise ValueError("whatever it is")

    def state(self, data: bytes) -> None:
        self.said = json.loads(data)


def test_a_port_that_cannot_be_handed_over_costs_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        gateway, listening = Gateway(Store()), bind(Address("127.0.0.1", 0))
        gateway.add(PortConfig("p0", "/dev/none"), ())
        with Pty() as pty:
            served = gateway.add(PortConfig("p1", pty.path), [(Face.RAW, listening)])
            gateway.add(PortConfig("p2", "/dev/none"), ())
            gateway.start()
            await turning(lambda: served.port.line)
            _, client = await asyncio.open_connection(*listening.getsockname())
            await turning(lambda: served.port.owner)
            store = Kept()
            await give(gateway, store)
            ports = store.said["ports"]
            assert isinstance(ports, dict)
            assert set(ports) == {"p0", "p2"}
            client.close()
            await gateway.stop()

    asyncio.run(work())
    told = [one for one in caplog.records if one.__dict__["happening"] is Happening.FAULT]
    assert [one.__dict__["gatewayd_port"] for one in told] == ["p1"]


def test_a_stop_calls_off_a_reload_that_does_not_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (number,) = free_ports(1)
    file = tmp_path / "gatewayd.yaml"
    file.write_text(
        f"version: 1\ncontrol: none\nports:\n  p0: {{device: /dev/none, raw: {number}}}\n"
    )
    begun = asyncio.Event()

    async def endless(*args: object) -> str:
        begun.set()
        await asyncio.Event().wait()
        return ""

    monkeypatch.setattr(reload, "apply", endless)

    async def work() -> None:
        serving = asyncio.ensure_future(Daemon(load(str(file)), str(file)).serve())
        await asyncio.sleep(0)
        os.kill(os.getpid(), signal.SIGHUP)
        async with asyncio.timeout(10):
            await begun.wait()
        os.kill(os.getpid(), signal.SIGTERM)
        async with asyncio.timeout(10):
            await serving

    asyncio.run(work())
