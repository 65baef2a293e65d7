"""Has tickets judged: each by a process of its own, which has nothing that the daemon has open."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from gatewayd.apart import run
from gatewayd.errors import GatewayError
from gatewayd.regular import IrregularError, open_regular

AT_ONCE: Final = 2
"""Processes; each lives for some tenths of a second on a small machine."""
JUDGING_S: Final = 10.0
LONGEST_REASON: Final = 200

CODE: Final = "from gatewayd.kerberos.judge import main; main()"
_ENVIRONMENT: Final = (
    "KRB5_CONFIG",
    "KRB5RCACHENAME",
    "KRB5RCACHEDIR",
    "LD_LIBRARY_PATH",
    "TMPDIR",
)
"""What a user of libkrb5 may have set."""

Aside = Callable[[Callable[[], dict[str, str]], float], Awaitable[dict[str, str]]]


class TicketError(GatewayError):
    """A ticket is not good, or there is no judging it; the text says why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """Who has shown a good ticket."""

    principal: str
    name: str
    """What the configuration calls this principal."""
    reply: bytes
    """An AP-REP, by which the client knows us."""


class Tickets:
    """One for all ports. `keytab` is a path and `principals` says who is let in, by which name.
    `aside` waits beside the loop, for so many seconds at most."""

    def __init__(self, keytab: str, principals: Mapping[str, str], aside: Aside) -> None:
        self.keytab = keytab
        self.principals = principals
        self._aside = aside
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()

    def judge(
        self, pair: bytes, request: bytes, answer: Callable[[Shown | TicketError], None]
    ) -> Callable[[], object]:
        """Call `answer` when it is known whose `request`, an AP-REQ for `pair`, is. Returns what
        calls it off."""
        task = asyncio.get_running_loop().create_task(self._judge(pair, request, answer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task.cancel

    async def _judge(
        self, pair: bytes, request: bytes, answer: Callable[[Shown | TicketError], None]
    ) -> None:
        try:
            async with self._turns:
                told = await self._aside(partial(_asked, self.keytab, pair + request), JUDGING_S)
            answer(self._shown(told))
        except TicketError as error:
            answer(error)
        except GatewayError as error:
            # No thread could be had.
            answer(TicketError(str(error)))

    def _shown(self, told: dict[str, str]) -> Shown:
        principal = told["principal"]
        name = self.principals.get(principal)
        if name is None:
            raise TicketError(f"{principal!r} is not among the principals")
        return Shown(principal, name, bytes.fromhex(told["reply"]))


def look_at(keytab: str) -> None:
    """See whether tickets can be judged by it. Raises TicketError; waits, so not for a loop."""
    try:
        open_regular(keytab).close()
    except IrregularError as error:
        raise TicketError(f"{keytab}: {error.strerror}") from None
    except OSError:
        # libkrb5 says why.
        pass
    _asked(keytab, b"")


def _asked(keytab: str, asked: bytes) -> dict[str, str]:
    """What the process says. Raises TicketError."""
    try:
        done = run(CODE, keytab, given=asked, patience=JUDGING_S, keep=_ENVIRONMENT)
    except OSError as error:
        raise TicketError(f"tickets cannot be judged now: {error.strerror or error}") from None
    if done.status:
        raise TicketError(f"the judge of tickets ended with {done.status}")
    told: dict[str, Any] = json.loads(done.said)
    if "refused" in told:
        raise TicketError(str(told["refused"])[:LONGEST_REASON])
    return told
