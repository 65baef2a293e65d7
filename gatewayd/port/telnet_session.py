"""The RFC 2217 face: Telnet with the Com Port Control option.

Requests of the client act at their place in the stream, so they go through the port's outbox. Three
do not wait: PURGE-DATA, because a stuck line could never be purged otherwise, and SUSPEND and
RESUME. Their answers still keep the order of the requests.
"""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any, Final

from gatewayd import __version__
from gatewayd.comport.access import PURGES, AccessServer
from gatewayd.comport.wire import Command as ComPort
from gatewayd.comport.wire import Malformed, Request, decode_request
from gatewayd.line.api import Line
from gatewayd.line.model import LineErrors, Purge, Signal, SignalPolicy
from gatewayd.log import Happening, note
from gatewayd.port.gate import Hold
from gatewayd.port.outbox import ACTION_WEIGHT, Urgent
from gatewayd.port.port import Port
from gatewayd.port.session import Peer, Session
from gatewayd.telnet.constants import IAC, Command, Option, Side
from gatewayd.telnet.engine import TelnetEngine
from gatewayd.telnet.events import (
    ControlFunction,
    Event,
    OptionChanged,
    Subnegotiation,
    TimingMarkRequested,
    Violation,
)

READ_BYTES: Final = 65536
FIRST_READ_BYTES: Final = 4096
DENSE_READ_BYTES: Final = 1024
DENSE_EVENTS: Final = 64
"""A command costs a hundred times what a byte does: so much is read at once from a client that
sends data, at first, and while one read has more than so many events."""
LOOK_AHEAD_BYTES: Final = 262144
"""How far a client may be ahead of the line: far enough that a purge behind a stuck transfer is
reached, since a purge must not wait for the line."""
REPLY_BYTES: Final = 65536
"""Answers that a client may leave untaken before it is not read any more."""
BREAK_S: Final = 0.25
"""The length of an IAC BRK on the line."""
REPORTED_VIOLATIONS: Final = 5

_CHARACTERS: Final = {
    Command.IP: Urgent(b"\x03"),
    Command.EC: Urgent(b"\x7f"),
    Command.EL: Urgent(b"\x15"),
    Command.EOF: Urgent(b"\x04"),
    Command.SUSP: Urgent(b"\x1a"),
    Command.ABORT: Urgent(b"\x1c"),
}
"""What a console behind the line expects for Telnet's functions: ^C, DEL, ^U, ^D, ^Z, ^\\."""


