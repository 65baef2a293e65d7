"""The modem lines of a device and its counts of errors, as last seen, and the look at them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Final

from gatewayd.line import ioctls
from gatewayd.line.api import LineEvents
from gatewayd.line.calls import Calls
from gatewayd.line.ioctls import Counts
from gatewayd.line.model import (
    OUTPUT_SIGNALS,
    LineErrors,
    Signal,
    SignalPolicies,
    SignalPolicy,
)
from gatewayd.line.modem import WATCHING, ModemWatch, wait_for_change
from gatewayd.line.pending import Pending
from gatewayd.line.probing import Found

_ASSUMED: Final = Signal.CTS | Signal.DSR | Signal.CD
_MOVING: Final = "moving DTR and RTS"
_COUNTING: Final = "counting errors"


class Seen:
    """Of one line. `failed(what, error)` is told of calls that failed."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        calls: Calls,
        fd: int,
        found: Found,
        policies: SignalPolicies,
        events: LineEvents,
        failed: Callable[[str, OSError], None],
    ) -> None:
        """`policies` tell what DTR and RTS are on a line that cannot tell."""
        self.signals = _ASSUMED
        """On a line without modem lines what was last set, and CTS, DSR, CD on."""
        self.errors = found.errors
        self._has_signals = found.signals is not None
        self._has_errors = found.capabilities.error_counts
        for signal, policy in ((Signal.DTR, policies.dtr), (Signal.RTS, policies.rts)):
            if policy is not SignalPolicy.OFF:
                self.signals |= signal
        if found.signals is not None:
            self.signals = found.signals
        self._loop = loop
        self._calls = calls
        self._fd = fd
        self._events = events
        self._failed = failed
        self._over = False
        self._moving = 0
        self._told_errors = found.errors
        self._counts = self._counting = self._count_due = False
        wait = wait_for_change if found.capabilities.modem_events else None
        failing = partial(failed, WATCHING)
        self._watch = ModemWatch(loop, calls, fd, self._signals_changed, failing, wait)

    @property
    def by_events(self) -> bool:
        """Whether changes of the modem lines are waited for, not polled."""
        return self._watch.by_events

    def move(self, on: Signal, off: Signal) -> Pending | None:
        """Raise DTR/RTS in `on`, drop those in `off`."""
        self.signals = (self.signals | on) & ~off
        if self._over or not self._has_signals:
            return None
        self._moving += 1
        work = partial(ioctls.set_signals, self._fd, on, off)
        return self._calls.make(_MOVING, work, self._moved, self._not_moved)

    def _moved(self, _done: None) -> None:
        self._moving -= 1

    def _not_moved(self, error: OSError) -> None:
        self._moving -= 1
        self._failed(_MOVING, error)

    def refresh(self) -> Pending | None:
        """See what is now."""
        if self._over or not (self._has_signals or self._has_errors):
            return None
        return self._calls.make(WATCHING, self._read, self._is, partial(self._failed, WATCHING))

    def _read(self) -> tuple[Signal | None, LineErrors | None]:
        # In the device's thread, if it has one.
        signals = ioctls.get_signals(self._fd) if self._has_signals else None
        return signals, ioctls.get_counts(self._fd).errors if self._has_errors else None

    def _is(self, found: tuple[Signal | None, LineErrors | None]) -> None:
        signals, errors = found
        if signals is not None:
            # What is being moved was seen before it is where it will be.
            ours = OUTPUT_SIGNALS if self._moving else Signal.NONE
            self.signals = signals & ~ours | self.signals & ours
        if errors is not None:
            self.errors = errors

    # ---- watching

    def watch(self, *, signals: bool) -> None:
        """Tell of changes of the modem lines from now on, or no more."""
        if signals and self._has_signals:
            self._watch.start(self.signals)
        else:
            self._watch.stop()

    def _signals_changed(self, inputs: Signal) -> None:
        if not self._over:
            self.signals = self.signals & OUTPUT_SIGNALS | inputs
            self._events.line_signals(inputs)

    def count(self, on: bool) -> bool:
        """Tell of errors since they were last seen, or no more; whether `look_at_errors` is to be
        called for each read, since an error comes with a character."""
        self._counts = on and self._has_errors
        if self._counts:
            self._told_errors = self.errors
            self._ask(self._begin_counting)
        return self._counts

    def look_at_errors(self) -> None:
        """Something came. However much comes, one look waits for a driver that takes its time."""
        if self._counting:
            self._count_due = True
        else:
            self._counting = True
            self._ask(self._counted)

    def _ask(self, then: Callable[[Counts], None]) -> None:
        work = partial(ioctls.get_counts, self._fd)
        self._calls.make(_COUNTING, work, then, self._not_counted)

    def _not_counted(self, error: OSError) -> None:
        self._counting = False
        self._failed(_COUNTING, error)

    def _begin_counting(self, counts: Counts) -> None:
        if self._calls.apart:
            self._tell(counts.errors)
        else:
            # Not from within the call that began it.
            self._loop.call_soon(self._tell, counts.errors)

    def _tell(self, errors: LineErrors) -> None:
        if self._over or not self._counts:
            return
        self.errors = errors
        if errors != self._told_errors:
            self._told_errors = errors
            self._events.line_errors(errors)

    def _counted(self, counts: Counts) -> None:
        self._counting = False
        self._tell(counts.errors)
        due, self._count_due = self._count_due, False
        if due and self._counts:
            self.look_at_errors()

    def end(self) -> None:
        """Tell and ask no more."""
        self._over = True
        self._watch.stop()

    def join(self, *seconds: float) -> None:
        """After `end`: see `ModemWatch.join`."""
        self._watch.join(*seconds)
