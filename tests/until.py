"""Waiting for what an event tells of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


async def until(
    condition: Callable[[], object], changed: asyncio.Event, seconds: float = 20.0
) -> None:
    """Look first, then after each setting of `changed`, until `condition` holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            changed.clear()
            await changed.wait()