class TelnetSession(Session):
    """A client of the RFC 2217 face."""

    face = "rfc2217"

    def __init__(
        self, port: Port, peer: Peer, *, number: int, peername: str, since: datetime
    ) -> None:
        super().__init__(port, peer, number=number, peername=peername, since=since)
        self._engine = TelnetEngine(
            local=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.STATUS, Option.LOGOUT),
            remote=(Option.BINARY, Option.SUPPRESS_GO_AHEAD, Option.COM_PORT),
        )
        signals = port.config.signals
        client = (Signal.DTR if signals.dtr is SignalPolicy.CLIENT else Signal.NONE) | (
            Signal.RTS if signals.rts is SignalPolicy.CLIENT else Signal.NONE
        )
        self._access = AccessServer(
            f"gatewayd {__version__} {port.name}",
            lenient=port.config.lenient,
            client_signals=client,
        )
        self._agreed = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._requests: list[Request] = []
        self._violations = 0
        self._read_bytes = FIRST_READ_BYTES

    # ---- from the connection

    @property
    def read_size(self) -> int:
        """A client is read ahead of the line, to find what does not wait for it; in small pieces
        while it sends little but commands, so that other ports have their turn."""
        return self._read_bytes

    def _pace_reading(self, size: int, events: int) -> None:
        if events > DENSE_EVENTS:
            self._read_bytes = DENSE_READ_BYTES
        elif size == self._read_bytes and size < READ_BYTES:
            self._read_bytes = 2 * size

    def admitted(self) -> None:
        """Open with offers only: what clients refuse or leave unanswered does no harm."""
        super().admitted()
        ask = self._engine.ask
        ask(Side.LOCAL, Option.BINARY, enable=True)
        ask(Side.REMOTE, Option.BINARY, enable=True)
        ask(Side.LOCAL, Option.SUPPRESS_GO_AHEAD, enable=True)
        ask(Side.REMOTE, Option.SUPPRESS_GO_AHEAD, enable=True)
        ask(Side.REMOTE, Option.COM_PORT, enable=True)
        self._flush()

    def urgent(self) -> None:
        """TCP urgent data is on its way: read up to it, and drop what waits (RFC 854, Synch)."""
        self._engine.urgent()
        if self.port.owner is self:
            self._outbox.drop_bytes(spare_urgent=True)
        self._client_gate.release(Hold.LINE_FULL)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self.bytes_in += len(data)
        events = self._engine.receive_data(data)
        self._pace_reading(len(data), len(events))
        for event in events:
            if type(event) is bytes:
                if self._requests:
                    self._queue_requests()
                self.owed = True
                self._outbox.write(event)
            else:
                self._event(event)
                if self.port.owner is not self:
                    return
        if self._requests:
            self._queue_requests()
        if self._outbox.load > LOOK_AHEAD_BYTES:
            self._client_gate.hold(Hold.LINE_FULL)
        self._flush()

    def peer_eof(self) -> None:
        """The client sends no more, no RESUME either."""
        self._resume()
        super().peer_eof()

    def peer_ready(self) -> None:
        """The client takes what is sent."""
        super().peer_ready()
        self._client_gate.release(Hold.REPLIES)
        self._catch_up()

    def _event(self, event: Event) -> None:
        match event:
            case Subnegotiation(payload=payload):
                self._subnegotiation(payload)
                return
            case Violation(reason=reason):
                self._violation(reason)
                return
            case _:
                # Everything else has its place behind the requests read so far.
                self._queue_requests()
        match event:
            case OptionChanged(side=Side.REMOTE, option=Option.COM_PORT, enabled=enabled):
                self._com_port(enabled)
            case OptionChanged(side=Side.LOCAL, option=Option.LOGOUT, enabled=True):
                self._outbox.then(self._log_out)
            case TimingMarkRequested():
                self._outbox.then(self._timing_mark)
            case ControlFunction(command=command):
                self._control(command)
            case _:
                pass

    def _control(self, command: Command) -> None:
        if command in _CHARACTERS:
            self._outbox.write(_CHARACTERS[command])
        elif command is Command.BRK:
            self._outbox.then(self._break_on)
            self._outbox.then(self._break_off)
        elif command is Command.AYT:
            self.tell(f"[{self.port.name}: yes]")
        elif command is Command.AO:
            self.port.control.purge(Purge.RX)
            self._flush()
            synch = IAC + bytes((Command.DM,))
            if self._access.suspended:
                self._write(synch)
            else:
                self._peer.write_urgent(synch)

    def _log_out(self) -> None:
        if self.port.owner is self:
            self.end()

    def _break_on(self) -> float:
        if self.port.owner is not self:
            # Many may wait here, and the next client's requests behind them.
            return 0
        self.port.control.set_break(True)
        return BREAK_S

    def _break_off(self) -> None:
        if self.port.owner is self:
            self.port.control.set_break(self._access.breaking)

    def _timing_mark(self) -> None:
        self._engine.send_timing_mark()
        self._flush()

    def _violation(self, reason: str) -> None:
        self._violations += 1
        if self._violations <= REPORTED_VIOLATIONS:
            self._note(Happening.PROTOCOL_VIOLATION, reason)

    # ---- Com Port Control

    def _com_port(self, enabled: bool) -> None:
        self._agreed = enabled
        if enabled:
            self._reply(self._access.begin(self.port.control))
        elif self._access.suspended:
            self._resume()
        self._watch()

    def _subnegotiation(self, payload: bytes) -> None:
        request = decode_request(payload)
        if isinstance(request, Malformed):
            self._violation(request.reason)
            return
        if request.command is ComPort.PURGE_DATA and request.value in PURGES:
            self._purge(PURGES[request.value])
        elif request.command is ComPort.FLOWCONTROL_SUSPEND:
            self._suspend()
            return
        elif request.command is ComPort.FLOWCONTROL_RESUME:
            self._resume()
            return
        elif request.text:
            self._note(Happening.SESSION_OPENED, "the client is %r", request.text[:80])
        self._requests.append(request)

    def _purge(self, which: Purge) -> None:
        if which & Purge.TX:
            self._outbox.drop_bytes()
        self.port.control.purge(which)

    def _queue_requests(self) -> None:
        """Requests that came together act together; see `AccessServer.perform`."""
        if not self._requests:
            return
        requests, self._requests = self._requests, []
        self._outbox.then(lambda: self._perform(requests), ACTION_WEIGHT * len(requests))

    def _perform(self, requests: list[Request]) -> None:
        if not self._agreed or self.port.owner is not self:
            return
        settings_before = self.port.control.settings()
        mask_before = (self._access.wants_signals, self._access.wants_errors)
        try:
            answers = self._access.perform(requests, self.port.control)
        except OSError:
            # The device is going: answer from what will be set when it comes back.
            answers = self._access.perform(requests, self.port.stand_in)
        for answer in answers:
            self._reply(answer)
        if (self._access.wants_signals, self._access.wants_errors) != mask_before:
            self._watch()
        settings = self.port.control.settings()
        if settings != settings_before:
            self.port.settings_changed()
            self._note(Happening.LINE_SET, "line set to %s", settings, level=logging.DEBUG)
        self._flush()

    def _watch(self) -> None:
        self.port.watch(
            signals=self._agreed and self._access.wants_signals,
            errors=self._agreed and self._access.wants_errors,
        )

    def _suspend(self) -> None:
        self._access.suspended = True
        self.port.line_gate.hold(Hold.SUSPENDED)

    def _resume(self) -> None:
        if not self._access.suspended:
            return
        self._access.suspended = False
        held, self._held, self._held_bytes = self._held, [], 0
        for data in held:
            self._write(data)
        self.port.line_gate.release(Hold.SUSPENDED)
        self._catch_up()

    # ---- to the client

    def _reply(self, payload: bytes) -> None:
        self._engine.send_subnegotiation(Option.COM_PORT, payload)

    def _flush(self) -> None:
        data = self._engine.data_to_send()
        if data:
            self._write(data)

    def _write(self, data: bytes) -> None:
        """Send, or keep while the client has suspended; what it leaves untaken is bounded."""
        if self._access.suspended:
            self._held.append(data)
            self._held_bytes += len(data)
            if self._held_bytes > REPLY_BYTES:
                # Unread, its RESUME would never come: this client cannot be served.
                self._note(Happening.PROTOCOL_VIOLATION, "asks on and on while suspended")
                self._peer.abort()
            return
        self._peer.write(data)
        if self._peer.backlog() > REPLY_BYTES:
            self._client_gate.hold(Hold.REPLIES)

    # ---- from the port

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.bytes_out += len(data)
        self.owed = False
        if self._access.suspended:
            self._write(self._engine.encode(data))
        else:
            self._peer.write(self._engine.encode(data))

    @property
    def _lagging(self) -> bool:
        """Whether the client has so much to take that it is not told each change any more."""
        return max(self._peer.backlog(), self._held_bytes) > REPLY_BYTES // 2

    def _catch_up(self) -> None:
        """Tell what changed meanwhile; the state before is that of the last notification."""
        line = self.port.line
        if line is not None and self.port.owner is self and self._agreed:
            if self._access.wants_signals:
                self.line_signals(line.signals())
            if self._access.wants_errors:
                self.line_errors(line.errors())

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""
        if self._lagging:
            return
        notification = self._access.signals_changed(signals) if self._agreed else None
        if notification is not None:
            self._reply(notification)
            self._flush()

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        if self._lagging:
            return
        notification = self._access.errors_changed(errors) if self._agreed else None
        if notification is not None:
            self._reply(notification)
            self._flush()

    def line_lost(self) -> None:
        """Tell the client by its modem lines that the device is gone."""
        super().line_lost()
        self.line_signals(Signal.NONE)

    def line_back(self, line: Line) -> None:
        """Give the line what the client had made of it."""
        outputs = self._access.outputs
        if self._agreed:
            on = outputs & self._access.client_signals
            line.set_signals(on=on, off=self._access.client_signals & ~outputs)
        if self._access.breaking:
            line.set_break(True)
        self._watch()
        # Another device counts its errors from elsewhere.
        self._access.errors_changed(line.errors())
        self.line_signals(line.signals())
        super().line_back(line)

    def outbox_room(self) -> None:
        """Less waits for the line than before."""
        if self._outbox.load <= LOOK_AHEAD_BYTES // 2:
            self._client_gate.release(Hold.LINE_FULL)

    def tell(self, text: str) -> None:
        """A line of text for a person, among the data."""
        self._flush()
        self._write(self._engine.encode(f"\r\n{text}\r\n".encode()))

    def refuse(self, reason: str) -> None:
        """Say why and close."""
        self._resume()
        super().refuse(reason)

    def end(self, reason: str = "") -> None:
        """Close the connection after what was sent, tell why, and give the line back."""
        self._resume()
        self._flush()
        super().end(reason)

    def _note(
        self, happening: Happening, message: str, *args: object, level: int = logging.INFO
    ) -> None:
        port, peer = self.port.name, self.peername
        note(happening, message, *args, level=level, port=port, session=self.number, peer=peer)

    # ---- hand-over to another process

    def snapshot(self) -> dict[str, Any]:
        """What a successor needs to go on, as values that JSON can hold."""
        return {
            **super().snapshot(),
            "engine": self._engine.snapshot(),
            "access": self._access.snapshot(),
            "agreed": self._agreed,
            "held": b"".join(self._held).hex(),
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where a session of another process was. Raises KeyError, ValueError, TypeError."""
        self._engine.restore(snapshot["engine"])
        self._access.restore(snapshot["access"], self.port.control)
        self._agreed = bool(snapshot["agreed"])
        held = bytes.fromhex(snapshot["held"])
        super().restore(snapshot)
        if held:
            self._held, self._held_bytes = [held], len(held)
        if self._access.suspended:
            self.port.line_gate.hold(Hold.SUSPENDED)
        self._watch()
        if self.port.line is not None:
            # What the modem lines did in between is told now.
            self.line_signals(self.port.line.signals())
