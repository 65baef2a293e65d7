"""Output to a tty, limited in time, and the wait until it has left.

When the UART will be idle is reckoned from the baud rate, so that a write normally costs no ioctl.
Only when the reckoning says that the limit is reached is the driver's queue asked (TIOCOUTQ, for
which no driver sleeps): the device may be faster (a USB gadget has no baud rate) or slower (flow
control) than the reckoning.
A PTY has no wire: there only what the kernel has not taken counts, and its speed means nothing.
"""

from __future__ import annotations

import errno
import math
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import Final

from gatewayd.line import ioctls
from gatewayd.line.api import Clock, Timer
from gatewayd.line.calls import Calls
from gatewayd.line.model import LineSettings, Purge
from gatewayd.line.pending import Pending
from gatewayd.typed import Protocol

_PTY_LIMIT: Final = 65536
_FIRST_LOOK_SECONDS: Final = 0.005
_LAST_LOOK_SECONDS: Final = 0.25
_SHORTEST_SECONDS: Final = 0.0005


class Output(Protocol):
    """The part of LineTransport that writes."""

    def write(self, data: bytes | memoryview) -> bool:
        """Take all of `data`; return whether it does, for it takes nothing once it closes."""

    def get_write_buffer_size(self) -> int:
        """Bytes that the driver has not taken."""

    def discard(self) -> None:
        """Drop them."""


