"""A port: what an operator names. It outlives its device, its sessions and its first settings.

The port decides who holds the line and what becomes of the line between sessions and while the
device is away. Opening the device is its keeper's work (`gatewayd.service.keeper`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict
from typing import Any

from gatewayd.config.schema import BetweenSessions, PortConfig
from gatewayd.line.api import Clock, Line, Timer
from gatewayd.line.model import LineErrors, LineSettings, Signal, SignalPolicy
from gatewayd.line.pending import Pending, in_turn
from gatewayd.log import Happening, note
from gatewayd.port.absent import AbsentLine
from gatewayd.port.counters import Counters
from gatewayd.port.event import EventKind, PortEvent
from gatewayd.port.gate import Gate, Hold
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub
from gatewayd.port.leftover import Leftover
from gatewayd.port.outbox import Outbox
from gatewayd.port.phase import TABLE, Cue, Phase


class Port:
    """One configured device with its listeners and at most one session."""

    def __init__(self, config: PortConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.phase = Phase.ABSENT
        self.cause = "not looked for yet"
        """Why the device is not ready, in words."""
        self.line: Line | None = None
        self.owner: Holder | None = None
        self.counters = Counters()
        self.hub = Hub(self._line_data_for_nobody, changed=self._taps_changed)
        self.outbox = Outbox(clock, discarded=self._discarded, room=self._room)
        self.leftover = Leftover(
            clock,
            self.outbox,
            line=lambda: self.line,
            mark=lambda: self._restore if self._restores else None,
            report=self._report_discarded,
        )
        self.line_gate = Gate(self._pause_line, self._resume_line)
        self.window = config.line.unsent_limit
        """Bytes that may wait for the UART at its speed."""
        self.on_lost: Callable[[], None] | None = None
        """Called when the open device went away."""
        self.on_change: Callable[[], None] | None = None
        """Called when the phase or the session changed."""
        self._arrived: list[Holder] = []
        self._absent = AbsentLine(config.line)
        self._hold_timer: Timer | None = None
        self._restores = 0
        """Sessions whose bytes are still before their `_restore` in the outbox."""
        self._reported_limits = False

    @property
    def name(self) -> str:
        """The name in the configuration."""
        return self.config.name

    @property
    def control(self) -> Line | AbsentLine:
        """What to set: the line, or what stands for it while the device is away."""
        return self.line or self._absent

    @property
    def awaited(self) -> bool:
        """Whether a client waits for the line to be free."""
        return bool(self._arrived)

    # ---- the device

    def move(self, cue: Cue, cause: str = "") -> bool:
        """Tell what happened to the device; return whether that changed the phase or its cause."""
        after = TABLE[self.phase, cue]
        changed = (after, cause) != (self.phase, self.cause)
        self.phase, self.cause = after, cause
        if changed:
            self._changed()
            self._happened(EventKind.DEVICE, f"{after.value}{cause and f': {cause}'}")
        if after not in (Phase.OPENING, Phase.READY):
            self._admit_arrived()
        return changed

    def _changed(self) -> None:
        if self.on_change is not None:
            self.on_change()

    def opened(self, line: Line, *, same_device: bool = True, adopted: bool = False) -> None:
        """There is a line, set as `wanted_settings` said.

        `same_device` is whether it is certainly the device that the session had before; `adopted`
        that the line was never closed.
        """
        self.line = line
        self.settings_changed()
        self._report_limits(line)
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        if self.owner is not None and not same_device and not self.config.trust_path:
            self.owner.end("another device may have come back; trust_path: true goes on")
        self._taps_changed()
        if self.line_gate.held:
            line.pause_reading()
        if self.owner is not None and not adopted:
            self.owner.line_back(line)
        self.outbox.attach(line)
        self._admit_arrived()

    @property
    def wanted_settings(self) -> LineSettings:
        """What the device is to be opened with: the session's settings if there is one."""
        return self._absent.settings()

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.counters.from_device += len(data)
        self.hub.deliver(data)

    def _line_data_for_nobody(self, data: bytes) -> None:
        self.counters.discarded_from_device += len(data)

    def _taps_changed(self) -> None:
        self.outbox.tapped(self.hub.to_line if self.hub.taps else None)
        if self.line is not None:
            self.line.watch(signals=self.hub.signals, errors=self.hub.errors)

    def watch(self, *, signals: bool, errors: bool) -> None:
        """What the session wants to know of the line; taps may ask for more."""
        self.hub.holder_asks = (signals, errors)
        self._taps_changed()

    def line_writable(self) -> None:
        """The line takes bytes again."""
        self.outbox.line_writable()

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""
        if self.owner is not None:
            self.owner.line_signals(signals)
        self._happened(EventKind.SIGNALS, signals=signals)

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        if self.owner is not None:
            self.owner.line_errors(errors)
        self._happened(EventKind.ERRORS, errors=errors)

    def line_lost(self, cause: OSError | None) -> None:
        """The device went away; the session stays as `on_unplug` says."""
        line = self.line
        if line is None:
            return
        self.leftover.count(line.unsent())
        self.line = None
        self.counters.losses += 1
        self._remember(line)
        why = cause.strerror or str(cause) if cause else "hung up"
        self.move(Cue.LOST, why)
        self._note(Happening.DEVICE_LOST, "device lost: %s", why)
        self.outbox.detach()
        self.leftover.report()
        if self.owner is not None:
            if self.config.on_unplug.hold <= 0:
                self.owner.end("the device is gone")
            else:
                self.owner.line_lost()
                self._hold_for_a_while()
        if self.on_lost is not None:
            self.on_lost()

    def release(self, closed: Callable[[], None] | None = None) -> None:
        """Give the device back: the port is going, or its device changed."""
        line = self.line
        if line is not None:
            self.leftover.count(line.unsent())
        self.line = None
        self.outbox.detach()
        self.leftover.report()
        if line is not None:
            self._remember(line)
            line.close(closed)
        elif closed is not None:
            closed()
        self.phase, self.cause = Phase.ABSENT, "released"

    def _remember(self, line: Line) -> None:
        """Set the device as the line was when it comes back, if somebody counts on that."""
        self._absent = AbsentLine.of(line)
        if self.owner is None:
            self._forget()

    def _forget(self) -> None:
        """What a client made of the settings is over."""
        if self.config.between_sessions is BetweenSessions.RESTORE:
            self._absent = AbsentLine(self.config.line)

    def _hold_for_a_while(self) -> None:
        if self.config.on_unplug.hold != math.inf:
            hold = self.config.on_unplug.hold
            self._hold_timer = self.clock.call_later(hold, self._held_long_enough)

    def _held_long_enough(self) -> None:
        self._hold_timer = None
        if self.owner is not None and self.line is None:
            self.owner.end("the device did not come back")

    def _report_limits(self, line: Line) -> None:
        if self._reported_limits:
            return
        self._reported_limits = True
        lacks = line.capabilities.lacks()
        if lacks:
            self._note(Happening.LINE_LIMITED, "the line has no %s", ", no ".join(lacks))

    # ---- sessions

    def admit(self, session: Holder) -> None:
        """A client came: it gets the line, or is told why not; while the device is being opened it
        waits for what comes of that."""
        if self.phase is Phase.OPENING and self.owner is None:
            session.wait()
            self._arrived.append(session)
            return
        if self.phase is not Phase.READY:
            self._refuse(session, f"{self.name}: device is {self.phase.value}, {self.cause}")
            return
        owner = self.owner
        if owner is not None and owner.leaving:
            # Its client sends no more, and may be gone: who comes now gets the line, but not the
            # answer that is on its way to the other.
            if owner.owed:
                session.wait()
                self._arrived.append(session)
                return
            owner.end()
            owner = self.owner
        if owner is None:
            self._seat(session)
        elif self.config.takeover:
            self._take_over(session, owner)
        else:
            since = owner.since.strftime("%Y-%m-%d %H:%M:%S %Z").rstrip()
            reason = f"{self.name}: in use by {owner.peername} since {since}"
            self._refuse(session, reason)

    def _admit_arrived(self) -> None:
        arrived, self._arrived = self._arrived, []
        for session in arrived:
            self.admit(session)

    def _seat(self, session: Holder) -> None:
        self.owner = session
        self.hub.serve(session.line_data)
        self.counters.sessions += 1
        self._note_session(Happening.SESSION_OPENED, session, "%s session from %s", session.face)
        self._session_event(EventKind.SESSION_OPENED, session)
        session.admitted()
        self._changed()

    def _take_over(self, session: Holder, owner: Holder) -> None:
        self._note_session(
            Happening.SESSION_TAKEN_OVER, owner, "%s session of %s taken over", owner.face
        )
        self._session_event(EventKind.TAKEN_OVER, owner, f"taken over by {session.peername}")
        owner.bump(f"{self.name}: taken over by {session.peername}")
        self.leave(owner)
        self._seat(session)
        session.tell(f"{self.name}: taken over from {owner.peername}")

    def _refuse(self, session: Holder, reason: str) -> None:
        self.counters.refused += 1
        self._note_session(Happening.SESSION_REFUSED, session, "%s client %s refused", session.face)
        self._session_event(EventKind.SESSION_REFUSED, session, reason)
        session.refuse(reason)

    def leave(self, session: Holder, reason: str = "") -> None:
        """A session is over. What it sent still goes to the line, then the line is restored."""
        if session in self._arrived:
            self._arrived.remove(session)
        if self.owner is not session:
            return
        self.owner = None
        self.hub.serve(None)
        self.line_gate.release(Hold.CLIENT_SLOW | Hold.SUSPENDED)
        if self._hold_timer is not None:
            self._hold_timer.cancel()
            self._hold_timer = None
        if self.line is None:
            self._forget()
        self.watch(signals=False, errors=False)
        self._session_event(EventKind.SESSION_CLOSED, session, reason)
        self._note_session(
            Happening.SESSION_CLOSED,
            session,
            "%s session from %s over, %d bytes in, %d out%s",
            session.face,
            session.bytes_in,
            session.bytes_out,
            f": {reason}" if reason else "",
        )
        self.leftover.report()
        self._changed()
        self._restores += 1
        self.outbox.then(self._restore)
        self.leftover.watch()
        self._admit_arrived()

    def _restore(self) -> Pending | None:
        self._restores -= 1
        return in_turn(self._restoring())

    def _restoring(self) -> Iterator[Pending | None]:
        if self.line is not None:
            yield self.line.set_break(False)
        if self.line is not None and self.config.between_sessions is BetweenSessions.RESTORE:
            yield self.line.configure(self.config.line)
            self.settings_changed()

    def settings_changed(self) -> None:
        """The line was set: what may wait for it depends on its speed."""
        if self.line is not None:
            settings = self.line.settings()
            self.window = settings.unsent_limit
            self._happened(EventKind.SETTINGS, str(settings), settings=settings)

    def reconfigure(self, config: PortConfig) -> None:
        """Put new settings in force, with the session and the device as they are.

        A line that a client has set otherwise keeps that until the client goes.
        """
        before, self.config = self.config, config
        if config.signals != before.signals and self.line is not None:
            outputs = ((Signal.DTR, config.signals.dtr), (Signal.RTS, config.signals.rts))
            for signal, policy in outputs:
                if policy is SignalPolicy.ON:
                    self.line.set_signals(on=signal, off=Signal.NONE)
                elif policy is SignalPolicy.OFF:
                    self.line.set_signals(on=Signal.NONE, off=signal)
        ours = self.owner is None and config.between_sessions is BetweenSessions.RESTORE
        if config.line != before.line and (ours or self.control.settings() == before.line):
            self.outbox.then(self._set_line)

    def _set_line(self) -> Pending | None:
        return in_turn(self._setting_line())

    def _setting_line(self) -> Iterator[Pending | None]:
        yield self.control.configure(self.config.line)
        self.settings_changed()

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs beside the session's own: values that JSON can hold."""
        return {
            "counters": asdict(self.counters),
            "taken": self.outbox.taken,
            "discarded": self.leftover.discarded,
        }

    def restore(self, snapshot: dict[str, Any], settings: LineSettings) -> None:
        """Take over what another process counted, and what its line was set to.

        Raises KeyError, ValueError or TypeError.
        """
        self._absent = AbsentLine(settings)
        self.counters = Counters(**{k: int(v) for k, v in snapshot["counters"].items()})
        self.outbox.taken = int(snapshot["taken"])
        self.leftover.discarded = int(snapshot["discarded"])

    def inherit(self, session: Holder) -> None:
        """A session of another process goes on with this port."""
        self.owner = session
        self.hub.serve(session.line_data)
        if self.line is None:
            self._hold_for_a_while()
        self._changed()

    # ---- what the outbox tells

    def _discarded(self, count: int) -> None:
        self.leftover.count(count)

    def _report_discarded(self, count: int) -> None:
        self._note(Happening.LINE_DISCARDED, "%d bytes for the device were discarded", count)
        text = f"{count} bytes for the device were discarded"
        self._happened(EventKind.DISCARDED, text, count=count)

    def _room(self) -> None:
        if self.owner is not None:
            self.owner.outbox_room()

    def _pause_line(self) -> None:
        if self.line is not None:
            self.line.pause_reading()

    def _resume_line(self) -> None:
        if self.line is not None:
            self.line.resume_reading()

    # ---- the log and who looks on

    def _happened(self, kind: EventKind, text: str = "", **values: Any) -> None:
        if self.hub.taps:
            self.hub.happened(PortEvent(kind, text, **values))

    def _session_event(self, kind: EventKind, session: Holder, text: str = "") -> None:
        text = text or f"{session.face} client {session.peername}"
        self._happened(kind, text, peer=session.peername, face=session.face)

    def _note(self, happening: Happening, message: str, *args: object) -> None:
        note(happening, message, *args, port=self.name, device=str(self.config.device))

    def _note_session(
        self, happening: Happening, session: Holder, message: str, face: str, *args: object
    ) -> None:
        note(
            happening,
            message,
            face,
            session.peername,
            *args,
            port=self.name,
            session=session.number,
            peer=session.peername,
        )
