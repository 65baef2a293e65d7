"""A user of a line that notes what it is told, and can wait for it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gatewayd.line.api import Gathering
from gatewayd.line.model import LineErrors, Signal


class Recorder:
    """`LineEvents` that remember. Usable without a loop, except for `until`."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.reads: list[int] = []
        self.writable = 0
        self.signals: list[Signal] = []
        self.errors: list[LineErrors] = []
        self.lost: list[OSError | None] = []
        self.refused: list[tuple[str, int | None]] = []
        self.inside = False
        self._changed: asyncio.Event | None = None

    def line_data(self, data: bytes) -> None:
        assert data
        self.data += data
        self.reads.append(len(data))
        self._note()

    def line_writable(self) -> None:
        self.writable += 1
        self._note()

    def line_signals(self, signals: Signal) -> None:
        self.signals.append(signals)
        self._note()

    def line_errors(self, errors: LineErrors) -> None:
        self.errors.append(errors)
        self._note()

    def line_refused(self, what: str, error: OSError) -> None:
        self.refused.append((what, error.errno))
        if self._changed is not None:
            self._changed.set()

    def line_streams_both_ways(self) -> bool:
        return False

    def line_gathered(self, place: Gathering | None) -> None:
        raise AssertionError(place)

    def line_lost(self, cause: OSError | None) -> None:
        self.lost.append(cause)
        self._note()

    def _note(self) -> None:
        assert not self.inside, "told within a call into the line"
        if self._changed is not None:
            self._changed.set()

    async def until(self, condition: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until `condition` holds, looking after each event; TimeoutError if it never does."""
        async with asyncio.timeout(seconds):
            while not condition():
                self._changed = asyncio.Event()
                await self._changed.wait()
