"""The line on a tty: what the gateway does with a serial port, over LineTransport."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import errno
from collections.abc import Callable
from functools import partial
from typing import Final, NamedTuple

from gatewayd.line import ioctls, termios2
from gatewayd.line.api import LineEvents
from gatewayd.line.calls import Calls
from gatewayd.line.gather import Gatherers
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import (
    OUTPUT_SIGNALS,
    Capabilities,
    LineErrors,
    LineSettings,
    Purge,
    Signal,
    SignalPolicy,
    StopBits,
)
from gatewayd.line.modem import WATCHING, ModemWatch, wait_for_change
from gatewayd.line.pending import Pending
from gatewayd.line.serial_port import SerialPort
from gatewayd.line.transmit import Transmitter
from gatewayd.line.transport import LineTransport

_GONE: Final = frozenset({errno.EIO, errno.ENODEV, errno.ENXIO, errno.EBADF, errno.ESHUTDOWN})
_ASSUMED: Final = Signal.CTS | Signal.DSR | Signal.CD
_SETTING: Final = "setting the line"
_MOVING: Final = "moving DTR and RTS"
_COUNTING: Final = "counting errors"
_PATIENCE_S: Final = 0.1
"""For a thread that waits for modem lines; one that the driver keeps is left behind."""


class Found(NamedTuple):
    """What is found out about an open tty before it is a line."""

    capabilities: Capabilities
    signals: Signal | None
    """None where there are no modem lines."""
    errors: LineErrors


def probe(fd: int) -> Found:
    """Find out what the driver of an open tty can do; may talk to a USB device.

    Raises OSError EIO where no UART is behind the tty.
    """
    signals, errors = None, LineErrors()
    counted = True
    try:
        signals = ioctls.get_signals(fd)
    except OSError as error:
        if error.errno in _GONE:
            raise
    try:
        errors = ioctls.get_counts(fd).errors
    except OSError:
        counted = False
    modem_lines = signals is not None
    # TIOCMIWAIT cannot be tried without waiting. Drivers have it together with the counts; where
    # one does not, the first watch finds out and polls.
    capabilities = Capabilities(
        modem_lines=modem_lines,
        modem_events=modem_lines and counted,
        error_counts=counted,
        framing=not termios2.is_pty(fd),
    )
    return Found(capabilities, signals, errors)


def adopt_port(fd: int, path: str) -> tuple[SerialPort, Found]:
    """Take over an open tty that another process has set up; only the locks are taken. May wait
    for the device.

    Raises DeviceBusyError or OSError; `fd` stays the caller's then.
    """
    port = SerialPort(path, LineSettings())
    found = probe(fd)
    port.adopt(fd)
    return port, found


class SerialPortLine:
    """An `api.Line` on an open SerialPort, which `opening.open_line` or `adopt_port` has made.

    After `close`, `detach` and the loss of the device nothing is called any more but `closed`, and
    methods do nothing.
    """

    def __init__(
        self,
        port: SerialPort,
        events: LineEvents,
        found: Found,
        nominal: LineSettings | None = None,
        gatherers: Gatherers | None = None,
        *,
        pending: bytes = b"",
    ) -> None:
        """Takes the port over. `nominal` are the settings last asked for, where that is known;
        `pending` is what was written to it and the driver has not taken."""
        capabilities = found.capabilities
        loop = asyncio.get_running_loop()
        fd = port.fileno()
        self._loop = loop
        self._port = port
        self._fd = fd
        self._events = events
        self._capabilities = capabilities
        self._over = False
        self._released = False
        self._closed: list[Callable[[], None]] = []
        self._break = False
        self._moving = 0
        self._counting = self._count_due = False
        self._refused: set[tuple[str, int | None]] = set()
        self._errors = self._told_errors = found.errors
        policies = ((Signal.DTR, port.policies.dtr), (Signal.RTS, port.policies.rts))
        self._signals = _ASSUMED
        for signal, policy in policies:
            if policy is not SignalPolicy.OFF:
                self._signals |= signal
        if found.signals is not None:
            self._signals = found.signals
        self._calls = calls = Calls(loop, apart=termios2.may_sleep(fd))
        wait = wait_for_change if capabilities.modem_events else None
        self._watch = ModemWatch(
            loop, calls, fd, self._signals_changed, partial(self._failed, WATCHING), wait
        )
        self._transport = LineTransport(loop, self, port, calls, self._before_close, gatherers)
        # Any backlog at all, and its end, is of interest to the transmitter.
        self._transport.set_write_buffer_limits(high=0, low=0)
        self._transport.deliver = events.line_data
        self._transmitter = Transmitter(
            loop,
            fd,
            self._transport,
            self._room,
            partial(self._failed, "sending"),
            calls,
            has_wire=capabilities.framing,
        )
        self._settings = self._read_back(nominal or port.in_force, port.in_force)
        if pending:
            self._transport.write(pending)

    @property
    def path(self) -> str:
        """The path that was opened."""
        return self._port.path

    def fileno(self) -> int:
        """The open descriptor, for a copy of it that outlives this process."""
        return self._fd

    @property
    def hangs(self) -> Pending | None:
        """After the line is lost or closed: something whose end is that of a close which the driver
        holds up; None when the descriptor is closed."""
        return None if self._calls.over.done else self._calls.over

    @property
    def capabilities(self) -> Capabilities:
        """See `api.Line`; `modem_events` may turn false when changes are first watched."""
        if self._capabilities.modem_events and not self._watch.by_events:
            self._capabilities = dataclasses.replace(self._capabilities, modem_events=False)
        return self._capabilities

    def settings(self) -> LineSettings:
        """See `api.Line`. Of a PTY bytesize and parity are those last asked for: it has no wire."""
        return self._settings

    def configure(self, wanted: LineSettings) -> Pending | None:
        """See `api.Line`."""
        if self._over:
            # For the device that comes back.
            self._settings = wanted.possible(self._settings)
            return None
        return self._calls.make(
            _SETTING,
            partial(self._port.configure, wanted),
            partial(self._is_set, wanted),
            partial(self._is_not_set, wanted),
            still=True,
        )

    def _is_set(self, wanted: LineSettings, in_force: LineSettings) -> None:
        self._settings = self._read_back(wanted, in_force)

    def _is_not_set(self, wanted: LineSettings, error: OSError) -> None:
        self._failed(_SETTING, error)
        if error.errno in _GONE:
            self._settings = wanted.possible(self._settings)

    def _read_back(self, nominal: LineSettings, found: LineSettings) -> LineSettings:
        if not self._capabilities.framing:
            half = nominal.bytesize == 5 and found.stopbits is StopBits.TWO
            found = dataclasses.replace(
                found,
                bytesize=nominal.bytesize,
                parity=nominal.parity,
                stopbits=StopBits.ONE_POINT_FIVE if half else found.stopbits,
            )
        self._transmitter.set_speed(found)
        return found

    def signals(self) -> Signal:
        """See `api.Line`."""
        return self._signals

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """See `api.Line`."""
        on, off = on & OUTPUT_SIGNALS, off & OUTPUT_SIGNALS
        self._signals = (self._signals | on) & ~off
        if self._over or not self._capabilities.modem_lines:
            return None
        self._moving += 1
        return self._calls.make(
            _MOVING,
            partial(ioctls.set_signals, self._fd, on, off),
            self._moved,
            self._not_moved,
        )

    def _moved(self, _done: None) -> None:
        self._moving -= 1

    def _not_moved(self, error: OSError) -> None:
        self._moving -= 1
        self._failed(_MOVING, error)

    def set_break(self, on: bool) -> Pending | None:
        """See `api.Line`. A driver without break is no error."""
        if self._over:
            return None
        self._break = on
        what = "a break" if on else "the end of a break"
        return self._make(what, partial(ioctls.set_break, self._fd, on))

    def errors(self) -> LineErrors:
        """See `api.Line`."""
        return self._errors

    def refresh(self) -> Pending | None:
        """See `api.Line`."""
        capabilities = self._capabilities
        if self._over or not (capabilities.modem_lines or capabilities.error_counts):
            return None
        return self._calls.make(WATCHING, self._read, self._is, partial(self._failed, WATCHING))

    def _read(self) -> tuple[Signal | None, LineErrors | None]:
        # In the device's thread, if it has one.
        signals, errors = None, None
        if self._capabilities.modem_lines:
            signals = ioctls.get_signals(self._fd)
        if self._capabilities.error_counts:
            errors = ioctls.get_counts(self._fd).errors
        return signals, errors

    def _is(self, found: tuple[Signal | None, LineErrors | None]) -> None:
        signals, errors = found
        if signals is not None:
            # What is being moved was seen before, or is not yet where it will be.
            ours = OUTPUT_SIGNALS if self._moving else Signal.NONE
            self._signals = signals & ~ours | self._signals & ours
        if errors is not None:
            self._errors = errors

    def watch(self, *, signals: bool, errors: bool) -> None:
        """See `api.Line`. Without modem lines or error counts nothing comes."""
        if self._over:
            return
        if errors and self._capabilities.error_counts:
            self._count(self._begin_counting)
            self._transport.deliver = self.data_received
        else:
            self._transport.deliver = self._events.line_data
        if signals and self._capabilities.modem_lines:
            self._watch.start(self._signals)
        else:
            self._watch.stop()

    def _count(self, then: Callable[[Counts], None]) -> None:
        work = partial(ioctls.get_counts, self._fd)
        self._calls.make(_COUNTING, work, then, self._not_counted)

    def _not_counted(self, error: OSError) -> None:
        self._counting = False
        self._failed(_COUNTING, error)

    def _begin_counting(self, counts: Counts) -> None:
        self._errors = self._told_errors = counts.errors

    def write(self, data: bytes | memoryview) -> int:
        """See `api.Line`. 0 once the device has gone; `line_lost` follows then."""
        if self._over:
            return 0
        taken = self._transmitter.write(data)
        return 0 if self._transport.is_closing() else taken

    def look(self) -> None:
        """Find out whether the device is still there: a line that is not read is not told."""
        if not self._over and self._calls.idle:
            # A call that is being made will tell.
            self._make("telling the settings", partial(termios2.fetch, self._fd))

    def unsent(self) -> int:
        """See `api.Line`."""
        return 0 if self._over else self._transmitter.unsent()

    def pending(self) -> bytes:
        """The part of the unsent bytes that the driver has not taken; for a hand-over."""
        return self._transport.peek_write_buffer()

    def drain(self, drained: Callable[[], None]) -> None:
        """See `api.Line`. `close` and `detach` forget it."""
        if self._over:
            drained()
        else:
            self._transmitter.drain(drained)

    def purge(self, which: Purge) -> Pending | None:
        """See `api.Line`."""
        if self._over:
            return None
        thrown = self._transmitter.purge() if Purge.TX in which else None
        if Purge.RX in which:
            work = partial(ioctls.flush, self._fd, Purge.RX)
            return self._make("throwing away what was received", work, still=True)
        return thrown

    def pause_reading(self) -> None:
        """See `api.Line`."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See `api.Line`."""
        if not self._over:
            self._transport.resume_reading()

    def close(self, closed: Callable[[], None] | None = None) -> None:
        """See `api.Line`."""
        if closed is not None:
            if self._released:
                self._loop.call_soon(closed)
            else:
                self._closed.append(closed)
        if not self._over:
            self._end()
            self._transport.abort()

    def detach(self) -> int:
        """Give the open descriptor away: not closed, nothing set. Take `pending` before.

        A call that hangs in it is left to its thread.
        """
        self._end()
        self._released = True
        self._calls.detach()
        self._watch.join(_PATIENCE_S)
        return self._transport.detach()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to do: the transport was made by us."""

    def data_received(self, data: bytes) -> None:
        """Bytes came while errors are watched: an error comes with a character, so look now."""
        if self._counting:
            self._count_due = True
        else:
            self._counting = True
            self._count(self._counted)
        if not self._over:
            self._events.line_data(data)

    def _counted(self, counts: Counts) -> None:
        self._counting = False
        if self._over or self._transport.deliver != self.data_received:
            return
        self._errors = counts.errors
        if self._errors != self._told_errors:
            self._told_errors = self._errors
            self._events.line_errors(self._errors)
        if self._count_due:
            self._count_due = False
            self._counting = True
            self._count(self._counted)

    def pause_writing(self) -> None:
        """The driver took less than all."""
        self._transmitter.paused()

    def resume_writing(self) -> None:
        """The driver has taken all."""
        self._transmitter.resumed()

    def connection_lost(self, exc: Exception | None) -> None:
        """The descriptor is closed."""
        self._released = True
        if not self._over:
            drained = self._end()
            if drained is not None:
                drained()
            self._events.line_lost(exc if isinstance(exc, OSError) else None)
        closed, self._closed = self._closed, []
        for callback in closed:
            callback()

    def _end(self) -> Callable[[], None] | None:
        self._over = True
        self._watch.stop()
        return self._transmitter.stop()

    def _before_close(self) -> None:
        # In the closing thread. A wait for a modem line would keep the tty open.
        self._watch.join()
        if self._break:
            with contextlib.suppress(OSError):
                ioctls.set_break(self._fd, False)

    def _signals_changed(self, inputs: Signal) -> None:
        if not self._over:
            self._signals = self._signals & OUTPUT_SIGNALS | inputs
            self._events.line_signals(inputs)

    def _room(self) -> None:
        if not self._over and not self._transport.is_closing():
            self._events.line_writable()

    def _make(
        self, what: str, work: Callable[[], object], *, still: bool = False
    ) -> Pending | None:
        """A call from which nothing follows."""
        return self._calls.make(what, work, _done, partial(self._failed, what), still=still)

    def _failed(self, what: str, error: OSError) -> None:
        """What a driver refuses is no fault of the line; a device that has gone ends it."""
        if self._over:
            return
        if error.errno in _GONE:
            self._transport.fail(error)
        elif (what, error.errno) not in self._refused:
            self._refused.add((what, error.errno))
            self._events.line_refused(what, error)


def _done(_result: object) -> None:
    """Nothing follows from it."""
