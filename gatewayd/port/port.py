"""A port: what an operator names. It outlives its device, its sessions and its first settings.

It puts the parts together: who is at it (`clients`), what its line should be like (`settling`),
what waits for the line (`outbox`) and who is told (`hub`). Opening the device is its keeper's work
(`gatewayd.service.keeper`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from gatewayd.config.schema import PortConfig
from gatewayd.line.api import Clock, Gathering, Line
from gatewayd.line.model import OUTPUT_SIGNALS, LineErrors, LineSettings, Signal
from gatewayd.log import Happening, note
from gatewayd.port.chronicle import Chronicle
from gatewayd.port.counters import Counters
from gatewayd.port.gate import Gate
from gatewayd.port.holder import Holder
from gatewayd.port.hub import Hub
from gatewayd.port.leftover import Leftover
from gatewayd.port.outbox import Outbox
from gatewayd.port.phase import Cue, Phase, after
from gatewayd.port.reception import Reception
from gatewayd.port.seat import Seat
from gatewayd.port.settling import Settling
from gatewayd.port.traffic import Traffic


class Port:
    """One configured device with its listeners, and the clients that are at it."""

    def __init__(self, config: PortConfig, clock: Clock) -> None:
        self.config = config
        self.clock = clock
        self.phase = Phase.ABSENT
        self.cause = "not looked for yet"
        """Why the device is not ready, in words."""
        self.counters = Counters()
        self._traffic = Traffic()
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
            mark=lambda: self.clients.mark,
            awaited=lambda: self.clients.awaited or self.clients.owner is not None,
            report=self._chronicle.discarded,
        )
        self.clients = Reception(
            config,
            clock,
            hub=self.hub,
            outbox=self.outbox,
            settling=self.settling,
            leftover=self.leftover,
            chronicle=self._chronicle,
            counters=self.counters,
            changed=self._changed,
        )
        self.line_gate = Gate(self._pause_line, self._resume_line)
        self.on_lost: Callable[[], None] | None = None
        """Called when the open device went away."""
        self.on_change: Callable[[], None] | None = None
        """Called when the phase or the session changed."""

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
        return self.clients.owner

    # ---- the device

    def move(self, cue: Cue, cause: str = "") -> bool:
        """Tell what happened to the device; return whether that changed the phase or its cause."""
        phase = after(self.phase, cue)
        changed = (phase, cause) != (self.phase, self.cause)
        self.phase, self.cause = phase, cause
        if changed:
            self._changed()
            self._chronicle.device(phase.value, cause)
        if phase is Phase.OPENING:
            self.clients.opening()
        elif phase is not Phase.READY:
            # Those who wait are told; who holds the port is when the line is lost.
            self.clients.unable(f"device is {phase.value}, {cause}")
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
            self.clients.dismiss("another device may have come back; trust_path: true goes on")
        begun = self.settling.opened(line, adopted=adopted)
        self._taps_changed()
        if self.line_gate.held:
            line.pause_reading()
        if not adopted:
            self.clients.line_back()
        self.outbox.attach(line, begun)
        self.clients.ready()

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        try:
            self.hub.deliver(data)
        except Exception as error:  # noqa: BLE001 - our fault, or no memory
            text = "session failed"
            note(Happening.FAULT, text, port=self.name, level=logging.ERROR, exc_info=error)
            # A client must not go on without noticing that bytes are missing.
            self.clients.dismiss("bytes of the device were lost")
        # Not before: somebody waits for the bytes.
        self.counters.from_device += len(data)
        self.heard_at = self.clock.time()

    def line_streams_both_ways(self) -> bool:
        """Whether so much went both ways since the last call that there can be no dialogue."""
        if self.line is None or self.owner is None:
            return False
        speed = self.line.settings().bytes_per_second
        received, sent = self.counters.from_device, self.outbox.taken
        return self._traffic.look(self.clock.time(), received, sent, speed)

    def line_gathered(self, place: Gathering | None) -> None:
        """The line is read there, or no more: so is the client that holds the port."""
        if self.owner is not None:
            self.owner.gathered(place)

    def _line_data_for_nobody(self, data: bytes) -> None:
        if not self.clients.watchers:
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
        # With DTR and RTS, which are lines as well to who looks on.
        self._chronicle.signals(self.settling.signals())

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        if self.owner is not None:
            self.owner.line_errors(errors)
        self._chronicle.errors(errors)

    def line_refused(self, what: str, error: OSError) -> None:
        """The driver cannot do something; the line goes on."""
        self._chronicle.refuses(what, error)

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
        # A device that does not answer is still there.
        self.move(Cue.HANGS if isinstance(cause, TimeoutError) else Cue.LOST, why)
        self.clients.line_lost()
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
        return Seat(
            self.outbox,
            self.settling,
            self.line_gate,
            self.hub,
            clock=self.clock,
            mark=lambda: self.clients.mark,
        )

    # ---- the file

    def reconfigure(self, config: PortConfig) -> None:
        """Put new settings in force, with the session and the device as they are."""
        self.config = config
        if self.settling.reload(config):
            self.outbox.then(self.settling.follow_file)
        self.clients.reconfigure(config)

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs beside the session's own: values that JSON can hold."""
        return {
            "outputs": (self.settling.signals() & OUTPUT_SIGNALS).value,
            "counters": dict(vars(self.counters)),
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
        outputs = Signal(snapshot.get("outputs", OUTPUT_SIGNALS.value))
        self.settling.restore(settings, outputs, held=held)
        counted = {name: int(value) for name, value in snapshot["counters"].items()}
        if unknown := counted.keys() - vars(self.counters).keys():
            raise ValueError(f"there is no counter {unknown.pop()}")
        vars(self.counters).update(counted)
        heard_at = snapshot.get("heard_at")
        self.heard_at = None if heard_at is None else float(heard_at)
        self.outbox.taken = int(snapshot["taken"])
        self.leftover.discarded = int(snapshot["discarded"])

    def abandon(self, *, keep: bool) -> None:
        """No session goes on; `keep` is whether it is known how the line was left."""
        self.settling.held = False
        self.outbox.then(self.settling.left if keep else self.settling.apply_file)

    # ---- what the outbox and the gate tell

    def _discarded(self, count: int) -> None:
        self.leftover.count(count)

    def _room(self) -> None:
        owner = self.clients.owner
        if owner is not None:
            owner.outbox_room()

    def _pause_line(self) -> None:
        if self.line is not None:
            self.line.pause_reading()

    def _resume_line(self) -> None:
        if self.line is not None:
            self.line.resume_reading()
