"""The right to use a line. A session has a seat, never the outbox and never the line."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gatewayd.line.api import Clock
from gatewayd.line.model import Purge
from gatewayd.line.pending import Pending
from gatewayd.port.gate import Gate, Hold
from gatewayd.port.glass import Glass
from gatewayd.port.hub import Hub
from gatewayd.port.onlooker import Onlooker, Viewer
from gatewayd.port.outbox import ACTION_WEIGHT, Action, Outbox
from gatewayd.port.settling import Settling

_HOLDS: Final = Hold.CLIENT_SLOW | Hold.SUSPENDED


class Seat:
    """One client's right to use a line, which it has from `grant` to `revoke`, or to look at it,
    from `look` to `revoke`.

    `write(data)` queues bytes for the line and returns whether it took all of them at once. It is
    the outbox's own while the seat is `held`, and does nothing otherwise; so do the other calls.
    `mark()` is the last action in the outbox that belongs to clients before, if one waits.
    """

    def __init__(
        self,
        outbox: Outbox,
        settling: Settling,
        gate: Gate,
        hub: Hub,
        *,
        clock: Clock,
        mark: Callable[[], Action | None],
    ) -> None:
        self.held = False
        self.used = False
        """Whether the client holds the line, or watches."""
        self.onlooker: Onlooker | None = None
        """The client's tap, while it watches."""
        self.write = _nowhere
        self.control: Settling | Glass = settling
        """The line, or what stands for it while the device is away; what is seen of it by one who
        watches. To be set by actions that `then` runs, and to be read at any time."""
        self._settling = settling
        self._outbox = outbox
        self._gate = gate
        self._hub = hub
        self._clock = clock
        self._mark = mark
        self._asked: Outbox | None = None
        """What one who watches has asked for, in its order: without a line, so that nothing waits
        but for what it begins."""

    def grant(self) -> None:
        """The line is this client's."""
        self.held = self.used = True
        self.control = self._settling
        self.write = self._outbox.write

    def look(self, viewer: Viewer) -> None:
        """The client watches."""
        self.used = True
        self.control = Glass(self._settling)
        self.onlooker = Onlooker(viewer)
        self._hub.add(self.onlooker)

    def revoke(self) -> None:
        """Neither any more. What was queued before still goes to the line."""
        self.used = False
        if self.onlooker is not None:
            self._hub.remove(self.onlooker)
            self.onlooker = None
        if self.held:
            self.held = False
            self.write = _nowhere
            self._gate.release(_HOLDS)
            self._hub.watch(signals=False, errors=False)

    def caught_up(self) -> None:
        """The client has taken most of what waited for it."""
        if self.onlooker is not None:
            self.onlooker.caught_up()

    @property
    def waiting(self) -> int:
        """Bytes that wait for the line which the client holds."""
        return self._outbox.waiting if self.held else 0

    @property
    def load(self) -> int:
        """What of the client's waits, in bytes, actions counted by their weight."""
        if self.held:
            return self._outbox.load
        return 0 if self._asked is None else self._asked.load

    def then(self, action: Action, weight: int = ACTION_WEIGHT) -> None:
        """Queue an action behind the bytes; it is left out if the seat was revoked by then. One who
        watches waits for nobody's bytes."""
        if self.held:
            self._outbox.then(lambda: action() if self.used else None, weight)
        elif self.onlooker is not None:
            if self._asked is None:
                self._asked = Outbox(self._clock, discarded=_nobody, room=self.onlooker.room)
            self._asked.then(lambda: self._behind_glass(action), weight)

    def _behind_glass(self, action: Action) -> Pending | None:
        """What one who watches asked for, in its turn; it may be gone by now."""
        begun = action() if self.onlooker is not None else None
        # A break of so many seconds is none here.
        return begun if isinstance(begun, Pending) else None

    def drop_bytes(self, *, spare_urgent: bool = False) -> None:
        """Throw away the client's bytes that wait in the outbox."""
        if self.held:
            self._outbox.drop_bytes(spare_urgent=spare_urgent, behind=self._mark())

    def purge(self, which: Purge) -> None:
        """Throw away what waits, at once: here and in the line, whoever sent it."""
        if self.held:
            if which & Purge.TX:
                self._outbox.drop_bytes()
            self.control.purge(which)

    def end_break(self) -> None:
        """The client sends no more: it will not end its break itself."""
        if self.held:
            self._settling.end_break()

    def hold_break(self, breaking: bool) -> None:
        """The client has held a break since before, or has not."""
        if self.held:
            self._settling.breaking = breaking

    def hold_line(self, why: int) -> None:
        """Have the line not read, for a reason."""
        if self.held:
            self._gate.hold(why)

    def release_line(self, why: int) -> None:
        """Take a reason back."""
        if self.held:
            self._gate.release(why)

    def watch(self, *, signals: bool, errors: bool) -> None:
        """Have the session told of modem lines and of the receiver's errors."""
        if self.held:
            self._hub.watch(signals=signals, errors=errors)
        elif self.onlooker is not None:
            self._hub.add(self.onlooker, signals=signals, errors=errors)


def _nowhere(data: bytes) -> bool:
    return True


def _nobody(count: int) -> None:
    pass
