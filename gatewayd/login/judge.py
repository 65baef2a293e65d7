"""Judges passwords beside the loop, and lets those wait who were wrong."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

from gatewayd.errors import GatewayError
from gatewayd.login.users import NOBODY, Secret

AT_ONCE: Final = 2
"""Each takes 32 MiB and a core for a while."""
JUDGING_S: Final = 10.0
FIRST_WAIT_S: Final = 1.0
LONGEST_WAIT_S: Final = 16.0
FORGOTTEN_S: Final = 300.0
MOST_HOSTS: Final = 1024


Aside = Callable[[Callable[[], bool], float], Awaitable[bool]]


@dataclass(slots=True)
class _Failures:
    count: int
    last: float


class PasswordJudge:
    """One for all ports. `users` may be replaced at any time; `aside` computes beside the loop, for
    so many seconds at most."""

    def __init__(self, users: Mapping[str, Secret], aside: Aside) -> None:
        self.users = users
        self._aside = aside
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._hosts: OrderedDict[str, _Failures] = OrderedDict()
        self._tasks: set[asyncio.Task[None]] = set()

    def judge(
        self, host: str, name: str, password: bytes, answer: Callable[[bool], None]
    ) -> Callable[[], object]:
        """Call `answer` when it is known whether it is right. A wrong one takes a second, and twice
        as long each time for the same host. Returns what calls it off."""
        task = asyncio.get_running_loop().create_task(self._judge(host, name, password, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    async def _judge(
        self, host: str, name: str, password: bytes, answer: Callable[[bool], None]
    ) -> None:
        kept = self.users.get(name)
        try:
            async with self._turns:
                fits = await self._aside(partial((kept or NOBODY).fits, password), JUDGING_S)
        except GatewayError:
            # No thread, no memory: it was not right, and may be tried again.
            fits = False
        if fits and kept is not None:
            self._hosts.pop(host, None)
            answer(True)
            return
        await asyncio.sleep(self._wait_of(host))
        answer(False)

    def _wait_of(self, host: str) -> float:
        now = asyncio.get_running_loop().time()
        before = self._hosts.pop(host, None)
        count = before.count + 1 if before and now - before.last < FORGOTTEN_S else 1
        self._hosts[host] = _Failures(count, now)
        if len(self._hosts) > MOST_HOSTS:
            self._hosts.popitem(last=False)
        return min(FIRST_WAIT_S * 2.0 ** min(count - 1, 10), LONGEST_WAIT_S)
