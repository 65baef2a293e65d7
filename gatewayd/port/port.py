"""A port: what an operator names. It outlives its device, its sessions and its first settings.

It puts the parts together: who is at it (`arbiter`), what its line should be like (`settling`),
what waits for the line (`outbox`) and who is told (`hub`). Opening the device is its keeper's work
(`gatewayd.service.keeper`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict
from typing import Any, Final

from gatewayd.config.schema import PortConfig
from gatewayd.line.api import Clock, Line, Timer
from gatewayd.line.model import LineErrors, LineSettings, Signal
from gatewayd.line.pending import Pending
from gatewayd.port.arbiter import Act, Arbiter, Decision, Place
from gatewayd.port.chronicle import Chronicle
from gatewayd.port.counters import Counters
from gatewayd.port.event import EventKind
from gatewayd.port.gate import Gate
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub
from gatewayd.port.leftover import Leftover
from gatewayd.port.outbox import Outbox
from gatewayd.port.phase import TABLE, Cue, Phase
from gatewayd.port.seat import Seat
from gatewayd.port.settling import Settling

HANG_UP_S: Final = 0.5
"""How long a device sees that DTR or RTS is off between two sessions, where they tell of them."""

Decisions = Iterable[Decision[Holder]]


class Port:
    """One configured device with its listeners, and the clients that are at it."""

    def __init__(self, config: PortConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.phase = Phase.ABSENT
        self.cause = "not looked for yet"
        """Why the device is not ready, in words."""
        self.counters = Counters()
        self.heard_at: float | None = None
        """When the device said something last, by the clock."""
        self.hub = Hub(self._line_data_for_nobody, changed=self._taps_changed)
        self._chronicle = Chronicle(config, self.hub, clock)
        self.settling = Settling(config, self._chronicle)
        self.outbox = Outbox(clock, discarded=self._discarded, room=self._room)
        self.leftover = Leftover(
            clock,
            self.outbox,
            line=lambda: self.line,
            mark=lambda: self._restore if self._restores else None,
            report=self._chronicle.discarded,
        )
        self.line_gate = Gate(self._pause_line, self._resume_line)
        self.on_lost: Callable[[], None] | None = None
        """Called when the open device went away."""
        self.on_change: Callable[[], None] | None = None
        """Called when the phase or the session changed."""
        self._arbiter: Arbiter[Holder] = Arbiter(config)
        self._look_timer: Timer | None = None
        self._restores = 0
        """Sessions whose bytes are still before their `_restore` in the outbox."""

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self.config.name

    @property
    def line(self) -> Line | None:
        """The line, while the device is there."""
        return self.settling.line

    @property
    def owner(self) -> Holder | None:
        """The session that holds the port."""
        return self._arbiter.owner

    # ---- the device

    def move(self, cue: Cue, cause: str = "") -> bool:
        """Tell what happened to the device; return whether that changed the phase or its cause."""
        after = TABLE[self.phase, cue]
        changed = (after, cause) != (self.phase, self.cause)
        self.phase, self.cause = after, cause
        if changed:
            self._changed()
            self._chronicle.device(after.value, cause)
        if after is Phase.OPENING:
            self._carry_out(self._arbiter.opening(self.clock.time()))
        elif after is not Phase.READY:
            # Those who wait are told; who holds the port is when the line is lost.
            why = f"device is {after.value}, {cause}"
            self._carry_out(self._arbiter.unable(why, self.clock.time()))
        return changed

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def opened(self, line: Line, *, same_device: bool = True, adopted: bool = False) -> None:
        """There is a line, set as `settling.wanted` said.

        `same_device` is whether it is certainly the device that the session had before; `adopted`
        that the line was never closed.
        """
        self._chronicle.lacks(line.capabilities.lacks())
        if self.owner is not None and not same_device and not self.config.trust_path:
            self.dismiss("another device may have come back; trust_path: true goes on")
        self.settling.opened(line, adopted=adopted)
        self._taps_changed()
        if self.line_gate.held:
            line.pause_reading()
        if self.owner is not None and not adopted:
            self.owner.line_back()
        self.outbox.attach(line)
        self._carry_out(self._arbiter.ready(self.clock.time()))

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.counters.from_device += len(data)
        self.heard_at = self.clock.time()
        self.hub.deliver(data)

    def _line_data_for_nobody(self, data: bytes) -> None:
        self.counters.discarded_from_device += len(data)

    def _taps_changed(self) -> None:
        self.outbox.tapped(self.hub.to_line if self.hub.taps else None)
        if self.line is not None:
            self.line.watch(signals=self.hub.signals, errors=self.hub.errors)

    def line_writable(self) -> None:
        """The line takes bytes again."""
        self.outbox.line_writable()

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""
        if self.owner is not None:
            self.owner.line_signals(signals)
        self._chronicle.signals(signals)

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        if self.owner is not None:
            self.owner.line_errors(errors)
        self._chronicle.errors(errors)

    def line_lost(self, cause: OSError | None) -> None:
        """The device went away; the session stays as `on_unplug` says."""
        line = self.line
        if line is None:
            return
        self.leftover.count(line.unsent())
        self.settling.lost()
        self.counters.losses += 1
        why = cause.strerror or str(cause) if cause else "hung up"
        self._chronicle.lost(why)
        self.outbox.detach()
        self.leftover.report()
        self.move(Cue.LOST, why)
        if self.owner is not None:
            self.owner.line_lost()
        if self.on_lost is not None:
            self.on_lost()

    def release(self, closed: Callable[[], None] | None = None) -> None:
        """Give the device back: the port is going, or its device changed."""
        line = self.line
        if line is not None:
            self.leftover.count(line.unsent())
            self.settling.lost()
        self.outbox.detach()
        self.leftover.report()
        if line is not None:
            line.close(closed)
        elif closed is not None:
            closed()
        self.phase, self.cause = Phase.ABSENT, "released"

    # ---- clients

    def seat(self) -> Seat:
        """A place for one more client, which is without effect until the line is its own."""
        return Seat(self.outbox, self.settling, self.line_gate, self.hub)

    def arrive(self, session: Holder) -> None:
        """A client came: it gets the line, waits for it, or is told why not."""
        self._carry_out(self._arbiter.arrive(session, self.clock.time()))

    def ends(self, session: Holder) -> None:
        """A client sends no more."""
        self._carry_out(self._arbiter.ends(session, self.clock.time()))

    def leave(self, session: Holder, reason: str = "") -> None:
        """A client is gone. What it sent still goes to the line, then the line is restored."""
        self._carry_out(self._arbiter.leave(session, self.clock.time(), reason))

    def dismiss(self, reason: str = "") -> None:
        """End the session that holds the port, if there is one."""
        self._carry_out(self._arbiter.dismiss(self.clock.time(), reason))

    def close(self) -> None:
        """The port is served no more: all clients go."""
        self._carry_out(self._arbiter.close())

    def look(self) -> None:
        """See whether something is due: a client has had its answer, or waited long enough."""
        self._carry_out(self._arbiter.look(self.clock.time()))

    @property
    def awaited(self) -> bool:
        """Whether a client waits for the line to be free."""
        return self._arbiter.awaited

    def leaving(self, session: Holder) -> bool:
        """Whether a session is at its end: its client sends no more."""
        return self._arbiter.place(session) is Place.LEAVING

    def _carry_out(self, decisions: Decisions) -> None:
        for decision in decisions:
            client, text = decision.client, decision.text
            match decision.act:
                case Act.WAIT:
                    client.wait()
                case Act.REFUSE:
                    self.counters.refused += 1
                    self._chronicle.refused(client, text)
                    client.refuse(f"{self.name}: {text}")
                case Act.SEAT:
                    self._seat(client, decision.other)
                case Act.VACATE:
                    self._vacate(client, text, decision.other)
                case Act.CLOSE:
                    client.close(text)
        if self._look_timer is not None:
            self._look_timer.cancel()
            self._look_timer = None
        due = self._arbiter.next_look(self.clock.time())
        if due is not None:
            self._look_timer = self.clock.call_later(due, self.look)

    def _seat(self, session: Holder, before: Holder | None) -> None:
        self.hub.serve(session.line_data)
        session.seat.grant()
        self.settling.held = True
        if self.settling.hangs_up:
            self.outbox.then(self.settling.taken)
        self.counters.sessions += 1
        self._chronicle.session(EventKind.SESSION_OPENED, session)
        session.admitted()
        if before is not None:
            session.tell(f"{self.name}: taken over from {before.peername}")
        self._changed()

    def _vacate(self, session: Holder, reason: str, after: Holder | None) -> None:
        if after is not None:
            self._chronicle.session(EventKind.TAKEN_OVER, session)
        self.hub.serve(None)
        session.seat.revoke()
        self.settling.end_break()
        self.settling.held = False
        counts = f", {session.bytes_in} bytes in, {session.bytes_out} out"
        self._chronicle.session(EventKind.SESSION_CLOSED, session, counts, reason)
        self.leftover.report()
        self._changed()
        self._restores += 1
        self.outbox.then(self._restore)
        if self.settling.hangs_up:
            self.outbox.then(lambda: HANG_UP_S)
        self.leftover.watch()

    def _restore(self) -> Pending | None:
        self._restores -= 1
        return self.settling.left()

    # ---- the file

    def reconfigure(self, config: PortConfig) -> None:
        """Put new settings in force, with the session and the device as they are."""
        self.config = config
        if self.settling.reload(config):
            self.outbox.then(self.settling.apply_file)
        if self.owner is not None:
            self.owner.reconfigured()
        self._carry_out(self._arbiter.reconfigure(config, self.clock.time()))

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs beside the session's own: values that JSON can hold."""
        return {
            "counters": asdict(self.counters),
            "heard_at": self.heard_at,
            "taken": self.outbox.taken,
            "discarded": self.leftover.discarded,
        }

    def restore(
        self, snapshot: dict[str, Any], settings: LineSettings, *, held: bool = False
    ) -> None:
        """Take over what another process counted, and what its line was set to; `held` is whether
        a session goes on.

        Raises KeyError, ValueError or TypeError.
        """
        self.settling.restore(settings, held=held)
        self.counters = Counters(**{k: int(v) for k, v in snapshot["counters"].items()})
        heard_at = snapshot.get("heard_at")
        self.heard_at = None if heard_at is None else float(heard_at)
        self.outbox.taken = int(snapshot["taken"])
        self.leftover.discarded = int(snapshot["discarded"])

    def abandon(self, *, keep: bool) -> None:
        """No session goes on; `keep` is whether it is known how the line was left."""
        self.settling.held = False
        self.outbox.then(self.settling.left if keep else self.settling.apply_file)

    def inherit(self, session: Holder) -> None:
        """A session of another process goes on with this port."""
        self._arbiter.inherit(session, self.clock.time())
        self.hub.serve(session.line_data)
        session.seat.grant()
        self.settling.held = True
        self._carry_out(())
        self._changed()

    # ---- what the outbox and the gate tell

    def _discarded(self, count: int) -> None:
        self.leftover.count(count)

    def _room(self) -> None:
        if self.owner is not None:
            self.owner.outbox_room()

    def _pause_line(self) -> None:
        if self.line is not None:
            self.line.pause_reading()

    def _resume_line(self) -> None:
        if self.line is not None:
            self.line.resume_reading()
