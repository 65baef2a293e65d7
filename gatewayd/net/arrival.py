"""A connection on its way in: the steps between `accept` and a session.

An address has a way in: what makes its steps, in their order (`net/entrance.py`). One step after
the other owns what the client sends, has a time and a measure, and ends by `Arrival.passed`,
`Arrival.refuse`, or with the connection. What follows its last byte is the next one's, unread.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Final

from gatewayd.line.api import Clock, Timer
from gatewayd.log import Happening, note
from gatewayd.net.channel import Carrier
from gatewayd.net.connection import Connection
from gatewayd.net.stage import Stage
from gatewayd.port.proof import Proof
from gatewayd.port.telnet_face import TelnetFace
from gatewayd.telnet.events import Event, Subnegotiation, Violation

PATIENCE_S: Final = 10.0
MOST_BYTES: Final = 4096
"""What a newcomer may send before it has a session."""
READ_BYTES: Final = 512


class Newcomer:
    """Who comes: what its session will be called."""

    __slots__ = ("insists", "name", "number", "peername", "proof", "since", "wish")

    def __init__(self, number: int, peername: str, since: datetime) -> None:
        self.number = number
        self.peername = peername
        self.since = since
        self.insists = False
        """It takes the port over."""
        self.proof = Proof()
        """What it has proved on its way."""
        self.name = ""
        """What it says of itself, for people: it is never believed."""
        self.wish = ""
        """The port that it has asked for before it came."""

    @property
    def host(self) -> str:
        """Its address without the port."""
        return self.peername.rpartition(":")[0] or self.peername


class Step:
    """One step of a way in. A step that is over is not called any more."""

    patience: float = PATIENCE_S
    """Seconds that it may take."""
    reads_telnet: bool = True
    """Whether it gets what Telnet makes of the bytes, where the client speaks it."""
    most_bytes: int = MOST_BYTES
    """What the client may have sent, from its first byte on, while it is at this step."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival

    def start(self) -> None:
        """The connection has come so far."""

    def receive(self, data: bytes) -> None:
        """Data from the client: of Telnet a byte at a time, else as it was read."""

    def event(self, event: Event) -> None:
        """Another event of Telnet; subnegotiations go to whom `TelnetFace.welcome` names."""

    def heard(self) -> None:
        """The client has said something by Telnet: it may be the answer to what was asked."""

    def peer_eof(self) -> None:
        """The client sends no more."""
        self.arrival.leave()

    def late(self) -> None:
        """It has taken longer than it may."""
        self.arrival.refuse("that took too long")

    def over(self) -> None:
        """The step has passed, was refused or is gone: give back what it holds."""


MakeStep = Callable[["Arrival"], Step]


