"""The line on a tty: what the gateway does with a serial port, over LineTransport."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from functools import partial
from typing import Final

from gatewayd.line import ioctls, termios2
from gatewayd.line.api import Gathering, LineEvents
from gatewayd.line.calls import Calls
from gatewayd.line.gather import Gatherers
from gatewayd.line.model import (
    OUTPUT_SIGNALS,
    Capabilities,
    LineErrors,
    LineSettings,
    Purge,
    Signal,
    StopBits,
)
from gatewayd.line.pending import Pending
from gatewayd.line.probing import Found
from gatewayd.line.seen import Seen
from gatewayd.line.serial_port import SerialPort
from gatewayd.line.transmit import Transmitter
from gatewayd.line.transport import LineTransport
from gatewayd.value import replace

_SETTING: Final = "setting the line"
_PATIENCE_S: Final = 0.1
"""For a thread that waits for modem lines; one that the driver keeps is left behind."""


class SerialPortLine:
    """An `api.Line` on an open SerialPort, which `opening.open_line` or `adopt_port` has made.

    After `close`, `detach` and the loss of the device nothing is called any more but `closed`, and
    methods do nothing.
    """

    _refused: frozenset[tuple[str, int | None]] = frozenset()

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
        self._break: bool | None = None
        """Whether there is a break; None is not known, as it is of a line that others had open."""
        self._break_begun: Pending | None = None
        """What was last begun so that it is."""
        self._calls = calls = Calls(loop, apart=termios2.may_sleep(fd))
        self._seen = Seen(loop, calls, fd, found, port.policies, events, self.failed)
        self._transport = LineTransport(loop, self, port, calls, self._before_close, gatherers)
        # Any backlog at all, and its end, is of interest to the transmitter.
        self._transport.set_write_buffer_limits(high=0, low=0)
        self._transport.deliver = events.line_data
        self._transmitter = Transmitter(
            loop,
            fd,
            self._transport,
            self._room,
            partial(self.failed, "sending"),
            calls,
            has_wire=capabilities.framing,
        )
        self._transport.ends = self._transmitter.gone
        self.write = self._transmitter.write
        self.unsent = self._transmitter.unsent
        self.drain = self._transmitter.drain
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
        if self._capabilities.modem_events and not self._seen.by_events:
            self._capabilities = replace(self._capabilities, modem_events=False)
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
        self.failed(_SETTING, error)
        if error.errno in ioctls.GONE:
            self._settings = wanted.possible(self._settings)

    def _read_back(self, nominal: LineSettings, found: LineSettings) -> LineSettings:
        if not self._capabilities.framing and found != nominal:
            half = nominal.bytesize == 5 and found.stopbits is StopBits.TWO
            found = found._replace(
                bytesize=nominal.bytesize,
                parity=nominal.parity,
                stopbits=StopBits.ONE_POINT_FIVE if half else found.stopbits,
            )
        self._transmitter.set_speed(found)
        return found

    def signals(self) -> Signal:
        """See `api.Line`."""
        return self._seen.signals

    def set_signals(self, on: Signal, off: Signal) -> Pending | None:
        """See `api.Line`."""
        return self._seen.move(on & OUTPUT_SIGNALS, off & OUTPUT_SIGNALS)

    def set_break(self, on: bool) -> Pending | None:
        """See `api.Line`. A driver without break is no error."""
        if self._over:
            return None
        if on or self._break is not False:
            self._break = on
            what = "a break" if on else "the end of a break"
            work = partial(ioctls.set_break, self._fd, on)
            failed = partial(self._break_failed, what, on)
            self._break_begun = self._calls.make(what, work, _done, failed)
        return self._break_begun

    def _break_failed(self, what: str, on: bool, error: OSError) -> None:
        # Something else may be asked for by now.
        if self._break is on:
            self._break = None
        self.failed(what, error)

    def errors(self) -> LineErrors:
        """See `api.Line`."""
        return self._seen.errors

    def refresh(self) -> Pending | None:
        """See `api.Line`."""
        return self._seen.refresh()

    def watch(self, *, signals: bool, errors: bool) -> None:
        """See `api.Line`. Without modem lines or error counts nothing comes."""
        if self._over:
            return
        if self._seen.count(errors):
            self._transport.deliver = self.data_received
        else:
            self._transport.deliver = self._events.line_data
        self._seen.watch(signals=signals)

    def look(self) -> None:
        """Find out whether the device is still there: a line that is not read is not told."""
        if not self._over and self._calls.idle:
            # A call that is being made will tell.
            self._make("telling the settings", partial(termios2.fetch, self._fd))

    def pending(self) -> bytes:
        """The part of the unsent bytes that the driver has not taken; for a hand-over."""
        return self._transport.peek_write_buffer()

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
        self._seen.join(_PATIENCE_S)
        return self._transport.detach()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Nothing to do: the transport was made by us."""

    def data_received(self, data: bytes) -> None:
        """Bytes came while errors are watched: an error comes with a character, so look now."""
        self._seen.look_at_errors()
        if not self._over:
            self._events.line_data(data)

    def streams_both_ways(self) -> bool:
        """See `transport.TransportUser`."""
        return self._events.line_streams_both_ways()

    def gathered(self, place: Gathering | None) -> None:
        """See `transport.TransportUser`."""
        self._events.line_gathered(place)

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
        self._seen.end()
        return self._transmitter.stop()

    def _before_close(self) -> None:
        # In the closing thread. A wait for a modem line would keep the tty open.
        self._seen.join()
        if self._break:
            with contextlib.suppress(OSError):
                ioctls.set_break(self._fd, False)

    def _room(self) -> None:
        if not self._over and not self._transport.is_closing():
            self._events.line_writable()

    def _make(
        self, what: str, work: Callable[[], object], *, still: bool = False
    ) -> Pending | None:
        """A call from which nothing follows."""
        return self._calls.make(what, work, _done, partial(self.failed, what), still=still)

    def failed(self, what: str, error: OSError) -> None:
        """What a driver refuses is no fault of the line; a device that has gone ends it."""
        if self._over:
            return
        if error.errno in ioctls.GONE:
            self._transport.fail(error)
        elif (what, error.errno) not in self._refused:
            self._refused |= {(what, error.errno)}
            self._events.line_refused(what, error)


def _done(_result: object) -> None:
    """Nothing follows from it."""
