"""Work that may take its time, beside the loop."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

from gatewayd.errors import GatewayError

T = TypeVar("T")

TURN_S: Final = 0.0005
"""How long Python computes in the thread while the loop has something to do."""


async def aside(work: Callable[[], T], seconds: float) -> T:
    """What `work` returns or raises, computed in a thread of its own.

    Raises GatewayError when no thread can be had, or when `work` has not returned after `seconds`;
    its thread is then left to itself, and does not keep the process from ending.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[T] = loop.create_future()

    def run() -> None:
        try:
            result = work()
        except MemoryError:
            tell(done.set_exception, GatewayError("cannot be done now: out of memory"))
        except BaseException as error:  # noqa: BLE001 - it is raised in the loop
            tell(done.set_exception, error)
        else:
            tell(done.set_result, result)

    def tell(how: Callable[[Any], None], what: object) -> None:
        # The loop may be closed by now, and nobody may be waiting.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(lambda: None if done.done() else how(what))

    try:
        threading.Thread(target=run, daemon=True).start()
    except RuntimeError as error:
        raise GatewayError(f"cannot be done now: {error}") from None
    with _short_turns():
        try:
            async with asyncio.timeout(seconds):
                return await done
        except TimeoutError:
            raise GatewayError(f"not done within {seconds:g} s; given up") from None


@contextlib.contextmanager
def _short_turns() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(TURN_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)
