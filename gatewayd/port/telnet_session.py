"""The RFC 2217 face: a session whose client speaks Telnet, with Com Port Control if it agrees."""

from __future__ import annotations

import logging
import math
from datetime import datetime
from typing import Any, Final

from gatewayd.config.schema import Echo
from gatewayd.line.model import LineErrors, Purge, Signal
from gatewayd.log import Happening, note
from gatewayd.port.com_port import ComPort
from gatewayd.port.echo import EchoJudge
from gatewayd.port.gate import Hold
from gatewayd.port.introduction import Introduction
from gatewayd.port.outbox import Urgent
from gatewayd.port.peer import Peer
from gatewayd.port.port import Port
from gatewayd.port.session import Session
from gatewayd.port.telnet_face import AT_ONCE, FIRST_READ_BYTES, TelnetFace
from gatewayd.telnet.constants import Command, Option, Side
from gatewayd.telnet.events import (
    ControlFunction,
    Event,
    OptionChanged,
    Subnegotiation,
    TimingMarkRequested,
    Violation,
)

LOOK_AHEAD_BYTES: Final = 262144
"""How far a client may be ahead of the line: far enough that a purge behind a stuck transfer is
reached, since a purge must not wait for the line."""
BREAK_S: Final = 0.25
"""The length of an IAC BRK on the line."""
REPORTED_VIOLATIONS: Final = 5
NOTICE_S: Final = 10.0
"""So often one that watches is told that what it types goes nowhere."""

_CHARACTERS: Final[dict[Command, bytes]] = {
    Command.IP: Urgent(b"\x03"),
    Command.EC: b"\x7f",
    Command.EL: b"\x15",
    Command.EOF: Urgent(b"\x04"),
    Command.SUSP: Urgent(b"\x1a"),
    Command.ABORT: Urgent(b"\x1c"),
}
"""What a console expects: ^C, DEL, ^U, ^D, ^Z, ^\\. A Synch drops what edits data (RFC 854)."""


