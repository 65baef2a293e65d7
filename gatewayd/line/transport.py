"""pyserial-asyncio's transport, on the bare descriptor.

The base class reads and writes through pyserial, whose `write` spins on a full tty and whose `read`
fails at descriptors of 1024 and more; it waits for the output in the event loop when it closes.
Here every byte goes by `os.read` and `os.write`, and closing is a matter of the device's `Calls`.
"""

from __future__ import annotations

import asyncio
import errno
import os
from collections.abc import Callable
from functools import partial

import serial_asyncio

from gatewayd.line.api import Gathering
from gatewayd.line.calls import Calls
from gatewayd.line.gather import SPELL_S, STREAK, Gatherer, Gatherers
from gatewayd.line.serial_port import SerialPort
from gatewayd.typed import Protocol

_READ_SIZE = 65536
_NOTHING = memoryview(b"")
_GULP = 1024
"""A read of so many bytes is bulk: the driver's buffer must not be left to fill."""


class TransportUser(Protocol):
    """Who reads and writes through a LineTransport: an asyncio protocol, in short."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The transport works; called from the loop."""

    def data_received(self, data: bytes) -> None:
        """Bytes came. Not empty."""

    def streams_both_ways(self) -> bool:
        """Whether since the last call so much went both ways that it is no dialogue."""

    def gathered(self, place: Gathering | None) -> None:
        """A line that streams both ways is read there, or no more: let the client be as well."""

    def pause_writing(self) -> None:
        """More than the high water mark waits in the buffer."""

    def resume_writing(self) -> None:
        """No more than the low water mark waits in the buffer."""

    def connection_lost(self, exc: Exception | None) -> None:
        """The device is closed; called once."""


