"""Work beside the loop."""

from __future__ import annotations

import asyncio
import sys
import threading

import pytest

from gatewayd.config.problem import ConfigError
from gatewayd.errors import GatewayError
from gatewayd.service.aside import aside


def test_what_it_returns_and_raises() -> None:
    def fail() -> None:
        raise ConfigError(())

    async def main() -> None:
        before = sys.getswitchinterval()
        assert await aside(threading.get_ident, 10) != threading.get_ident()
        with pytest.raises(ConfigError):
            await aside(fail, 10)
        assert sys.getswitchinterval() == before

    asyncio.run(main())


def test_the_loop_goes_on_meanwhile() -> None:
    async def main() -> None:
        go = threading.Event()
        work = asyncio.ensure_future(aside(go.wait, 10))
        for _ in range(3):
            await asyncio.sleep(0)
        go.set()
        assert await work

    asyncio.run(main())


def test_what_does_not_return_is_left_to_itself() -> None:
    async def main() -> None:
        go = threading.Event()
        with pytest.raises(GatewayError, match="not done within"):
            await aside(go.wait, 0.01)
        go.set()

    asyncio.run(main())


def test_no_thread_to_be_had(monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    async def main() -> None:
        with pytest.raises(GatewayError, match="can't start new thread"):
            await aside(int, 10)

    monkeypatch.setattr(threading.Thread, "start", start)
    asyncio.run(main())