class Transmitter:
    """The sending side of one open tty."""

    def __init__(
        self,
        clock: Clock,
        fd: int,
        output: Output,
        writable: Callable[[], None],
        failed: Callable[[OSError], None],
        calls: Calls,
        *,
        has_wire: bool,
    ) -> None:
        """`writable` may be called after a short write, `failed` by any method, with an errno.

        `calls` makes what may sleep.
        """
        self._clock = clock
        self._fd = fd
        self._output = output
        self._writable = writable
        self._failed = failed
        self._calls = calls
        self._has_wire = has_wire
        self._tells_empty = has_wire
        self._limit = _PTY_LIMIT
        self._byte_seconds = self._limit_seconds = 0.0
        self._idle_at = self._found_idle_at = 0.0
        self._backlog = False
        self._blocked = False
        self._patience = _FIRST_LOOK_SECONDS
        self._last_waiting = 0
        self._look_timer: Timer | None = None
        self._drained: Callable[[], None] | None = None
        self._drain_patience = 0.0
        self._drain_waiting = 0
        self._drain_timer: Timer | None = None
        self._asking = False
        self._purges = 0
        self._stopped = False
        self._left: int | None = None
        """What had not left when the device went."""

    def set_speed(self, settings: LineSettings) -> None:
        """Reckon with the speed of `settings` from now on."""
        if self._has_wire:
            self._limit = settings.unsent_limit
            self._byte_seconds = 1 / max(settings.bytes_per_second, 1.0)
            self._limit_seconds = self._limit * self._byte_seconds

    def write(self, data: bytes | memoryview) -> int:
        """See `api.Line.write`. 0 once the device has gone; `line_lost` follows then."""
        size = len(data)
        now = monotonic()
        idle_at = self._idle_at
        idle_at = (idle_at if idle_at > now else now) + size * self._byte_seconds
        if self._backlog or size > self._limit or idle_at - now > self._limit_seconds:
            return self._write_bounded(data)
        if not self._output.write(data):
            return 0
        self._idle_at = idle_at
        return size

    def unsent(self) -> int:
        """See `api.Line.unsent`."""
        if self._left is not None:
            return self._left
        return 0 if self._stopped else self._output.get_write_buffer_size() + self._queued()

    def gone(self) -> None:
        """The device is gone: what had not left by now never will. Its driver tells nothing any
        more, so that is what the output holds, or more by the reckoning."""
        if self._left is None and not self._stopped:
            due = max(self._idle_at - monotonic(), 0.0)
            reckoned = math.ceil(due / self._byte_seconds) if self._byte_seconds else 0
            self._left = max(self._output.get_write_buffer_size(), reckoned)

    def drain(self, drained: Callable[[], None]) -> None:
        """See `api.Line.drain`. Raises RuntimeError while another drain waits."""
        if self._stopped:
            drained()
            return
        if self._drained is not None:
            raise RuntimeError("one drain at a time")
        self._drained = drained
        self._drain_patience = 0.0
        self._look_drained()

    def purge(self) -> Pending | None:
        """Throw away what waits; who waits for room or for the drain is called soon after."""
        self._purges += 1
        self._cancel_timers()
        self._output.discard()
        return self._calls.make(
            "throwing away what waits",
            partial(ioctls.flush, self._fd, Purge.TX),
            self._purged,
            self._not_purged,
            still=True,
        )

    def _not_purged(self, error: OSError) -> None:
        self._failed(error)
        self._purged()

    def _purged(self, _done: object = None) -> None:
        self._purges -= 1
        self._idle_at = monotonic()
        drained, self._drained = self._drained, None
        blocked, self._blocked = self._blocked, False
        self._cancel_timers()
        if blocked:
            self._clock.call_later(0, self._writable)
        if drained is not None:
            self._clock.call_later(0, drained)

    def paused(self) -> None:
        """The output holds bytes that the driver has not taken."""
        self._backlog = True

    def resumed(self) -> None:
        """The driver has taken all that the output held."""
        self._backlog = self._stopped
        if self._blocked:
            self._look_for_room()
        if self._drained is not None:
            self._look_drained()

    def stop(self) -> Callable[[], None] | None:
        """Take nothing any more and forget who waits; return the pending `drained`, if there is
        one."""
        self._stopped = self._backlog = True
        drained, self._drained = self._drained, None
        self._blocked = False
        self._cancel_timers()
        return drained

    def _cancel_timers(self) -> None:
        for timer in (self._look_timer, self._drain_timer):
            if timer is not None:
                timer.cancel()
        self._look_timer = self._drain_timer = None

    def _queued(self) -> int:
        if not self._has_wire:
            return 0
        try:
            return ioctls.queued(self._fd)
        except OSError as error:
            self._failed(error)
            return 0

    def _true_up(self) -> int:
        """Ask the driver, correct the reckoning by the answer, return what waits."""
        waiting = self.unsent()
        self._idle_at = monotonic() + waiting * self._byte_seconds
        return waiting

    def _write_bounded(self, data: bytes | memoryview) -> int:
        if self._stopped:
            return 0
        waiting = self._true_up()
        room = max(self._limit - waiting, 0)
        if room >= len(data):
            room = len(data)
        elif self._backlog:
            # A crumb behind what waits would be a write of its own.
            room = 0
        if room:
            if not self._output.write(memoryview(data)[:room]):
                return 0
            self._idle_at += room * self._byte_seconds
        if room < len(data) and not self._blocked:
            self._blocked = True
            self._patience = _FIRST_LOOK_SECONDS
            self._last_waiting = waiting + room
            if not self._backlog:
                self._look_in(self._room_due(waiting + room))
        return room

    def _room_due(self, waiting: int) -> float:
        """Seconds until half of the limit is free, at the speed of the line."""
        return (waiting - self._limit // 2) * self._byte_seconds

    def _look_in(self, due: float) -> None:
        # Sooner than reckoned at first, since the device may know no baud rate.
        delay = max(min(due, self._patience), _SHORTEST_SECONDS)
        self._look_timer = self._clock.call_later(delay, self._look_for_room)

    def _look_for_room(self) -> None:
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        if self._backlog or self._purges or not self._blocked:
            return
        waiting = self._true_up()
        if waiting <= self._limit // 2:
            self._blocked = False
            self._writable()
            return
        self._patience = min(self._patience * 2, _LAST_LOOK_SECONDS)
        stalled = waiting >= self._last_waiting
        self._last_waiting = waiting
        self._look_in(self._patience if stalled else self._room_due(waiting))

    def _look_drained(self) -> None:
        if self._drain_timer is not None:
            self._drain_timer.cancel()
            self._drain_timer = None
        if self._drained is None or self._backlog or self._asking or self._purges:
            return
        waiting = self._queued()
        if waiting:
            self._drain_further(waiting, waiting * self._byte_seconds)
        elif not self._has_wire or self._idle_at == self._found_idle_at:
            self._drain_further(0, 0.0)
        elif self._tells_empty:
            self._asking = True
            self._calls.make(
                "asking whether all has left",
                partial(ioctls.transmitter_empty, self._fd),
                partial(self._told, self._idle_at),
                self._not_told,
            )
        else:
            self._wait_for_wire(self._idle_at - monotonic())

    def _told(self, idle_at: float, empty: bool) -> None:
        self._asking = False
        if idle_at != self._idle_at:
            # Bytes were written meanwhile, or thrown away.
            self._look_drained()
        elif empty:
            self._wait_for_wire(0.0)
        else:
            self._wait_for_wire(max(idle_at - monotonic(), self._byte_seconds))

    def _not_told(self, error: OSError) -> None:
        # Without the ioctl the reckoning has to do.
        self._asking = self._tells_empty = False
        if error.errno != errno.ENOTTY:
            self._failed(error)
        self._look_drained()

    def _wait_for_wire(self, due: float) -> None:
        """Until FIFO and shift register are empty too, once the driver's queue is."""
        if due <= 0:
            self._found_idle_at = self._idle_at
        self._drain_further(0, due)

    def _drain_further(self, waiting: int, due: float) -> None:
        """Look again when what waits will have left, which is in `due` seconds."""
        drained = self._drained
        if drained is None or self._backlog or self._purges:
            return
        if not waiting and due <= 0:
            self._drained = None
            drained()
            return
        if waiting < self._drain_waiting:
            self._drain_patience = 0.0
        self._drain_waiting = waiting
        delay = max(due, self._drain_patience, _SHORTEST_SECONDS)
        self._drain_patience = min(2 * max(self._drain_patience, delay), _LAST_LOOK_SECONDS)
        self._drain_timer = self._clock.call_later(
            min(delay, _LAST_LOOK_SECONDS), self._look_drained
        )