class Arrival:
    """The stage of a connection that is on its way in.

    `way` makes the steps and `seat` the session behind them; `left` is called once, when the
    connection is through or gone. `telnet` is there if the client speaks it.
    """

    waits = False
    read_size = READ_BYTES
    vigilance = 0.0

    def __init__(
        self,
        connection: Connection,
        newcomer: Newcomer,
        way: Iterable[MakeStep],
        *,
        name: str,
        clock: Clock,
        telnet: TelnetFace | None,
        seat: Callable[[Arrival], Stage],
        left: Callable[[], None],
    ) -> None:
        self.connection = connection
        self.newcomer = newcomer
        self.telnet = telnet
        self.takes_urgent = telnet is not None
        self._way = iter(way)
        self.name = name
        self.clock = clock
        self._seat = seat
        self._left = left
        self._step: Step | None = None
        self._timer: Timer | None = None
        self._bytes = 0
        self._unread = b""
        """What was read and no step has had."""
        self._held = False
        self._busy = False
        """`_work` is at work, and will see what changes."""
        self._layer: Callable[[bytes], Carrier] | None = None
        self._session: Stage | None = None

    # ---- from the steps

    def passed(self, rest: bytes = b"", *, seat: Callable[[Arrival], Stage] | None = None) -> None:
        """The step is over: go on with the next one, or with the session; `seat` makes another
        one than this way leads to.

        `rest` is what of the data it got is not its own; of Telnet there is never any.
        """
        self._end_step()
        self._unread = rest + self._unread
        make = next(self._way, None) if seat is None else None
        if make is None:
            self._session = (seat or self._seat)(self)
        else:
            step = self._step = make(self)
            step.start()
            if self._step is step:
                self._timer = self.clock.call_later(step.patience, self._late)
        self._work()

    def refuse(self, text: str) -> None:
        """Let nobody in: say why where it can be said, and close."""
        port, peer = self.name, self.newcomer.peername
        note(Happening.SESSION_REFUSED, "refused: %s", text, port=port, peer=peer)
        self.leave(text)

    def leave(self, text: str = "") -> None:
        """Close, with a word."""
        self._end()
        if text and self.telnet is not None:
            self.telnet.send_text(f"{self.name}: {text}")
        self.connection.close()

    def violation(self, text: str) -> None:
        """Note what the client has said that no RFC allows, if anything; it was skipped."""
        if text:
            port, peer = self.name, self.newcomer.peername
            note(Happening.PROTOCOL_VIOLATION, text, port=port, peer=peer)

    def discount(self, count: int) -> None:
        """So many bytes of the client were asked for: they are not among those that it may send."""
        self._bytes -= count

    def layer(self, make: Callable[[bytes], Carrier]) -> None:
        """Go on upon another channel, made of what the client has sent behind this.

        What waits in `telnet` still goes out; what was agreed so far is forgotten.
        """
        self._layer = make
        self._work()

    def hold(self) -> None:
        """Leave what the client sends where it is, until `go_on`: the step waits for another."""
        self._held = True
        self.connection.pause_reading()

    def go_on(self) -> None:
        """Read again."""
        self._held = False
        self._work()
        if self._step is not None and not self._held:
            self.connection.resume_reading()

    # ---- from the connection, see `gatewayd.net.stage.Stage`

    def start(self) -> None:
        """It has connected."""
        self.passed()

    def receive(self, data: bytes) -> None:
        """Bytes from the client."""
        self._bytes += len(data)
        self._unread += data
        if self._step is not None and self._bytes > self._step.most_bytes:
            self.refuse("too much was sent before anybody was let in")
        self._work()

    def urgent(self) -> None:
        """TCP urgent data is on its way."""
        if self.telnet is not None:
            self.telnet.urgent()

    def peer_full(self) -> None:
        """The client does not take what is sent."""
        self.connection.abort()

    def peer_ready(self) -> None:
        """The client takes it again."""

    def peer_eof(self) -> None:
        """The client sends no more."""
        if self._step is not None:
            self._step.peer_eof()

    def peer_closing(self) -> None:
        """It sends no more, and the step has not taken all."""

    def peer_gone(self) -> None:
        """The connection is closed."""
        self._end()

    # ---- how it goes on

    def _work(self) -> None:
        """Give the steps what there is, until it is all taken or the session has begun."""
        if self._busy:
            return
        self._busy = True
        try:
            self._change_layer()
            while self._unread and self._step is not None and not self._held:
                self._give(self._step)
                self._change_layer()
        finally:
            self._busy = False
        if self.telnet is not None:
            self.telnet.flush()
        if self._session is not None:
            session, self._session = self._session, None
            self._end()
            self.connection.enter(session, self._unread)

    def _give(self, step: Step) -> None:
        if self.telnet is None or not step.reads_telnet:
            data, self._unread = self._unread, b""
            step.receive(data)
            return
        # A byte at a time: what follows the last one of a step is then still as it was sent.
        first, self._unread = self._unread[:1], self._unread[1:]
        for event in self.telnet.receive(first):
            match event:
                case bytes():
                    step.receive(event)
                case Subnegotiation():
                    self.violation(self.telnet.subnegotiation(event))
                case Violation(reason=reason):
                    self.violation(reason)
                case _:
                    step.event(event)
        if self._step is step:
            step.heard()

    def _change_layer(self) -> None:
        if self._layer is None:
            return
        make, self._layer = self._layer, None
        rest, self._unread = self._unread, b""
        if self.telnet is not None:
            self.telnet.flush()
            self.telnet.begin_anew()
        if self.connection.backlog():
            # It would go out on the other channel.
            self.connection.abort()
        else:
            self.connection.layer(make(rest))

    # ---- the end

    def _late(self) -> None:
        self._timer = None
        if self._step is not None:
            self._step.late()

    def _end_step(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        step, self._step = self._step, None
        if step is not None:
            step.over()

    def _end(self) -> None:
        self._end_step()
        left, self._left = self._left, _nobody_left
        left()


def _nobody_left() -> None:
    pass
