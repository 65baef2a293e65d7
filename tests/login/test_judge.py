"""Passwords are judged beside the loop, and who was wrong waits, alone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from gatewayd.login.judge import AT_ONCE, LONGEST_WAIT_S, PasswordJudge
from gatewayd.login.users import Secret, secret


class Court:
    """A judge, whose waits last until the test lets them end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: list[float] = []
        self._over = asyncio.Event()
        self._sleep = asyncio.sleep
        monkeypatch.setattr(asyncio, "sleep", self._wait)
        users: dict[str, Secret] = {"alice": secret(b"open sesame")}
        self.judge = PasswordJudge(users, self._aside)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        await self._over.wait()

    @staticmethod
    async def _aside(work: Callable[[], bool], _seconds: float) -> bool:
        return work()

    async def pause(self) -> None:
        """Let others have a turn."""
        await self._sleep(0)

    def end_waits(self) -> None:
        """All who wait have waited."""
        self._over.set()
        self._over = asyncio.Event()

    def ask(self, host: str, password: bytes, name: str = "alice") -> asyncio.Future[bool]:
        """What comes of a try."""
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.judge.judge(host, name, password, answer.set_result)
        return answer

    async def wrong(self, host: str, name: str = "alice") -> float:
        """A wrong try, and how long it takes."""
        before = len(self.waits)
        answer = self.ask(host, b"wrong", name)
        while len(self.waits) == before:
            await self.pause()
        self.end_waits()
        assert not await answer
        return self.waits[-1]


def test_each_wrong_one_takes_twice_as_long_for_its_address_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def scenario() -> None:
        court = Court(monkeypatch)
        assert [await court.wrong("192.0.2.1") for _ in range(6)] == [
            1,
            2,
            4,
            8,
            16,
            LONGEST_WAIT_S,
        ]
        assert await court.wrong("192.0.2.2") == 1
        assert await court.wrong("192.0.2.2", name="nobody") == 2
        assert await court.ask("192.0.2.1", b"open sesame")
        assert await court.wrong("192.0.2.1") == 1

    asyncio.run(scenario())


def test_those_who_wait_hold_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario() -> None:
        court = Court(monkeypatch)
        waiting = [court.ask(f"192.0.2.{number}", b"wrong") for number in range(2 * AT_ONCE)]
        assert await court.ask("192.0.2.100", b"open sesame")
        while len(court.waits) < len(waiting):
            await court.pause()
        assert not any(one.done() for one in waiting)
        court.end_waits()
        assert not any(await asyncio.gather(*waiting))

    asyncio.run(scenario())
