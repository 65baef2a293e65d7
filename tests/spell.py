"""A spell of time, for tests in which time itself is the matter; no other waits by the clock.

`quiet` is for what must not come: of that no event can tell, so a time is waited in which it would
have come, and the test looks then. `pace` is how fast somebody does things, of whom only this is
known: a person who types, a device that streams. What does come is waited for by `tests.until`.
"""

from __future__ import annotations

import asyncio
import time


async def quiet(seconds: float) -> None:
    """Leave the loop alone, so that what must not come can show."""
    await asyncio.sleep(seconds)


async def pace(seconds: float) -> None:
    """The time that somebody in the loop takes between two things."""
    await asyncio.sleep(seconds)


def quiet_beside(seconds: float) -> None:
    """`quiet` in a test without a loop, beside which a program runs."""
    time.sleep(seconds)


def pace_beside(seconds: float) -> None:
    """`pace` in a test without a loop."""
    time.sleep(seconds)
