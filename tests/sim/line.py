"""A line without hardware: an `api.Line` on a clock, for tests.

Bytes leave at the baud rate (`sender`). What the other end hears depends on both ends' settings,
bit by bit (`receiver`, `wire`). Flow control, modem lines and break are there; a driver that takes
its time or fails (`driver`) can be asked for.
"""

from __future__ import annotations

import copy
import errno
from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Clock, LineEvents
from gatewayd.line.model import (
    INPUT_SIGNALS,
    Capabilities,
    LineErrors,
    LineSettings,
    Purge,
    Signal,
)
from gatewayd.line.pending import Pending
from tests.sim.driver import SimDriver
from tests.sim.receiver import SimReceiver
from tests.sim.sender import SimSender

_OUTPUTS: Final = Signal.DTR | Signal.RTS
_ASSUMED: Final = Signal.CTS | Signal.DSR | Signal.CD
_XON, _XOFF = 0x11, 0x13


class SimLine:
    """One end of a simulated serial line.

    Alone it is a UART with nothing behind it: `receive` plays the device, `sent` is what left, and
    `set_inputs` moves the modem lines. `null_modem` makes two that face each other. As long as
    `events` is None nothing is read. What a test does to one of its parts is said to that:
    `driver`, `sender`, `receiver`.
    """

    def __init__(
        self,
        clock: Clock,
        events: LineEvents | None = None,
        *,
        settings: LineSettings | None = None,
        capabilities: Capabilities | None = None,
        fifo: int = 4096,
    ) -> None:
        """`fifo` is the size in bytes of what holds received bytes while reading is paused."""
        self.sent = bytearray()
        """All bytes that have left, as written; for a line with nothing behind it."""
        self.released: Callable[[], object] = lambda: None
        """Called when it is closed, or the device is taken away."""
        self.refused: set[tuple[str, object]] = set()
        """Settings that the hardware refuses, as ("parity", Parity.MARK)."""
        self.clock = clock
        self._events = events
        self._settings = settings or LineSettings()
        self.capabilities = capabilities or Capabilities()
        self.peer: SimLine | None = None
        """What is behind it, if that is a line too."""
        self._over = False
        self._outputs = _OUTPUTS
        self._inputs = _ASSUMED
        self._break = False
        self._watches_signals = self._watches_errors = False
        self._stopped_by_xoff = False
        self.driver = SimDriver()
        self.sender = SimSender(clock, self)
        self._reading = True
        self.receiver = SimReceiver(fifo)
        self._told_errors = LineErrors()
        self._throttled = False

    # What a test does to the line.

    @property
    def events(self) -> LineEvents | None:
        """Who is told; reading begins when it is set."""
        return self._events

    @events.setter
    def events(self, events: LineEvents) -> None:
        self._events = events
        self._soon(self._read)

    @property
    def outputs(self) -> Signal:
        """DTR and RTS."""
        return self._outputs

    @property
    def breaking(self) -> bool:
        """Whether break is sent."""
        return self._break

    def is_read(self) -> bool:
        """Whether who has the line reads from it."""
        return self._reading

    def inherit(self, before: SimLine, taken: int) -> None:
        """Be the UART that `before` was in another process, whose driver has taken so many bytes of
        what waits."""
        self._settings, self._break = before._settings, before._break
        self._outputs, self._inputs = before._outputs, before._inputs
        self.sent, self.receiver = before.sent, before.receiver
        self.sender.queue, self.sender.stuck = before.sender.queue[:taken], before.sender.stuck
        self._soon(self._read)
        self._soon(self.sender.go_on)

    def leave(self) -> SimLine:
        """Have this process do nothing to it any more; what the next one inherits."""
        self.sender.stop()
        self._events = None
        left = copy.copy(self)
        self.sender, self.receiver = SimSender(self.clock, self), SimReceiver(0)
        self._over = True
        return left

    def receive(self, data: bytes) -> None:
        """Have `data` come in from the device at once, sent with our own settings."""
        self._soon(self.arrives, data, self._settings)

    def receive_break(self) -> None:
        """Have the device send a break."""
        self._soon(self._take_in, self.receiver.hear_break)

    def set_inputs(self, on: Signal, off: Signal = Signal.NONE) -> None:
        """Move the modem inputs; a line with a peer gets them from there."""
        before = self._inputs
        self._inputs = (before | on & INPUT_SIGNALS) & ~off
        if self._inputs != before and self._watches_signals:
            self._soon(self._tell_signals, self._inputs)
        self.sender.go_on()

    def unplug(self, cause: OSError | None = None) -> None:
        """Take the device away; `line_lost` follows, with ENODEV if no cause is given."""
        if self._over:
            return
        drained = self._end()
        self._soon(self._lose, drained, cause or OSError(errno.ENODEV, "unplugged"))

    # api.Line

    def settings(self) -> LineSettings:
        """See `api.Line`."""
        return self._settings

    def configure(self, wanted: LineSettings) -> Pending | None:
        """See `api.Line`; what is in `refused` stays as it was."""
        self._enter()
        return self.driver.do(self._configure, wanted)

    def _configure(self, wanted: LineSettings) -> None:
        if self._over:
            self._settings = wanted.possible(self._settings)
            return
        kept = {
            name: getattr(self._settings, name)
            for name, value in wanted._asdict().items()
            if (name, value) in self.refused
        }
        self._settings = wanted._replace(**kept)
        self._tell_peer()
        self.sender.go_on()

    def signals(self) -> Signal:
        """See `api.Line`."""
        self._enter()
        if self._over:
            return self._outputs
        return self._outputs | (self._inputs if self.capabilities.modem_lines else _ASSUMED)

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self.driver.do(self._set_signals, on, off)

    def _set_signals(self, on: Signal, off: Signal) -> None:
        self._outputs = (self._outputs | on & _OUTPUTS) & ~off
        self._tell_peer()

    def set_break(self, on: bool) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self.driver.do(self._set_break, on)

    def _set_break(self, on: bool) -> None:
        if on and not self._break and self.peer is not None:
            self.peer.receive_break()
        self._break = on
        self.sender.go_on()

    def errors(self) -> LineErrors:
        """See `api.Line`."""
        self._enter()
        return self.receiver.errors if self.capabilities.error_counts else LineErrors()

    def refresh(self) -> Pending | None:
        """See `api.Line`; here the getters tell what is now."""
        self._enter()
        return self.driver.do(lambda: None)

    def watch(self, *, signals: bool, errors: bool) -> None:
        """See `api.Line`."""
        self._enter()
        self._watches_signals = signals and self.capabilities.modem_lines
        self._watches_errors = errors and self.capabilities.error_counts
        self._told_errors = self.receiver.errors

    def write(self, data: bytes | memoryview) -> int:
        """See `api.Line`."""
        self._enter()
        if self._over:
            return 0
        return self.sender.write(data)

    def unsent(self) -> int:
        """See `api.Line`."""
        self._enter()
        return len(self.sender.queue)

    def drain(self, drained: Callable[[], None]) -> None:
        """See `api.Line`."""
        self._enter()
        self.sender.drain(drained)

    def purge(self, which: Purge) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self.driver.do(self._purge, which)

    def _purge(self, which: Purge) -> None:
        if Purge.RX in which:
            self.receiver.take()
            self._throttle()
        if Purge.TX in which:
            self.sender.purge()

    def pause_reading(self) -> None:
        """See `api.Line`."""
        self._reading = False

    def resume_reading(self) -> None:
        """See `api.Line`."""
        self._reading = True
        self._soon(self._read)

    def close(self, closed: Callable[[], None] | None = None) -> None:
        """See `api.Line`."""
        self._events = None
        if not self._over:
            self._end()
        if closed is not None:
            self._soon(closed)

    # What its sender asks and tells

    def may_send(self) -> bool:
        """Whether flow control and break let bytes go."""
        held = self._settings.rtscts and Signal.CTS not in self._inputs
        xoff = self._settings.ixon and self._stopped_by_xoff
        return not (self._over or held or self._break or xoff)

    def went(self, piece: bytes) -> None:
        """Bytes have left: the far end gets them."""
        if self.peer is None:
            self.sent += piece
        else:
            self.peer.arrives(piece, self._settings)

    def writable(self) -> None:
        """There is room again."""
        if self._events is not None:
            self._events.line_writable()

    # Receiving

    def arrives(self, data: bytes, sender: LineSettings) -> None:
        """The far end has sent that, as it is set."""
        self._take_in(self.receiver.hear, data, sender, self._settings)

    def _take_in(self, hear: Callable[..., bytes], *args: object) -> None:
        if self._over:
            return
        data = hear(*args)
        if self._settings.ixon:
            for byte in data:
                if byte in (_XON, _XOFF):
                    self._stopped_by_xoff = byte == _XOFF
            data = data.translate(None, bytes((_XON, _XOFF)))
            self.sender.go_on()
        self.receiver.hold(data)
        if self._watches_errors and self.receiver.errors != self._told_errors:
            self._told_errors = self.receiver.errors
            if self._events is not None:
                self._events.line_errors(self._told_errors)
        self._read()
        self._throttle()

    def _read(self) -> None:
        if self._reading and self._events is not None and not self._over:
            data = self.receiver.take()
            if data:
                self._throttle()
                self._events.line_data(data)

    def _throttle(self) -> None:
        """Ask the peer to wait while the FIFO is more than half full."""
        full = self.receiver.over_half_full
        if full == self._throttled:
            return
        self._throttled = full
        if self._settings.ixoff and self.peer is not None:
            request = bytes((_XOFF if full else _XON,))
            self._soon(self.peer.arrives, request, self._settings)
        self._tell_peer()

    # The rest

    def _tell_peer(self) -> None:
        """RTS is the peer's CTS, DTR its DSR and CD."""
        if self.peer is None:
            return
        rts = Signal.RTS in self._outputs and not (self._settings.rtscts and self._throttled)
        on = Signal.CTS if rts and not self._over else Signal.NONE
        if Signal.DTR in self._outputs and not self._over:
            on |= Signal.DSR | Signal.CD
        self.peer.set_inputs(on, _ASSUMED & ~on)

    def _tell_signals(self, inputs: Signal) -> None:
        if self._events is not None and self._watches_signals:
            self._events.line_signals(inputs)

    def _soon(self, callback: Callable[..., object], *args: object) -> None:
        self.clock.call_later(0, callback, *args)

    def _enter(self) -> None:
        """Each call into the line passes here, so that the n-th can fail."""
        if not self._over and self.driver.fails():
            self.unplug(OSError(errno.EIO, "input/output error"))

    def _end(self) -> Callable[[], None] | None:
        self.released()
        self._over = True
        self._watches_signals = self._watches_errors = False
        drained = self.sender.end()
        self._tell_peer()
        for pending in self.driver.end():
            self._soon(pending.finish)
        return drained

    def _lose(self, drained: Callable[[], None] | None, cause: OSError) -> None:
        if self._events is None:
            return
        if drained is not None:
            drained()
        self._events.line_lost(cause)


def null_modem(
    clock: Clock, settings: LineSettings | None = None, *, fifo: int = 4096
) -> tuple[SimLine, SimLine]:
    """Two lines that face each other: RTS of one is CTS of the other, DTR is DSR and CD."""
    one, other = (SimLine(clock, settings=settings, fifo=fifo) for _ in range(2))
    one.peer, other.peer = other, one
    return one, other
