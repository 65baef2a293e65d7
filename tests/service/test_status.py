"""What the gateway tells of its ports."""

from __future__ import annotations

import asyncio

import pytest

from gatewayd.config.schema import PortConfig
from gatewayd.line import ioctls
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import LineErrors, Signal
from gatewayd.port.phase import Phase
from gatewayd.service import status
from gatewayd.service.gateway import Gateway
from gatewayd.service.loop import GatewayLoop
from gatewayd.service.store import Store
from tests.line.pty import Pty
from tests.until import until


def test_errors_and_modem_lines_are_those_of_now_though_nobody_watches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors, signals = [LineErrors()], [Signal.DTR]
    monkeypatch.setattr(ioctls, "get_counts", lambda fd: Counts(0, 0, 0, 0, errors[0]))
    monkeypatch.setattr(ioctls, "get_signals", lambda fd: signals[0])

    async def work() -> None:
        with Pty() as pty:
            gateway, changed = Gateway(Store()), asyncio.Event()
            gateway.port_observers.append(lambda _: changed.set())
            served = gateway.add(PortConfig("psu1", pty.path), ())
            gateway.start()
            await until(lambda: served.port.phase is Phase.READY, changed)
            errors[0], signals[0] = LineErrors(parity=3), Signal.DTR | Signal.CD
            (told,) = await status.ports(gateway)
            assert told["parity_errors"] == 3
            assert told["signals"] == ["DTR", "CD"]
            await gateway.stop()

    with asyncio.Runner(loop_factory=GatewayLoop) as runner:
        runner.run(work())
