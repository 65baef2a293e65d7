"""The sending half of a simulated UART: what waits, and leaves at the baud rate."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from gatewayd.line.api import Clock, Timer
from gatewayd.line.model import LineSettings

_PIECE_SECONDS: Final = 0.001


class Wire(Protocol):
    """What a sender is on."""

    def settings(self) -> LineSettings:
        """How it is set."""
        ...

    def may_send(self) -> bool:
        """Whether flow control and break let bytes go."""
        ...

    def went(self, piece: bytes) -> None:
        """Bytes have left."""

    def writable(self) -> None:
        """There is room again for who was refused."""


class SimSender:
    """Bytes in pieces of up to a millisecond, and who waits for them."""

    def __init__(self, clock: Clock, wire: Wire) -> None:
        self.queue = bytearray()
        """What has not left."""
        self.stuck = False
        """Whether the far end takes nothing."""
        self._clock = clock
        self._wire = wire
        self._piece: Timer | None = None
        self._piece_due = 0.0
        self._blocked = False
        self._drained: Callable[[], None] | None = None

    def write(self, data: bytes | memoryview) -> int:
        """See `api.Line`."""
        taken = min(max(self._wire.settings().unsent_limit - len(self.queue), 0), len(data))
        self.queue += data[:taken]
        self._blocked = self._blocked or taken < len(data)
        self.go_on()
        return taken

    def drain(self, drained: Callable[[], None]) -> None:
        """See `api.Line`."""
        if self._drained is not None:
            raise RuntimeError("one drain at a time")
        if self.queue:
            self._drained = drained
        else:
            drained()

    def purge(self) -> None:
        """Throw away what waits."""
        self.queue.clear()
        self.stop()
        drained, self._drained = self._drained, None
        if drained is not None:
            self._clock.call_later(0, drained)
        self._clock.call_later(0, self._progress)

    def go_on(self, began: float | None = None) -> None:
        """Begin the next piece if there is one and it may go; `began` is when the last one left."""
        if self._piece is not None or not self.queue or self.stuck or not self._wire.may_send():
            return
        speed = self._wire.settings().bytes_per_second
        size = min(max(int(speed * _PIECE_SECONDS), 1), len(self.queue))
        now = self._clock.time()
        # From when the last piece was due, since late timers must not slow the line down.
        self._piece_due = (now if began is None else began) + size / speed
        self._piece = self._clock.call_later(self._piece_due - now, self._piece_left, size)

    def _piece_left(self, size: int) -> None:
        self._piece = None
        piece = bytes(self.queue[:size])
        del self.queue[:size]
        self._wire.went(piece)
        self.go_on(self._piece_due)
        self._progress()

    def _progress(self) -> None:
        if self._blocked and len(self.queue) <= self._wire.settings().unsent_limit // 2:
            self._blocked = False
            self._wire.writable()
        if self._drained is not None and not self.queue:
            drained, self._drained = self._drained, None
            drained()

    def stop(self) -> None:
        """The piece that was on its way does not leave."""
        if self._piece is not None:
            self._piece.cancel()
            self._piece = None

    def end(self) -> Callable[[], None] | None:
        """The device is gone; return who waited for the drain."""
        self._blocked = False
        self.queue.clear()
        self.stop()
        drained, self._drained = self._drained, None
        return drained