class TelnetSession(Session):
    """A client of the RFC 2217 face."""

    face = "rfc2217"
    watching_face = "watch"
    takes_urgent = True
    asks_name = True
    read_size = FIRST_READ_BYTES
    """A client is read ahead of the line, to find what does not wait for it."""

    def __init__(
        self,
        port: Port,
        peer: Peer,
        *,
        number: int,
        peername: str,
        since: datetime,
        only_watches: bool = False,
        insists: bool = False,
        telnet: TelnetFace | None = None,
        name: str = "",
    ) -> None:
        super().__init__(
            port,
            peer,
            number=number,
            peername=peername,
            since=since,
            only_watches=only_watches,
            insists=insists,
            name=name,
        )
        self._telnet = telnet or TelnetFace(peer, port.clock)
        self.read_size = self._telnet.read_size
        self._telnet.behind = lambda: self._client_gate.hold(Hold.REPLIES)
        self._telnet.lost = self._cannot_serve
        self._com_port = ComPort(port, self._telnet, seat=self.seat, note=self._note)
        self._telnet.welcome(Side.LOCAL, Option.LOGOUT)
        self._telnet.welcome(Side.REMOTE, Option.COM_PORT, self._com_port.subnegotiation)
        self._introduction = Introduction(self._telnet, self._calls_itself, asks=self.asks_name)
        self._violations = 0
        self._echo_rule = port.config.echo
        self._echo: EchoJudge | None = None
        self._opened = False
        self._address = peername
        self._typed_at = -math.inf
        """When the client was told last that what it types is not sent."""

    # ---- from the connection

    def admitted(self) -> None:
        """The line is this session's from now on."""
        super().admitted()
        self._com_port.reconfigured()
        if self._opened:
            self._telnet.com_port(True)
            self._follow_echo()
            self.tell(f"[{self.port.name}: it is yours now]")
            return
        self._opened = True
        self._echo_rule = self.port.config.echo
        self._telnet.open(echo=self._echo_rule is not Echo.CLIENT)
        if self._telnet.is_enabled(Side.REMOTE, Option.COM_PORT):
            # As a program says that is asked for a login: no answer to anything that is read.
            self._com_port.agreed(True)
            self._telnet.flush()
        self._judge_echo()

    def _follow_echo(self) -> None:
        self._echo_rule = self.port.config.echo
        self._telnet.echo(self._echo_rule is not Echo.CLIENT)
        self._judge_echo()

    def _judge_echo(self) -> None:
        self._no_echo_judge()
        if self._echo_rule is Echo.AUTO and not self._com_port.is_agreed:
            self._echo = EchoJudge(self.port.clock, self._echo_decided)

    def watches(self, reason: str) -> None:
        """It gets what the line says, and nothing that it sends has any effect."""
        super().watches(reason)
        self._no_echo_judge()
        if self._opened:
            self._telnet.com_port(self.only_watches)
        else:
            self._opened = True
            # A program that cannot set the line is to fail at once, not to talk to nobody.
            self._telnet.open(echo=True, com_port=self.only_watches)
        self._com_port.reconfigured()
        if reason:
            self.tell(f"[{self.port.name}: {reason}]")

    def _echo_decided(self, echoes: bool) -> None:
        self._no_echo_judge()
        if not echoes:
            self._telnet.echo(False)

    def _no_echo_judge(self) -> None:
        if self._echo is not None:
            self._echo.cancel()
            self._echo = None

    def peer_gone(self) -> None:
        """The connection is closed."""
        self._no_echo_judge()
        self._telnet.settle()
        super().peer_gone()

    def urgent(self) -> None:
        """TCP urgent data is on its way: read up to it, and drop what waits (RFC 854, Synch)."""
        self._telnet.urgent()
        self.seat.drop_bytes(spare_urgent=True)
        self._client_gate.release(Hold.LINE_FULL)

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        if self.seat.held and (plain := self._telnet.plain(data)) is not None:
            self._data(plain)
            self.bytes_in += len(data)
            self.heard = self.port.clock.time()
            return
        events = self._telnet.receive(data, AT_ONCE)
        self.read_size = self._telnet.read_size
        left = self._telnet.left
        if left:
            self._peer.put_back(left)
        if self.seat.held:
            self.bytes_in += len(data) - len(left)
            # A client may send a NOP while nobody is there.
            if len(events) != 1 or getattr(events[0], "command", None) is not Command.NOP:
                self.heard = self.port.clock.time()
        for event in events:
            if type(event) is bytes:
                self._com_port.queue_requests()
                self._data(event)
            else:
                self._event(event)
                if not self.seat.used:
                    return
        self._com_port.queue_requests()
        if self._ahead():
            self._client_gate.hold(Hold.LINE_FULL)
        if not self._introduction.over:
            # A refusal is no event, and data may follow it.
            self._introduction.look()
        self._telnet.flush()

    def _calls_itself(self, name: str) -> None:
        """By its own word: in quotes, and only where nothing better is known."""
        if not self.name:
            self.peername = f'{self._address} "{name}"'
            self._note(Happening.SESSION_OPENED, "the client calls itself %r", name)

    def _data(self, data: bytes) -> None:
        if not self.seat.held:
            self._typed()
            return
        self.owed = True
        if not self.seat.write(data) and self._ahead():
            self._client_gate.hold(Hold.LINE_FULL)
        if self._echo is not None:
            self._echo.sent(data)

    def peer_eof(self) -> None:
        """The client sends no more, no RESUME either."""
        self._com_port.ends()
        if self.seat.onlooker is not None:
            # Whoever is only listening with Telnet has closed.
            self.end()
        super().peer_eof()

    def peer_ready(self) -> None:
        """The client takes what is sent."""
        super().peer_ready()
        self._client_gate.release(Hold.REPLIES)
        self._com_port.catch_up()

    def _event(self, event: Event) -> None:
        if isinstance(event, Subnegotiation):
            wrong = self._telnet.subnegotiation(event)
            if wrong:
                self._violation(wrong)
            return
        if isinstance(event, Violation):
            self._violation(event.reason)
            return
        # Everything else has its place behind the requests read so far.
        self._com_port.queue_requests()
        match event:
            case OptionChanged():
                self._option_changed(event)
            case TimingMarkRequested():
                self.seat.then(self._telnet.send_timing_mark)
            case ControlFunction(command=command):
                self._control(command)
            case _:
                pass

    def _option_changed(self, event: OptionChanged) -> None:
        if event.option == Option.COM_PORT and event.side is Side.REMOTE:
            # A program, which shows nothing to anybody.
            self._introduction.over |= event.enabled
            self._no_echo_judge()
            self._com_port.agreed(event.enabled)
        elif event.option == Option.LOGOUT and event.side is Side.LOCAL and event.enabled:
            self.seat.then(self.end)

    def _control(self, command: Command) -> None:
        if command in _CHARACTERS:
            self.seat.write(_CHARACTERS[command])
        elif command is Command.BRK:
            self.seat.then(lambda: self.seat.control.pulse_break(True))
            self.seat.then(lambda: BREAK_S)
            self.seat.then(lambda: self.seat.control.pulse_break(False))
        elif command is Command.AYT:
            self._telnet.queue_text(f"[{self.port.name}: yes]")
        elif command is Command.AO:
            self.seat.purge(Purge.RX)
            self._telnet.send_synch()

    def _violation(self, reason: str) -> None:
        self._violations += 1
        if self._violations <= REPORTED_VIOLATIONS:
            self._note(Happening.PROTOCOL_VIOLATION, reason)

    def _cannot_serve(self) -> None:
        # Unread, its RESUME would never come.
        self._note(Happening.PROTOCOL_VIOLATION, "asks on and on while suspended")
        self._peer.abort()

    # ---- from the port

    def line_data(self, data: bytes) -> None:
        """Bytes from the device."""
        self.bytes_out += len(data)
        self.owed = False
        self._telnet.send_data(data)
        if self._echo is not None:
            self._echo.came(data)

    def line_signals(self, signals: Signal) -> None:
        """A modem line changed."""
        self._com_port.signals_changed(signals)

    def line_errors(self, errors: LineErrors) -> None:
        """The receiver found errors."""
        self._com_port.errors_changed(errors)

    def line_lost(self) -> None:
        """Tell the client by its modem lines that the device is gone."""
        super().line_lost()
        self.line_signals(Signal.NONE)

    def line_back(self) -> None:
        """Tell the client by its modem lines that the device is there again."""
        self._com_port.line_back()
        super().line_back()

    def reconfigured(self) -> None:
        """The settings of the port are others now."""
        super().reconfigured()
        self._com_port.reconfigured()
        if self.seat.held and self.port.config.echo is not self._echo_rule:
            self._follow_echo()

    def outbox_room(self) -> None:
        """Less waits for the line than before."""
        if self.seat.load <= LOOK_AHEAD_BYTES // 2:
            self._client_gate.release(Hold.LINE_FULL)

    def tell(self, text: str) -> None:
        """A line of text for a person, among the data; a program would read it as data."""
        if self.person:
            self._telnet.send_text(text)

    def last_words(self, text: str) -> None:
        """A line of text behind which nothing comes."""
        self._com_port.resume()
        self._telnet.settle()
        self._telnet.flush()
        if text:
            self._telnet.send_text(text)

    # ---- for one that watches

    @property
    def person(self) -> bool:
        """Whether a text among the data does no harm: to who does not speak Com Port Control."""
        return not self._com_port.is_agreed

    def _typed(self) -> None:
        """One that watches sent something; it is told now and then that this goes nowhere."""
        now = self.port.clock.time()
        if now < self._typed_at + NOTICE_S:
            return
        self._typed_at = now
        owner = self.port.owner
        who = f"{owner.peername} has it" if owner is not None else "nobody has it"
        self.tell(f"[{self.port.name}: you watch, {who}; what you type is not sent]")

    def overfull(self, more: int) -> bool:
        """Whether so much waits for the client that `more` bytes are not to be added."""
        return self._telnet.overfull(more)

    def missed_bytes(self, count: int) -> None:
        """So many bytes are missing here."""
        self.tell(f"[{self.port.name}: {count} bytes missed]")

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
            **self._telnet.snapshot(),
            **self._com_port.snapshot(),
            "echo": self._echo_rule.value,
            "echo_judged": self._echo is not None,
            "called": self._introduction.name,
        }

    def restore(self, snapshot: dict[str, Any]) -> None:
        """Go on where a session of another process was. Raises KeyError, ValueError, TypeError."""
        self._com_port.restore(snapshot)
        self._telnet.restore(snapshot, suspended=self._com_port.suspended)
        if name := str(snapshot.get("called", "")):
            self._address = self.peername.removesuffix(f' "{name}"')
        self._introduction.restore(name)
        self._opened = True
        self._echo_rule = Echo(snapshot.get("echo", self.port.config.echo))
        super().restore(snapshot)
        self._com_port.reconfigured()
        if self.seat.onlooker is not None and not self.only_watches:
            self._telnet.com_port(False)
        self._com_port.restored()
        if snapshot.get("echo_judged"):
            self._judge_echo()
        self.reconfigured()

    def _ahead(self) -> bool:
        """Whether the client is as far ahead of the line as it may be."""
        return self.seat.load > LOOK_AHEAD_BYTES