class LineTransport(serial_asyncio.SerialTransport):  # type: ignore[misc]
    """Bytes to and from the tty of an open SerialPort.

    `exc` of `connection_lost` is None after `close` and `abort`, else the OSError that ended it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        user: TransportUser,
        port: SerialPort,
        calls: Calls,
        before_close: Callable[[], None] | None = None,
        gatherers: Gatherers | None = None,
    ) -> None:
        """`calls` are those of the device; while they ask for it, nothing is read or written.

        `before_close` runs in the closing thread, right before the descriptor is closed.

        `gatherers` read lines that stream; without, each piece is an event of the loop.
        """
        self._gatherers = gatherers
        self._gatherer: Gatherer | None = None
        self._reads = self._spell_from = 0
        self._streak_began = self._spell_began = 0.0
        self._broken = True
        """Whether something was written since the streak began."""
        self._both_ways = False
        self._reading_paused = False
        self._losing = False
        self._before_close = before_close
        self._fd = port.fileno()
        self._user = user
        self._still = False
        self._calls = calls
        calls.still = self._keep_still
        calls.hangs = self.fail
        self.deliver = user.data_received
        """What is called with the bytes; changeable, to save a call per event."""
        self.ends: Callable[[], None] = _not_told
        """Called when the device fails, before what it did not take is dropped."""
        self.read_ready = self._read_ready
        """See `api.Member`."""
        super().__init__(loop, user, port)
        self._rest = _NOTHING
        """What the driver takes next: a view of what was given, no copy."""
        self._behind = bytearray()
        """What was given since then."""

    def get_write_buffer_size(self) -> int:
        """Bytes that the driver has not taken yet."""
        return len(self._rest) + len(self._behind)

    def peek_write_buffer(self) -> bytes:
        """A copy of what the driver has not taken yet."""
        return bytes(self._rest) + self._behind

    def write(self, data: bytes | memoryview) -> bool:
        """Write now what the driver takes, and the rest once it can. Ignored while closing, which
        the device may make it do: then it returns False.

        `data` must not change afterwards.
        """
        if self._closing:
            return False
        self._broken = True
        if self._gatherer is not None and not self._both_ways:
            self.gathered_no_more()
        if not self._rest and not self._still:
            try:
                taken = os.write(self._fd, data)
            except BlockingIOError:
                taken = 0
            except OSError as error:
                self._abort(error)
                return False
            if taken == len(data):
                return True
            self._rest = memoryview(data)[taken:]
            self._ensure_writer()
        elif self._rest:
            self._behind += data
        else:
            self._rest = memoryview(data)
        self._maybe_pause_protocol()
        return True

    def pause_reading(self) -> None:
        """Read no more until `resume_reading`; also before the transport has begun to read."""
        self._reading_paused = True
        self._remove_reader()

    def resume_reading(self) -> None:
        """Read again."""
        self._reading_paused = False
        self._ensure_reader()

    def discard(self) -> None:
        """Throw away what the driver has not taken yet."""
        self._forget_unsent()
        self._maybe_resume_protocol()
        if self._closing:
            self._lose(None)

    def fail(self, error: OSError) -> None:
        """End at once, as after a read that failed with `error`; a second end changes nothing."""
        self._abort(error)

    def detach(self) -> int:
        """Give the open descriptor away. No callback follows; unsent bytes of ours are dropped."""
        self._closing = self._losing = True
        self._forget_reader()
        self._forget_unsent()
        return self._serial.detach()  # type: ignore[no-any-return]

    def flush(self) -> None:
        """As `discard`; the base class has it under this name."""
        self.discard()

    def gathered_no_more(self) -> None:
        """Be read in the loop again; see `api.Member`."""
        self._forget_reader()
        self._broken = True
        self._ensure_reader()

    def _keep_still(self, on: bool) -> None:
        self._still = on
        if on:
            self._remove_reader()
            self._remove_writer()
        elif not self._closing:
            self._ensure_reader()
            if self._rest:
                self._ensure_writer()

    def _ensure_reader(self) -> None:
        if not self._reading_paused and not self._still and self._gatherer is None:
            super()._ensure_reader()

    def _ensure_writer(self) -> None:
        if not self._still:
            super()._ensure_writer()

    def _remove_reader(self) -> None:
        if self._gatherer is not None:
            self._gatherer.remove(self._fd)
            self._gatherer = None
            if self._both_ways:
                self._both_ways = False
                self._user.gathered(None)
        super()._remove_reader()

    def _forget_reader(self) -> None:
        self._remove_reader()
        if self._gatherers is not None:
            self._gatherers.forget(self._fd)

    def _look_at_pace(self) -> None:
        """Every `STREAK` reads: find the place where this line is best read."""
        if self._gatherers is None or self._closing or self._reading_paused:
            return
        now = self._loop.time()
        began, self._streak_began = self._streak_began, now
        if not self._broken:
            self._read_at(self._gatherers.choose(self._fd, (now - began) / STREAK))
        elif now >= self._spell_began + SPELL_S:
            gap = (now - self._spell_began) / (self._reads - self._spell_from)
            self._spell_began, self._spell_from = now, self._reads
            if self._user.streams_both_ways():
                self._read_at(self._gatherers.choose(self._fd, gap, both_ways=True), both_ways=True)
            elif self._both_ways:
                self.gathered_no_more()
        self._broken = False

    def _read_at(self, place: Gatherer | None, *, both_ways: bool = False) -> None:
        if place is not self._gatherer or both_ways is not self._both_ways:
            self._remove_reader()
            if place is not None and place.add(self._fd, self):
                self._gatherer, self._both_ways = place, both_ways
            else:
                self._ensure_reader()
        if self._both_ways:
            # Each time: it may be another client by now.
            self._user.gathered(place)

    def _read_ready(self) -> None:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._abort(error)
            return
        if data:
            self._reads += 1
            if len(data) >= _GULP:
                self._broken = True
                if self._gatherer is not None:
                    self.gathered_no_more()
            elif self._reads % STREAK == 0:
                self._look_at_pace()
            self.deliver(data)
        else:
            self._abort(OSError(errno.EIO, "the device hung up"))

    def _write_ready(self) -> None:
        try:
            taken = os.write(self._fd, self._rest)
        except (BlockingIOError, InterruptedError):
            return
        except OSError as error:
            self._abort(error)
            return
        rest = self._rest = self._rest[taken:]
        if rest and len(rest) > self._low_water:
            return
        if not rest and self._behind:
            self._rest, self._behind = memoryview(self._behind), bytearray()
        # Who is told of the room may fill it at once: then the writer stays.
        self._maybe_resume_protocol()
        if not self._rest:
            self._remove_writer()
            if self._closing:
                self._lose(None)

    def _forget_unsent(self) -> None:
        self._remove_writer()
        self._rest = _NOTHING
        self._behind = bytearray()

    def _close(self, exc: Exception | None = None) -> None:
        self._closing = True
        self._forget_reader()
        if not self._rest:
            self._lose(exc)

    def _abort(self, exc: Exception | None) -> None:
        if exc is not None:
            self.ends()
        self._closing = True
        self._forget_reader()
        self._forget_unsent()
        self._lose(exc)

    def _lose(self, exc: Exception | None) -> None:
        if not self._losing:
            self._losing = True
            self._remove_writer()
            self._loop.call_soon(self._call_connection_lost, exc)

    def _call_connection_lost(self, exc: Exception | None) -> None:
        # No descriptor, no loop callback and no lock is left when the user hears of it, unless the
        # driver does not come back.
        self._calls.end(self._release, partial(self._lost, exc))

    def _release(self) -> None:
        try:
            if self._before_close is not None:
                self._before_close()
        finally:
            self._serial.close()

    def _lost(self, exc: Exception | None, error: BaseException | None) -> None:
        failed = isinstance(error, OSError) and not isinstance(error, TimeoutError)
        cause = error if failed else None
        self._protocol.connection_lost(exc or cause)


def _not_told() -> None:
    pass
