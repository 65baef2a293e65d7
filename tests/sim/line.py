"""A line without hardware: an `api.Line` on a clock, for tests.

Bytes leave at the baud rate, in pieces of up to a millisecond. What the other end hears depends on
both ends' settings, bit by bit (`wire`). Flow control, modem lines, break, the receiver's FIFO and
its errors are there; faults can be asked for.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Final

from gatewayd.line.api import Clock, LineEvents, Timer
from gatewayd.line.model import (
    INPUT_SIGNALS,
    Capabilities,
    LineErrors,
    LineSettings,
    Purge,
    Signal,
)
from gatewayd.line.pending import Pending
from tests.sim.receiver import SimReceiver

_PIECE_SECONDS: Final = 0.001
_OUTPUTS: Final = Signal.DTR | Signal.RTS
_ASSUMED: Final = Signal.CTS | Signal.DSR | Signal.CD
_XON, _XOFF = 0x11, 0x13


class SimLine:
    """One end of a simulated serial line.

    Alone it is a UART with nothing behind it: `receive` plays the device, `sent` is what left, and
    `set_inputs` moves the modem lines. `null_modem` makes two that face each other. As long as
    `events` is None nothing is read.
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
        self.refused: set[tuple[str, object]] = set()
        """Settings that the hardware refuses, as ("parity", Parity.MARK)."""
        self._clock = clock
        self._events = events
        self._settings = settings or LineSettings()
        self._capabilities = capabilities or Capabilities()
        self._peer: SimLine | None = None
        self._over = False
        self._outputs = _OUTPUTS
        self._inputs = _ASSUMED
        self._break = False
        self._watches_signals = self._watches_errors = False
        self._calls_to_failure = 0
        self._slow = False
        self._begun: list[Pending] = []
        self._queue = bytearray()
        self._piece: Timer | None = None
        self._piece_due = 0.0
        self._stopped_by_xoff = False
        self._blocked = False
        self._drained: Callable[[], None] | None = None
        self._reading = True
        self._receiver = SimReceiver(fifo)
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

    def receive(self, data: bytes) -> None:
        """Have `data` come in from the device at once, sent with our own settings."""
        self._soon(self._arrive, data, self._settings)

    def receive_break(self) -> None:
        """Have the device send a break."""
        self._soon(self._break_arrives)

    def set_inputs(self, on: Signal, off: Signal = Signal.NONE) -> None:
        """Move the modem inputs; a line with a peer gets them from there."""
        before = self._inputs
        self._inputs = (before | on & INPUT_SIGNALS) & ~off
        if self._inputs != before and self._watches_signals:
            self._soon(self._tell_signals, self._inputs)
        self._send_on()

    def inject_parity_errors(self, count: int = 1) -> None:
        """Count a parity error with each of the next `count` characters received."""
        self._receiver.inject_parity_errors(count)

    def fail_call(self, number: int = 1) -> None:
        """Have the `number`-th call from now on find the device gone, as OSError(EIO)."""
        self._calls_to_failure = number

    def sleep(self) -> None:
        """Have a driver from now on that takes its time for all but bytes."""
        self._slow = True

    def wake(self) -> None:
        """The driver does the next thing that was asked of it."""
        self._begun.pop(0).finish()

    @property
    def begun(self) -> int:
        """How many things were asked of a driver that takes its time, and are not done."""
        return len(self._begun)

    def unplug(self, cause: OSError | None = None) -> None:
        """Take the device away; `line_lost` follows, with ENODEV if no cause is given."""
        if self._over:
            return
        drained = self._end()
        self._soon(self._lose, drained, cause or OSError(errno.ENODEV, "unplugged"))

    # api.Line

    @property
    def capabilities(self) -> Capabilities:
        """See `api.Line`."""
        return self._capabilities

    def settings(self) -> LineSettings:
        """See `api.Line`."""
        return self._settings

    def configure(self, wanted: LineSettings) -> Pending | None:
        """See `api.Line`; what is in `refused` stays as it was."""
        self._enter()
        return self._later(self._configure, wanted)

    def _configure(self, wanted: LineSettings) -> None:
        if self._over:
            self._settings = wanted.possible(self._settings)
            return
        kept = {
            field.name: getattr(self._settings, field.name)
            for field in fields(wanted)
            if (field.name, getattr(wanted, field.name)) in self.refused
        }
        self._settings = replace(wanted, **kept)
        self._tell_peer()
        self._send_on()

    def signals(self) -> Signal:
        """See `api.Line`."""
        self._enter()
        if self._over:
            return self._outputs
        return self._outputs | (self._inputs if self._capabilities.modem_lines else _ASSUMED)

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self._later(self._set_signals, on, off)

    def _set_signals(self, on: Signal, off: Signal) -> None:
        self._outputs = (self._outputs | on & _OUTPUTS) & ~off
        self._tell_peer()

    def set_break(self, on: bool) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self._later(self._set_break, on)

    def _set_break(self, on: bool) -> None:
        if on and not self._break and self._peer is not None:
            self._peer.receive_break()
        self._break = on
        self._send_on()

    def errors(self) -> LineErrors:
        """See `api.Line`."""
        self._enter()
        return self._receiver.errors if self._capabilities.error_counts else LineErrors()

    def refresh(self) -> Pending | None:
        """See `api.Line`; here the getters tell what is now."""
        self._enter()
        return self._later(lambda: None)

    def watch(self, *, signals: bool, errors: bool) -> None:
        """See `api.Line`."""
        self._enter()
        self._watches_signals = signals and self._capabilities.modem_lines
        self._watches_errors = errors and self._capabilities.error_counts
        self._told_errors = self._receiver.errors

    def write(self, data: bytes | memoryview) -> int:
        """See `api.Line`."""
        self._enter()
        if self._over:
            return 0
        taken = min(max(self._settings.unsent_limit - len(self._queue), 0), len(data))
        self._queue += data[:taken]
        self._blocked = self._blocked or taken < len(data)
        self._send_on()
        return taken

    def unsent(self) -> int:
        """See `api.Line`."""
        self._enter()
        return len(self._queue)

    def drain(self, drained: Callable[[], None]) -> None:
        """See `api.Line`."""
        self._enter()
        if self._drained is not None:
            raise RuntimeError("one drain at a time")
        if self._queue:
            self._drained = drained
        else:
            drained()

    def purge(self, which: Purge) -> Pending | None:
        """See `api.Line`."""
        self._enter()
        return self._later(self._purge, which)

    def _purge(self, which: Purge) -> None:
        if Purge.RX in which:
            self._receiver.take()
            self._throttle()
        if Purge.TX in which:
            self._queue.clear()
            self._stop_piece()
            drained, self._drained = self._drained, None
            if drained is not None:
                self._soon(drained)
            self._soon(self._progress)

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

    # Sending

    def _send_on(self, began: float | None = None) -> None:
        """Begin the next piece if there is one and it may go; `began` is when the last one left."""
        if self._piece is not None or not self._queue or self._over or not self._may_send():
            return
        speed = self._settings.bytes_per_second
        size = min(max(int(speed * _PIECE_SECONDS), 1), len(self._queue))
        now = self._clock.time()
        # From when the last piece was due, since late timers must not slow the line down.
        self._piece_due = (now if began is None else began) + size / speed
        self._piece = self._clock.call_later(self._piece_due - now, self._piece_left, size)

    def _may_send(self) -> bool:
        held = self._settings.rtscts and Signal.CTS not in self._inputs
        return not (held or self._break or (self._settings.ixon and self._stopped_by_xoff))

    def _piece_left(self, size: int) -> None:
        self._piece = None
        piece = bytes(self._queue[:size])
        del self._queue[:size]
        if self._peer is None:
            self.sent += piece
        else:
            self._peer._arrive(piece, self._settings)
        self._send_on(self._piece_due)
        self._progress()

    def _progress(self) -> None:
        if self._blocked and len(self._queue) <= self._settings.unsent_limit // 2:
            self._blocked = False
            if self._events is not None:
                self._events.line_writable()
        if self._drained is not None and not self._queue:
            drained, self._drained = self._drained, None
            drained()

    def _stop_piece(self) -> None:
        if self._piece is not None:
            self._piece.cancel()
            self._piece = None

    # Receiving

    def _arrive(self, data: bytes, sender: LineSettings) -> None:
        if not self._over:
            self._take_in(self._receiver.hear(data, sender, self._settings))

    def _break_arrives(self) -> None:
        if not self._over:
            self._take_in(self._receiver.hear_break())

    def _take_in(self, data: bytes) -> None:
        if self._settings.ixon:
            for byte in data:
                if byte in (_XON, _XOFF):
                    self._stopped_by_xoff = byte == _XOFF
            data = data.translate(None, bytes((_XON, _XOFF)))
            self._send_on()
        self._receiver.hold(data)
        if self._watches_errors and self._receiver.errors != self._told_errors:
            self._told_errors = self._receiver.errors
            if self._events is not None:
                self._events.line_errors(self._told_errors)
        self._read()
        self._throttle()

    def _read(self) -> None:
        if self._reading and self._events is not None and not self._over:
            data = self._receiver.take()
            if data:
                self._throttle()
                self._events.line_data(data)

    def _throttle(self) -> None:
        """Ask the peer to wait while the FIFO is more than half full."""
        full = self._receiver.over_half_full
        if full == self._throttled:
            return
        self._throttled = full
        if self._settings.ixoff and self._peer is not None:
            request = bytes((_XOFF if full else _XON,))
            self._soon(self._peer._arrive, request, self._settings)
        self._tell_peer()

    # The rest

    def _tell_peer(self) -> None:
        """RTS is the peer's CTS, DTR its DSR and CD."""
        if self._peer is None:
            return
        rts = Signal.RTS in self._outputs and not (self._settings.rtscts and self._throttled)
        on = Signal.CTS if rts and not self._over else Signal.NONE
        if Signal.DTR in self._outputs and not self._over:
            on |= Signal.DSR | Signal.CD
        self._peer.set_inputs(on, _ASSUMED & ~on)

    def _tell_signals(self, inputs: Signal) -> None:
        if self._events is not None and self._watches_signals:
            self._events.line_signals(inputs)

    def _later(self, act: Callable[..., None], *args: object) -> Pending | None:
        if not self._slow:
            act(*args)
            return None
        pending = Pending()
        pending.then(lambda: act(*args))
        self._begun.append(pending)
        return pending

    def _soon(self, callback: Callable[..., object], *args: object) -> None:
        self._clock.call_later(0, callback, *args)

    def _enter(self) -> None:
        """Each call into the line passes here, so that the n-th can fail."""
        if self._calls_to_failure and not self._over:
            self._calls_to_failure -= 1
            if not self._calls_to_failure:
                self.unplug(OSError(errno.EIO, "input/output error"))

    def _end(self) -> Callable[[], None] | None:
        self._over = True
        self._watches_signals = self._watches_errors = False
        self._blocked = False
        self._queue.clear()
        self._stop_piece()
        self._tell_peer()
        for pending in self._begun:
            self._soon(pending.finish)
        self._begun.clear()
        drained, self._drained = self._drained, None
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
    one._peer, other._peer = other, one
    return one, other
